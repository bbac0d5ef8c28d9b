package httpapi

import (
	"strconv"
	"strings"
)

// mediaRange splits one item of an Accept header into its media type, in lower
// case, and its weight: 1 where none is given, 0 where it cannot be read.
func mediaRange(item string) (media string, weight float64) {
	media, params, _ := strings.Cut(item, ";")
	weight = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) { // NaN is no weight either
			q = 0
		}
		weight = q
	}
	return strings.ToLower(strings.TrimSpace(media)), weight
}

package httpapi

import (
	"strconv"
	"strings"

	"keyhole/gateway/api"
)

// form is one of the forms of an answer to recipients.
type form int

// The forms, in no order of preference. Programs that name none get formText.
const (
	formText form = iota // one line of plain text
	formHTML             // a page
	formJSON             // problem+json, RFC 9457
)

// accepted returns the form that a client asks for by name; */* names none. If a client
// names both HTML and JSON, the greater weight wins, and HTML wins a tie (RFC 9110
// section 12.5.1).
func accepted(headers []string) form {
	var html, problem float64
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			media, weight := mediaRange(item)
			switch media {
			case "text/html", "application/xhtml+xml":
				html = max(html, weight)
			case api.MediaType, api.ProblemType, "application/*":
				problem = max(problem, weight)
			}
		}
	}
	switch {
	case html > 0 && html >= problem:
		return formHTML
	case problem > 0:
		return formJSON
	}
	return formText
}

// mediaRange splits one item of an Accept header into its media type in lower case and its
// weight. The weight is 1 if the item has none, and 0 if it is not a valid weight.
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

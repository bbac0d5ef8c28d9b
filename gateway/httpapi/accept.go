package httpapi

import (
	"strconv"
	"strings"

	"keyhole/gateway/api"
)

// form is one of the forms of an answer to recipients.
type form int

// The forms of an answer. A client that names no form gets formText.
const (
	formText form = iota // one line of plain text
	formHTML             // a page
	formJSON             // problem+json, RFC 9457
)

// accepted returns the form that the Accept headers name; */* names no form. If the
// headers name both HTML and JSON, the form with the greater weight wins, or HTML at
// equal weights (RFC 9110 section 12.5.1).
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

// mediaRange splits one item of an Accept header into its media type in lower case and
// its weight. A missing weight is 1, an invalid weight is 0.
func mediaRange(item string) (media string, weight float64) {
	media, params, _ := strings.Cut(item, ";")
	weight = 1
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) { // also refuses NaN
			q = 0
		}
		weight = q
	}
	return strings.ToLower(strings.TrimSpace(media)), weight
}

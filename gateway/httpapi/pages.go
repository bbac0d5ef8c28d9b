package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
)

// pageRenderer renders what a click needs; refusals are rendered in advance.
type pageRenderer interface {
	Confirmation(view pages.Confirmation) ([]byte, error)
	Policy(formTarget string) string
}

// refusal is an answer without a file, in all forms that clients ask for. It is made once:
// an answer to a flood of requests costs a copy, and a link that does not exist cannot be
// told from a malformed one.
type refusal struct {
	status int
	forms  [3]body // by form
}

// body is the content of an answer with the headers that describe it.
type body struct {
	headers []fixedHeader
	content []byte
}

// newBody makes the body of an answer that depends on Accept.
func newBody(contentType string, content []byte) body {
	return body{content: content, headers: []fixedHeader{
		{"Content-Type", []string{contentType}},
		{"Content-Length", []string{strconv.Itoa(len(content))}},
		{"Vary", []string{"Accept"}},
	}}
}

// newRefusals makes every refusal that the renderer has a page for.
func newRefusals(renderer *pages.Renderer) (map[pages.Refusal]*refusal, error) {
	refusals := map[pages.Refusal]*refusal{}
	for _, outcome := range gateway.Outcomes() {
		for _, prefetched := range []bool{false, true} {
			view := pages.Refusal{Outcome: outcome, Prefetched: prefetched}
			rendered, ok := renderer.Refusal(view)
			if !ok {
				continue
			}
			r, err := newRefusal(outcome, rendered)
			if err != nil {
				return nil, err
			}
			refusals[view] = r
		}
	}
	return refusals, nil
}

// newRefusal makes one refusal.
func newRefusal(outcome gateway.Outcome, rendered pages.Rendered) (*refusal, error) {
	status := statusOfOutcome(outcome)
	problem, err := json.Marshal(newProblem(status, string(outcome), rendered.Detail))
	if err != nil {
		return nil, fmt.Errorf("render the problem for %s: %w", outcome, err)
	}
	return &refusal{status: status, forms: [...]body{
		formText: newBody("text/plain; charset=utf-8", rendered.Text),
		formHTML: newBody("text/html; charset=utf-8", rendered.HTML),
		formJSON: newBody(api.ProblemType, append(problem, '\n')),
	}}, nil
}

// statusOfOutcome returns the HTTP status of a click that gets no file.
func statusOfOutcome(outcome gateway.Outcome) int {
	switch outcome {
	case gateway.OutcomeNotFound:
		return http.StatusNotFound
	case gateway.OutcomeExpired, gateway.OutcomeRevoked, gateway.OutcomeUsedUp,
		gateway.OutcomeObjectChanged, gateway.OutcomeObjectGone, gateway.OutcomeObjectArchived:
		return http.StatusGone
	case gateway.OutcomePaused, gateway.OutcomeNotYet, gateway.OutcomeAddressNotAllowed,
		gateway.OutcomeWrongPassphrase, gateway.OutcomeConfirmationRequired:
		return http.StatusForbidden
	case gateway.OutcomeRateLimited:
		return http.StatusTooManyRequests
	case gateway.OutcomeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case gateway.OutcomeBadRequest:
		return http.StatusBadRequest
	default:
		return http.StatusServiceUnavailable
	}
}

// refuse answers a recipient who is not redirected, in the form that the request
// accepts.
func (a *API) refuse(c echo.Context, answer *gateway.Answer) error {
	r := a.refusals[pages.Refusal{
		Outcome: answer.Outcome, Prefetched: answer.Outcome == gateway.OutcomeBadRequest && prefetched(c.Request()),
	}]
	b := &r.forms[accepted(c.Request().Header["Accept"])]
	setHeaders(c, b.headers)
	h := c.Response().Header()
	switch r.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", publicMethods)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case http.StatusTooManyRequests:
		h.Set("Retry-After", secondsOf(answer.Wait))
	}
	return writeOut(c, r.status, b.content)
}

// form is one of the three forms of a refusal.
type form int

const (
	formText form = iota
	formHTML
	formJSON
)

// accepted reads which form a client asks for by name; */* asks for none. Where
// both are named the one with the greater weight wins, HTML at a tie (RFC 9110
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

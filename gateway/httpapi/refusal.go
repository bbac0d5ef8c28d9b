package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
)

// refusal is the error of a refused click. Every refusal is rendered once, at the start.
// An answer then costs only a copy, also in a flood of requests, and unknown and malformed
// tokens get the same bytes.
type refusal struct {
	set    *pageSet      // of which it is a part
	view   pages.Refusal // without facts
	status int
	text   body
	json   body
	html   []body // by pages.Locale.Index
}

// Error returns the outcome.
func (r *refusal) Error() string { return string(r.view.Outcome) }

// detailedRefusal is a refusal with what its answer says about this click.
type detailedRefusal struct {
	*refusal

	view   pages.Refusal
	html   bool          // the client accepts a page
	locale *pages.Locale // of the page; set when it is answered
	// retryAfter is the value of the header, in seconds, of a refusal that ends after some
	// time. It is an array in the error, so that an answer costs one allocation and not
	// two.
	retryAfter [1]string
}

// Unwrap returns the refusal.
func (d *detailedRefusal) Unwrap() error { return d.refusal }

// newRefusal makes one refusal of the set.
func (s *pageSet) newRefusal(view pages.Refusal) (*refusal, error) {
	status := statusOfOutcome(view.Outcome)
	plain, _ := s.renderer.Plain(&view)
	problem, err := json.Marshal(newProblem(status, string(view.Outcome), plain.Detail))
	if err != nil {
		return nil, fmt.Errorf("render the problem for %s: %w", view.Outcome, err)
	}
	r := &refusal{
		set: s, view: view, status: status,
		text: newBody("text/plain; charset=utf-8", plain.Text), json: newBody(api.ProblemType, append(problem, '\n')),
	}
	for _, b := range []*body{&r.text, &r.json} {
		b.headers = append(b.headers, fixedHeader{"Vary", []string{"Accept"}})
	}
	for _, locale := range s.renderer.Locales() {
		html, _ := locale.Refusal(&view)
		r.html = append(r.html, newPage(locale, html))
	}
	return r, nil
}

// newPage makes the body of a page.
func newPage(locale *pages.Locale, html []byte) body {
	b := newBody("text/html; charset=utf-8", html)
	b.headers = append(b.headers,
		fixedHeader{"Content-Language", []string{locale.Tag}},
		fixedHeader{"Vary", []string{"Accept, Accept-Language"}})
	return b
}

// refusalOf returns the error of a refused click.
func (a *API) refusalOf(r *http.Request, attempt *gateway.Attempt, answer *gateway.Answer) error {
	refused, ok := a.pages.Load().refusals[answer.Outcome]
	if !ok {
		return fmt.Errorf("outcome %q has no answer", answer.Outcome)
	}
	retryAfter := ""
	if answer.Outcome == gateway.OutcomeRateLimited {
		retryAfter = secondsOf(answer.Wait)
	}
	view, html := refused.view, false
	// Programs get the same bytes for all links, so only a page costs the work for its facts.
	if hasDetails(answer) && accepted(r.Header["Accept"]) == formHTML {
		view, html = viewOf(r, attempt, answer), true
	}
	if view == refused.view && retryAfter == "" {
		return refused
	}
	return &detailedRefusal{refusal: refused, view: view, html: html, retryAfter: [1]string{retryAfter}}
}

// hasDetails reports whether viewOf may return more than the view of the refusal.
func hasDetails(answer *gateway.Answer) bool {
	switch answer.Outcome {
	case gateway.OutcomeRateLimited, gateway.OutcomeAddressNotAllowed, gateway.OutcomeUsedUp:
		return true
	}
	return answer.Facts != nil
}

// viewOf returns the view of a refusal with what its page says about this click.
func viewOf(r *http.Request, attempt *gateway.Attempt, answer *gateway.Answer) pages.Refusal {
	view := pages.Refusal{Outcome: answer.Outcome, Facts: answer.Facts}
	switch answer.Outcome {
	case gateway.OutcomeRateLimited:
		view.Now = time.Now()
		view.Retry = view.Now.Add(answer.Wait)
	case gateway.OutcomeAddressNotAllowed:
		if attempt.Client.IsValid() {
			view.Address = attempt.Client.String()
		}
	case gateway.OutcomeUsedUp:
		view.Downloaded = hasDownloaded(r)
	}
	if view.Facts != nil && view.Now.IsZero() {
		view.Now = time.Now()
	}
	return view
}

// locale returns the locale of the page of a refused click. The language is that of the
// request, or of the link. The locale is of the set in which the refusal was decided:
// SetPages may have replaced that set meanwhile, and the other one may have other languages.
func (r *refusal) locale(request *http.Request, details *detailedRefusal) *pages.Locale {
	language := ""
	if details != nil && details.view.Facts != nil {
		language = details.view.Facts.Language
	}
	return r.set.locale(request, language)
}

// write renders the page and sends it with the headers of the page without facts.
func (d *detailedRefusal) write(c echo.Context, headers []fixedHeader) error {
	buffer := d.set.buffers.Get().(*[]byte)
	defer d.set.buffers.Put(buffer)
	*buffer, _ = d.locale.AppendRefusal((*buffer)[:0], &d.view)
	setHeaders(c, headers)
	if statesLength(c, *buffer) {
		c.Response().Header()["Content-Length"] = []string{strconv.Itoa(len(*buffer))}
	}
	return writeOut(c, d.status, *buffer)
}

// statusOfOutcome returns the HTTP status of a refused click.
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
	default: // OutcomeUnavailable
		return http.StatusServiceUnavailable
	}
}

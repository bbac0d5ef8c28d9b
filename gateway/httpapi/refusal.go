package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
)

// refusal is the error of a refused click. Every refusal is rendered once, at the start.
// An answer then costs only a copy, also in a flood of requests, and unknown and malformed
// tokens get the same bytes.
type refusal struct {
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

	view pages.Refusal
	// retryAfter is the value of the header, in seconds, of a refusal that ends after some
	// time. It is an array in the error, so that an answer costs one allocation and not
	// two.
	retryAfter [1]string
}

// Unwrap returns the refusal.
func (d *detailedRefusal) Unwrap() error { return d.refusal }

// newRefusal makes one refusal.
func newRefusal(renderer *pages.Renderer, view pages.Refusal) (*refusal, error) {
	status := statusOfOutcome(view.Outcome)
	plain, _ := renderer.Plain(&view)
	problem, err := json.Marshal(newProblem(status, string(view.Outcome), plain.Detail))
	if err != nil {
		return nil, fmt.Errorf("render the problem for %s: %w", view.Outcome, err)
	}
	r := &refusal{
		view: view, status: status,
		text: newBody("text/plain; charset=utf-8", plain.Text), json: newBody(api.ProblemType, append(problem, '\n')),
	}
	for _, b := range []*body{&r.text, &r.json} {
		b.headers = append(b.headers, fixedHeader{"Vary", []string{"Accept"}})
	}
	for _, locale := range renderer.Locales() {
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
	view := pages.Refusal{Outcome: answer.Outcome, Facts: answer.Facts}
	retryAfter := ""
	switch answer.Outcome {
	case gateway.OutcomeRateLimited:
		view.Now = time.Now()
		view.Retry = view.Now.Add(answer.Wait)
		retryAfter = secondsOf(answer.Wait)
	case gateway.OutcomeAddressNotAllowed:
		view.Address = attempt.Client.String()
	case gateway.OutcomeUsedUp:
		view.Downloaded = hasDownloaded(r)
	}
	if view == refused.view {
		return refused
	}
	if view.Now.IsZero() {
		view.Now = time.Now()
	}
	return &detailedRefusal{refused, view, [1]string{retryAfter}}
}

// page returns the page of an error of a refused click. Its language is that of the
// request, or of the link.
func (s *pageSet) page(r *http.Request, refused *refusal, details *detailedRefusal) *body {
	language := ""
	if details != nil && details.view.Facts != nil {
		language = details.view.Facts.Language
	}
	locale := s.locale(r, language)
	if details == nil {
		return &refused.html[locale.Index]
	}
	html, _ := locale.Refusal(&details.view)
	page := newPage(locale, html)
	return &page
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

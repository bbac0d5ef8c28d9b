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

	view pages.Refusal
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
	view := refused.view
	// Programs get the same bytes for all links, so only a page costs the work for its facts.
	if accepted(r.Header["Accept"]) == formHTML {
		view = viewOf(r, attempt, answer)
	}
	if view == refused.view && retryAfter == "" {
		return refused
	}
	return &detailedRefusal{refused, view, [1]string{retryAfter}}
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

// page returns the page of a refused click. Its language is that of the request, or of the
// link. The page is of the set in which the refusal was decided: SetPages may have replaced
// that set meanwhile, and the other one may have other languages.
func (r *refusal) page(request *http.Request, details *detailedRefusal) *body {
	language := ""
	if details != nil && details.view.Facts != nil {
		language = details.view.Facts.Language
	}
	locale := r.set.locale(request, language)
	if details == nil {
		return &r.html[locale.Index]
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

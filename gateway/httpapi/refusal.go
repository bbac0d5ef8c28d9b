package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/pages"
)

// pageRenderer renders the pages that cannot be rendered in advance.
type pageRenderer interface {
	// Confirmation returns a confirmation page in HTML.
	Confirmation(view pages.Confirmation) ([]byte, error)
	// Policy returns the Content-Security-Policy of a page whose form may be redirected
	// to an origin.
	Policy(formTarget string) string
}

var _ pageRenderer = (*pages.Renderer)(nil)

// refusal is the error of a refused click, with its answer in all forms. Every refusal is
// rendered once, at the start. An answer then costs only a copy, also in a flood of
// requests, and unknown and malformed tokens get the same bytes.
type refusal struct {
	outcome gateway.Outcome
	status  int
	forms   [3]body // by form
}

// Error returns the outcome.
func (r *refusal) Error() string { return string(r.outcome) }

// limitedRefusal is a refusal that ends after some time.
type limitedRefusal struct {
	*refusal

	// retryAfter is the value of the header, in seconds. It is an array in the error, so
	// that an answer costs one allocation and not two.
	retryAfter [1]string
}

// Unwrap returns the refusal.
func (l *limitedRefusal) Unwrap() error { return l.refusal }

// newRefusals returns all refusals that the renderer has a page for, and the refusal of a
// link that a browser loaded before the user opened it.
func newRefusals(renderer *pages.Renderer) (map[gateway.Outcome]*refusal, *refusal, error) {
	refusals := map[gateway.Outcome]*refusal{}
	for _, outcome := range gateway.Outcomes() {
		rendered, ok := renderer.Refusal(pages.Refusal{Outcome: outcome})
		if !ok {
			continue
		}
		r, err := newRefusal(outcome, rendered)
		if err != nil {
			return nil, nil, err
		}
		refusals[outcome] = r
	}
	rendered, _ := renderer.Refusal(pages.Refusal{Outcome: gateway.OutcomeBadRequest, Prefetched: true})
	prefetched, err := newRefusal(gateway.OutcomeBadRequest, rendered)
	return refusals, prefetched, err
}

// newRefusal makes one refusal.
func newRefusal(outcome gateway.Outcome, rendered pages.Rendered) (*refusal, error) {
	status := statusOfOutcome(outcome)
	problem, err := json.Marshal(newProblem(status, string(outcome), rendered.Detail))
	if err != nil {
		return nil, fmt.Errorf("render the problem for %s: %w", outcome, err)
	}
	r := &refusal{outcome: outcome, status: status, forms: [...]body{
		formText: newBody("text/plain; charset=utf-8", rendered.Text),
		formHTML: newBody("text/html; charset=utf-8", rendered.HTML),
		formJSON: newBody(api.ProblemType, append(problem, '\n')),
	}}
	for i := range r.forms {
		r.forms[i].headers = append(r.forms[i].headers, fixedHeader{"Vary", []string{"Accept"}})
	}
	return r, nil
}

// refusalOf returns the error of a refused click.
func (a *API) refusalOf(answer *gateway.Answer) error {
	refused, ok := a.refusals[answer.Outcome]
	switch {
	case !ok:
		return fmt.Errorf("outcome %q has no answer", answer.Outcome)
	case answer.Outcome == gateway.OutcomeRateLimited:
		return &limitedRefusal{refused, [1]string{secondsOf(answer.Wait)}}
	}
	return refused
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

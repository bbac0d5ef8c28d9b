package preview

import (
	"fmt"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// state is a page in one state of a link.
type state struct {
	name   string // the beginning of the file's name
	render func(locale *pages.Locale, now time.Time) ([]byte, error)
}

// states returns every state: the confirmation pages, and a page for each refusal. Package
// pages knows the refusals, so that a new one appears here without a change.
func states() []state {
	all := confirmations()
	taken := map[string]bool{}
	for i := range all {
		taken[all[i].name] = true
	}
	for _, view := range pages.Refusals() {
		// Browsers get the page of a wrong passphrase with the form, which is among the
		// confirmations.
		if !taken[view.Name()] {
			all = append(all, state{view.Name(), refusal(view)})
		}
	}
	return all
}

// confirmations returns the states of the page with the button.
func confirmations() []state {
	// change changes a link and the view of its page.
	type change func(*gateway.Link, *pages.Confirmation)
	protected := func(l *gateway.Link, _ *pages.Confirmation) {
		// As the service does, the page of a file that is revealed after the passphrase
		// gets no facts about the file.
		*l = gateway.Link{
			ID: l.ID, ExpiresAt: l.ExpiresAt, CreatedBy: l.CreatedBy, Passphrase: true, Reveal: gateway.RevealAfter,
		}
	}
	wrong := func(attempts int) change {
		return func(l *gateway.Link, v *pages.Confirmation) {
			protected(l, v)
			v.WrongPassphrase, v.AttemptsLeft = true, attempts
		}
	}
	var all []state
	for _, c := range []struct {
		name   string
		change change
	}{
		{"confirm", func(*gateway.Link, *pages.Confirmation) {}},
		{"confirm_once", func(l *gateway.Link, _ *pages.Confirmation) { l.MaxClicks = 1 }},
		{"confirm_limited", func(l *gateway.Link, _ *pages.Confirmation) { l.MaxClicks, l.Clicks = 5, 2 }},
		{"confirm_inline", func(l *gateway.Link, _ *pages.Confirmation) { l.Disposition = gateway.DispositionInline }},
		{"confirm_passphrase", protected},
		{"confirm_revealed", func(l *gateway.Link, _ *pages.Confirmation) {
			l.Passphrase, l.Reveal = true, gateway.RevealBefore
		}},
		{string(gateway.OutcomeWrongPassphrase), wrong(4)},
		{string(gateway.OutcomeWrongPassphrase) + "_last", wrong(0)},
	} {
		all = append(all, state{c.name, func(locale *pages.Locale, now time.Time) ([]byte, error) {
			link, view := sampleLink(now), pages.Confirmation{Now: now}
			c.change(&link, &view)
			view.Page = samplePage(link)
			return locale.Confirmation(view)
		}})
	}
	return all
}

// refusal returns a function that renders a refusal with everything that the service could
// know.
func refusal(view pages.Refusal) func(*pages.Locale, time.Time) ([]byte, error) {
	return func(locale *pages.Locale, now time.Time) ([]byte, error) {
		shown := view
		shown.Now = now
		switch view.Outcome {
		case gateway.OutcomeNotFound, gateway.OutcomeMethodNotAllowed, gateway.OutcomeBadRequest:
			// No check has found the link.
		default:
			shown.Facts = sampleFacts(now)
		}
		switch view.Outcome {
		case gateway.OutcomeAddressNotAllowed:
			shown.Address = sampleAddress
		case gateway.OutcomeRateLimited:
			shown.Retry = now.Add(sampleWait)
		}
		html, ok := locale.Refusal(&shown)
		if !ok {
			return nil, fmt.Errorf("there is no page for %s", view.Name())
		}
		return html, nil
	}
}

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

// states returns every state: the confirmation pages, and a page for each refusal. The list
// of refusals comes from package pages, so a new refusal appears without a change here.
func states() []state {
	all := confirmations()
	taken := map[string]bool{}
	for i := range all {
		taken[all[i].name] = true
	}
	for _, view := range pages.Refusals() {
		// After a wrong passphrase, browsers get the form again. That page is one of the
		// confirmations.
		if !taken[view.Name()] {
			all = append(all, state{view.Name(), refusal(view)})
		}
	}
	return all
}

// change changes the sample link and the view of its page.
type change func(*gateway.Link, *pages.Confirmation)

// confirmations returns the states of the page with the button.
func confirmations() []state {
	return []state{
		confirmation("confirm", func(*gateway.Link, *pages.Confirmation) {}),
		confirmation("confirm_once", func(l *gateway.Link, _ *pages.Confirmation) { l.MaxClicks = 1 }),
		confirmation("confirm_limited", func(l *gateway.Link, _ *pages.Confirmation) { l.MaxClicks, l.Clicks = 5, 2 }),
		confirmation("confirm_inline", func(l *gateway.Link, _ *pages.Confirmation) {
			l.Disposition = gateway.DispositionInline
		}),
		confirmation("confirm_passphrase", protect),
		confirmation("confirm_revealed", func(l *gateway.Link, _ *pages.Confirmation) {
			l.Passphrase, l.Reveal = true, gateway.RevealBefore
		}),
		// Browsers get the form again, with a message.
		confirmation(string(gateway.OutcomeWrongPassphrase), wrongPassphrase(4)),
		confirmation(string(gateway.OutcomeWrongPassphrase)+"_last", wrongPassphrase(0)),
	}
}

// confirmation returns a state of the page with the button.
func confirmation(name string, c change) state {
	return state{name, func(locale *pages.Locale, now time.Time) ([]byte, error) {
		link, view := sampleLink(now), pages.Confirmation{Now: now}
		c(&link, &view)
		view.Page = samplePage(link)
		return locale.Confirmation(view)
	}}
}

// protect makes the passphrase reveal the file. As in the service, the page then gets no
// facts about the file.
func protect(l *gateway.Link, _ *pages.Confirmation) {
	*l = gateway.Link{
		ID: l.ID, ExpiresAt: l.ExpiresAt, CreatedBy: l.CreatedBy, Passphrase: true, Reveal: gateway.RevealAfter,
	}
}

// wrongPassphrase returns the change after a wrong passphrase, with some attempts left.
func wrongPassphrase(attempts int) change {
	return func(l *gateway.Link, v *pages.Confirmation) {
		protect(l, v)
		v.WrongPassphrase, v.AttemptsLeft = true, attempts
	}
}

// refusal returns a function that renders a refusal with all facts that the service can
// show for it.
func refusal(view pages.Refusal) func(*pages.Locale, time.Time) ([]byte, error) {
	return func(locale *pages.Locale, now time.Time) ([]byte, error) {
		shown := view
		shown.Now = now
		switch view.Outcome {
		case gateway.OutcomeNotFound, gateway.OutcomeMethodNotAllowed, gateway.OutcomeBadRequest:
			// The service has not found a link at this point.
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

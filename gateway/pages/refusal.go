package pages

import (
	"bytes"
	"html/template"
	"strings"
	"time"

	"keyhole/gateway"
)

// Refusal is the view of a page without a file.
type Refusal struct {
	Outcome gateway.Outcome
	// Prefetched says that a browser loaded the link before the user opened it. It is
	// valid only with gateway.OutcomeBadRequest.
	Prefetched bool
	// Downloaded says that this browser has used up the link. It is valid only with
	// gateway.OutcomeUsedUp.
	Downloaded bool
	// Facts are the facts about the link that the recipient may know; nil: none.
	Facts *gateway.Facts
	// Address is the client's address. Only the page of OutcomeAddressNotAllowed shows it.
	Address string
	// Retry is the time at which the client may try again, if the outcome is
	// OutcomeRateLimited; zero: unknown.
	Retry time.Time
	// Now is the time from which the page calculates distances. Facts and Retry need it.
	Now time.Time
}

// refusalKind selects the texts of a refusal: it is the beginning of their keys in the
// catalogues. Its value is the outcome, or one of the constants below.
type refusalKind string

// The kinds of refusals that are not outcomes.
const (
	kindPrefetched refusalKind = "prefetched"
	kindDownloaded refusalKind = "downloaded"
)

// kind returns the kind of a refusal.
func (v *Refusal) kind() refusalKind {
	switch {
	case v.Prefetched && v.Outcome == gateway.OutcomeBadRequest:
		return kindPrefetched
	case v.Downloaded && v.Outcome == gateway.OutcomeUsedUp:
		return kindDownloaded
	}
	return refusalKind(v.Outcome)
}

// Name returns the name of the page: the outcome, "prefetched" or "downloaded".
func (v *Refusal) Name() string { return string(v.kind()) }

// Refusals returns a view of every page without a file. The views have no facts.
func Refusals() []Refusal {
	var views []Refusal
	for _, outcome := range gateway.Outcomes() {
		switch outcome {
		case gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomePage:
		default:
			views = append(views, Refusal{Outcome: outcome})
		}
	}
	return append(views,
		Refusal{Outcome: gateway.OutcomeUsedUp, Downloaded: true},
		Refusal{Outcome: gateway.OutcomeBadRequest, Prefetched: true})
}

// refusalKinds returns every kind of refusal.
func refusalKinds() []refusalKind {
	views := Refusals()
	kinds := make([]refusalKind, len(views))
	for i := range views {
		kinds[i] = views[i].kind()
	}
	return kinds
}

// preparedRefusal is a refusal that was rendered in advance.
type preparedRefusal struct {
	body  []byte // the heading and the paragraphs
	whole []byte // the page without facts
}

// prepareRefusals renders every kind of refusal.
func (l *Locale) prepareRefusals(body *template.Template) error {
	for _, kind := range refusalKinds() {
		text := func(part string) string { return l.catalogue.text(string(kind) + "." + part) }
		var html bytes.Buffer
		values := struct{ Title, Text, Help string }{text("title"), text("text"), text("help")}
		if err := body.Execute(&html, values); err != nil {
			return err
		}
		l.refusals[kind] = preparedRefusal{
			body: html.Bytes(), whole: l.page(html.Bytes(), []byte(l.contact("contact_plain", ""))),
		}
	}
	return nil
}

// Refusal returns the page of a refusal, and whether the outcome has one. Pages of one kind
// without facts share their bytes, so callers must not change the bytes.
func (l *Locale) Refusal(view *Refusal) ([]byte, bool) {
	prepared, ok := l.refusals[view.kind()]
	if !ok {
		return nil, false
	}
	if view.Facts == nil && view.Retry.IsZero() && view.Address == "" {
		return prepared.whole, true
	}
	key, reference := "contact_plain", ""
	if view.Facts != nil {
		key, reference = "contact_reference", view.Facts.Reference
	}
	return l.page(prepared.body, []byte(l.facts(view)), []byte(l.contact(key, reference))), true
}

// facts returns the HTML of the facts that a refusal shows.
func (l *Locale) facts(view *Refusal) string {
	var rows strings.Builder
	row := func(label, value string) {
		rows.WriteString("<div><dt>" + template.HTMLEscapeString(l.catalogue.text(label)) + "</dt><dd>" + value +
			"</dd></div>\n")
	}
	times := func(label string, t time.Time) {
		if !t.IsZero() {
			row(label, l.catalogue.timeMarkup(t, view.Now))
		}
	}
	facts := view.Facts
	if facts == nil {
		facts = &gateway.Facts{}
	}
	switch view.Outcome {
	case gateway.OutcomeExpired:
		times("label_expired", facts.ExpiresAt)
	case gateway.OutcomeRevoked:
		times("label_revoked", facts.RevokedAt)
	case gateway.OutcomeNotYet:
		times("label_starts", facts.NotBefore)
	case gateway.OutcomeRateLimited:
		times("label_retry", view.Retry)
	case gateway.OutcomeAddressNotAllowed:
		if view.Address != "" {
			row("label_address", "<bdi>"+template.HTMLEscapeString(view.Address)+"</bdi>")
		}
	}
	if facts.Reference != "" {
		row("label_reference", referenceMarkup(facts.Reference))
	}
	if rows.Len() == 0 {
		return ""
	}
	return "<dl>\n" + rows.String() + "</dl>\n"
}

// referenceMarkup returns the HTML of a reference, which recipients read aloud.
func referenceMarkup(reference string) string {
	return `<bdi class="reference">` + template.HTMLEscapeString(reference) + "</bdi>"
}

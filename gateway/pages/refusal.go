package pages

import (
	"bytes"
	"html/template"
	"slices"
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
	if ok && !view.detailed() {
		return prepared.whole, true
	}
	return l.AppendRefusal(nil, view)
}

// detailed reports whether the view has more than its kind.
func (v *Refusal) detailed() bool { return v.Facts != nil || !v.Retry.IsZero() || v.Address != "" }

// AppendRefusal appends the page of a refusal to b, and reports whether there is one. An
// answer with facts then needs no memory of its own, also in a flood of requests.
func (l *Locale) AppendRefusal(b []byte, view *Refusal) ([]byte, bool) {
	prepared, ok := l.refusals[view.kind()]
	if !ok {
		return b, false
	}
	if !view.detailed() {
		return append(b, prepared.whole...), true
	}
	key, reference := "contact_plain", ""
	if view.Facts != nil {
		key, reference = "contact_reference", view.Facts.Reference
	}
	b = slices.Grow(b, len(prepared.whole)+maxDetails)
	b = append(append(b, l.head...), prepared.body...)
	b = l.appendFacts(b, view)
	b = append(b, l.contact(key, reference)...)
	return append(b, l.foot...), true
}

// maxDetails is a size in bytes that the facts of most pages do not exceed.
const maxDetails = 512

// appendFacts appends the HTML of the facts that a refusal shows.
func (l *Locale) appendFacts(b []byte, view *Refusal) []byte {
	facts := view.Facts
	if facts == nil {
		facts = &gateway.Facts{}
	}
	const begin = "<dl>\n"
	empty := len(b)
	b = append(b, begin...)
	switch view.Outcome {
	case gateway.OutcomeExpired:
		b = l.appendTimeRow(b, "label_expired", facts.ExpiresAt, view.Now)
	case gateway.OutcomeRevoked:
		b = l.appendTimeRow(b, "label_revoked", facts.RevokedAt, view.Now)
	case gateway.OutcomeNotYet:
		b = l.appendTimeRow(b, "label_starts", facts.NotBefore, view.Now)
	case gateway.OutcomeRateLimited:
		b = l.appendTimeRow(b, "label_retry", view.Retry, view.Now)
	case gateway.OutcomeAddressNotAllowed:
		if view.Address != "" {
			b = l.appendLabel(b, "label_address")
			b = append(b, "<bdi>"+template.HTMLEscapeString(view.Address)+"</bdi>"+endOfRow...)
		}
	}
	if facts.Reference != "" {
		b = l.appendLabel(b, "label_reference")
		b = append(b, referenceBegin...)
		b = append(b, template.HTMLEscapeString(facts.Reference)...)
		b = append(b, referenceEnd+endOfRow...)
	}
	if len(b) == empty+len(begin) {
		return b[:empty]
	}
	return append(b, "</dl>\n"...)
}

// endOfRow ends a row that appendLabel began.
const endOfRow = "</dd></div>\n"

// appendLabel begins a row of the list of facts.
func (l *Locale) appendLabel(b []byte, label string) []byte {
	b = append(b, "<div><dt>"...)
	b = append(b, l.catalogue.html[label]...)
	return append(b, "</dt><dd>"...)
}

// appendTimeRow appends the row of a time, and nothing for an unknown time.
func (l *Locale) appendTimeRow(b []byte, label string, t, now time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return append(l.catalogue.appendTime(l.appendLabel(b, label), t, now), endOfRow...)
}

// The HTML around a reference, which recipients read aloud.
const (
	referenceBegin = `<bdi class="reference">`
	referenceEnd   = "</bdi>"
)

// referenceMarkup returns the HTML of a reference.
func referenceMarkup(reference string) string {
	return referenceBegin + template.HTMLEscapeString(reference) + referenceEnd
}

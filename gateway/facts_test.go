package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// endedLink is a link whose facts the tests compare. Its other fields must not appear in facts.
func endedLink(id ID) Link {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return Link{
		ID: id, Ref: ObjectRef{"main", "reports", "secret.pdf"}, Note: "secret note", CreatedBy: "secret operator",
		Sender: "secret sender", Filename: "secret.pdf", Object: ObjectInfo{Size: 4711}, RevokeReason: "secret reason",
		RevokedBy: "secret operator", Language: "pl", NotBefore: at, ExpiresAt: at.Add(time.Hour),
		RevokedAt: at.Add(time.Minute),
	}
}

// TestFactsHoldNoSecrets names every field of Facts, so that a new one is a decision, and
// compares all values with those of the link.
func TestFactsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	link := endedLink(IDOf("a"))
	facts := FactsOf(&link)
	want := Facts{
		Reference: link.ID.String()[:8], Language: "pl",
		ExpiresAt: link.ExpiresAt, NotBefore: link.NotBefore, RevokedAt: link.RevokedAt,
	}
	if *facts != want {
		t.Errorf("got %+v, want %+v", *facts, want)
	}
	var fields []string
	for i := range reflect.TypeFor[Facts]().NumField() {
		fields = append(fields, reflect.TypeFor[Facts]().Field(i).Name)
	}
	if got := strings.Join(fields, " "); got != "Reference Language ExpiresAt NotBefore RevokedAt" {
		t.Errorf("the fields are %s", got)
	}
	if text := fmt.Sprintf("%+v", *facts); strings.Contains(text, "secret") || strings.Contains(text, "4711") {
		t.Errorf("the facts are %s", text)
	}
}

// TestFactsOfRefusals refuses clicks before they are admitted: the facts come from the
// admission, without a read, and only for a page.
func TestFactsOfRefusals(t *testing.T) {
	t.Parallel()
	for _, outcome := range []Outcome{
		OutcomeExpired, OutcomeRevoked, OutcomeUsedUp, OutcomePaused, OutcomeNotYet, OutcomeAddressNotAllowed,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			f := newFixture(t, nil)
			a := Attempt{ID: IDOf("a"), Method: method, Client: netip.MustParseAddr("192.0.2.9"), Page: true}
			link := endedLink(a.ID)
			f.clicks.admission = Admission{Outcome: outcome, Facts: FactsOf(&link)}
			answer, err := f.service.Click(t.Context(), a)
			if err != nil || answer.Outcome != outcome || answer.Facts == nil || *answer.Facts != *FactsOf(&link) {
				t.Errorf("%s %s: got %+v, %v", method, outcome, answer, err)
			}
			for range maxRefusals { // After the limit, rate_limited replaces the refusal.
				answer, _ = f.service.Click(t.Context(), a)
			}
			if answer.Outcome != OutcomeRateLimited || answer.Facts == nil || *answer.Facts != *FactsOf(&link) {
				t.Errorf("%s %s, repeated: got %+v", method, outcome, answer)
			}
			a.ID, a.Page = IDOf("b"), false
			if answer, _ := f.service.Click(t.Context(), a); answer.Outcome != outcome || answer.Facts != nil {
				t.Errorf("%s %s for a program: got %+v", method, outcome, answer)
			}
			f.clicks.admission.Facts, a.ID, a.Page = nil, IDOf("c"), true
			answer, _ = f.service.Click(t.Context(), a)
			if answer.Facts == nil || *answer.Facts != (Facts{Reference: a.ID.Reference()}) {
				t.Errorf("%s %s with an unreadable history: got %+v", method, outcome, answer)
			}
			if f.store.calls != 0 {
				t.Errorf("%s %s: %d reads", method, outcome, f.store.calls)
			}
		}
	}
}

// TestNoFacts answers clicks that must not show facts about a link.
func TestNoFacts(t *testing.T) {
	t.Parallel()
	f, confirming := confirmed(t)
	confirming.Page = true
	link := endedLink(confirming.ID)
	guess := Attempt{ID: IDOf("a"), Method: http.MethodGet, Client: netip.MustParseAddr("192.0.2.9"), Page: true}
	none := func(name string, f *fixture, a Attempt, want Outcome) {
		t.Helper()
		answer, _ := f.service.Click(t.Context(), a)
		if answer.Outcome != want || answer.Facts != nil || f.store.calls != 0 {
			t.Errorf("%s: got %+v, %d reads, want %s", name, answer, f.store.calls, want)
		}
	}
	none("spent", f, confirming, OutcomeRedirected)
	f.clicks.spent = Spent{Outcome: OutcomeNotFound}
	none("removed between two scripts", f, confirming, OutcomeNotFound)
	f.clicks.admission.Outcome = OutcomePage
	none("the page", f, Attempt{ID: confirming.ID, Method: http.MethodGet, Page: true}, OutcomePage)

	f = newFixture(t, nil)
	f.clicks.admission = admitted(Permission{})
	none("redirected", f, guess, OutcomeRedirected)
	f.clicks.err = ErrUnavailable
	none("Redis away", f, guess, OutcomeUnavailable)
	f.clicks.err = nil
	f.clicks.admission = Admission{Outcome: OutcomeNotFound, Facts: FactsOf(&link)}
	for range maxMisses {
		none("unknown", f, guess, OutcomeNotFound)
	}
	none("too many guesses", f, guess, OutcomeRateLimited)
}

// TestFactsAfterAdmission refuses clicks on a link that needs confirmation after they are
// admitted: the facts are those of the admission, without a read.
func TestFactsAfterAdmission(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*fixture, *Attempt)
		want   Outcome
	}{
		"no form": {func(_ *fixture, a *Attempt) { a.Form = nil }, OutcomeBadRequest},
		"wrong passphrase": {func(f *fixture, a *Attempt) {
			f.clicks.admission.Permission.Secrets.Passphrase, a.Form.Passphrase = "x", ""
		}, OutcomeWrongPassphrase},
		"no attempt left": {func(f *fixture, a *Attempt) {
			f.clicks.admission.Permission.Secrets.Passphrase, a.Form.Passphrase = "x", "guess"
			f.clicks.try = PassphraseAttempt{Wait: time.Minute}
		}, OutcomeRateLimited},
		"object gone": {func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.objects.err = PinETag, ErrObjectNotFound
		}, OutcomeObjectGone},
		"object archived": {func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"e"`
			f.objects.err = ErrObjectArchived
		}, OutcomeObjectArchived},
		"object changed": {func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"other"`
		}, OutcomeObjectChanged},
		"storage away": {func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.objects.err = PinETag, ErrUnavailable
		}, OutcomeUnavailable},
		"not spent":     {func(f *fixture, _ *Attempt) { f.clicks.spent = Spent{Outcome: OutcomeUsedUp} }, OutcomeUsedUp},
		"spend unknown": {func(f *fixture, _ *Attempt) { f.clicks.spendErr = ErrUnavailable }, OutcomeUnavailable},
		"resume, used up": {func(f *fixture, a *Attempt) {
			a.Method, a.Form, a.Grant, f.clicks.admission.UsedUp = http.MethodGet, nil, "forged", true
		}, OutcomeUsedUp},
		"resume, not recorded": {func(f *fixture, a *Attempt) {
			a.Method, a.Form, f.clicks.noteErr = http.MethodGet, nil, ErrUnavailable
			a.Grant = f.clicks.admission.Permission.Secrets.grant(a.ID, spentAt().Add(time.Minute))
		}, OutcomeUnavailable},
	} {
		for _, page := range []bool{true, false} {
			f, a := confirmed(t)
			link := endedLink(a.ID)
			link.Ref, link.MaxClicks = f.clicks.admission.Permission.Ref, 1
			f.clicks.admission.Link = &link
			test.change(f, &a)
			a.Page = page
			answer, _ := f.service.Click(t.Context(), a)
			if answer.Outcome != test.want || (answer.Facts != nil) != page || f.store.calls != 0 {
				t.Errorf("%s, page %v: got %+v, %d reads", name, page, answer, f.store.calls)
			}
			if page && *answer.Facts != *FactsOf(&link) {
				t.Errorf("%s: the facts are %+v", name, *answer.Facts)
			}
		}
	}
}

// TestFactsOfPlainLinks lets clicks on a plain link fail after their admission: one read
// for a page, none for a program. The outcome does not depend on the read.
func TestFactsOfPlainLinks(t *testing.T) {
	t.Parallel()
	gone := func(f *fixture) { f.objects.err = ErrObjectNotFound }
	for name, test := range map[string]struct {
		change func(*fixture)
		want   Outcome
		reads  int
		full   bool
	}{
		"object gone":    {gone, OutcomeObjectGone, 1, true},
		"object changed": {func(f *fixture) { f.objects.info.ETag = `"other"` }, OutcomeObjectChanged, 1, true},
		"storage away":   {func(f *fixture) { f.objects.err = ErrUnavailable }, OutcomeUnavailable, 1, true},
		"counted, but unreadable": {func(f *fixture) {
			f.clicks.err = errors.Join(ErrCounted, ErrUnavailable)
		}, OutcomeUnavailable, 1, true},
		"the read fails": {func(f *fixture) { gone(f); f.store.err = ErrUnavailable }, OutcomeObjectGone, 1, false},
		"forgotten":      {func(f *fixture) { gone(f); clear(f.store.links) }, OutcomeObjectGone, 1, false},
		"Redis does not answer the second check": {func(f *fixture) {
			slowStorage(f, recheckAfter)
			admitsAgain(f, Admission{}, ErrUnavailable)
		}, OutcomeUnavailable, 0, false},
	} {
		for _, page := range []bool{true, false} {
			f := newFixture(t, nil)
			a := Attempt{ID: IDOf("a"), Method: http.MethodGet, Client: netip.MustParseAddr("192.0.2.9"), Page: page}
			link := endedLink(a.ID)
			f.store.links[a.ID] = link
			f.clicks.admission = admitted(Permission{Pin: PinETag, ETag: `"e"`})
			test.change(f)
			answer, _ := f.service.Click(t.Context(), a)
			want := &Facts{Reference: a.ID.Reference()}
			if test.full {
				want = FactsOf(&link)
			}
			switch {
			case answer.Outcome != test.want:
				t.Errorf("%s: got %+v, want %s", name, answer, test.want)
			case !page && (answer.Facts != nil || f.store.calls != 0):
				t.Errorf("%s for a program: got %+v, %d reads", name, answer, f.store.calls)
			case page && (answer.Facts == nil || *answer.Facts != *want || f.store.calls != test.reads):
				t.Errorf("%s: got %+v, %d reads", name, answer.Facts, f.store.calls)
			}
		}
	}
}

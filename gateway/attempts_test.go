package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAttemptsLeft answers passphrases with the number of attempts that the store says are
// left. A form without a possible passphrase makes no attempt.
func TestAttemptsLeft(t *testing.T) {
	t.Parallel()
	kept, err := newHasher(1).make(t.Context(), "right")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		passphrase string
		attempt    PassphraseAttempt
		want       Outcome
		left       int
	}{
		"wrong":           {"wrong", PassphraseAttempt{Reserved: "try", Left: 3}, OutcomeWrongPassphrase, 3},
		"the last wrong":  {"wrong", PassphraseAttempt{Reserved: "try"}, OutcomeWrongPassphrase, 0},
		"none":            {"", PassphraseAttempt{Reserved: "try", Left: 3}, OutcomeWrongPassphrase, AttemptsUnknown},
		"too long":        {strings.Repeat("x", 257), PassphraseAttempt{}, OutcomeWrongPassphrase, AttemptsUnknown},
		"no attempt left": {"right", PassphraseAttempt{Wait: time.Minute}, OutcomeRateLimited, 0},
		"right":           {"right", PassphraseAttempt{Reserved: "try", Left: 3}, OutcomeRedirected, 0},
	} {
		f, a := confirmed(t)
		f.clicks.admission.Permission.Secrets.Passphrase, a.Form.Passphrase = kept, test.passphrase
		f.clicks.try = test.attempt
		answer, err := f.service.Click(t.Context(), a)
		if err != nil || answer.Outcome != test.want || answer.AttemptsLeft != test.left ||
			answer.Wait != test.attempt.Wait {
			t.Errorf("%s: got %+v, %v; want %s, %d left", name, answer, err, test.want, test.left)
		}
	}
}

// TestLimitedClicks says of which answers a page has spent a click of a limited link.
func TestLimitedClicks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*fixture, *Attempt)
		want   Outcome
		limit  bool
	}{
		"spent": {func(*fixture, *Attempt) {}, OutcomeRedirected, true},
		"spent before by the same page": {func(f *fixture, _ *Attempt) {
			f.clicks.spent.Outcome = OutcomeResumed
		}, OutcomeResumed, true},
		"a link without a limit": {func(f *fixture, _ *Attempt) {
			f.clicks.admission.Link.MaxClicks = 0
		}, OutcomeRedirected, false},
		"refused": {func(f *fixture, _ *Attempt) {
			f.clicks.spent = Spent{Outcome: OutcomeUsedUp}
		}, OutcomeUsedUp, false},
		"resumed with a grant": {func(f *fixture, a *Attempt) {
			a.Method, a.Form = http.MethodGet, nil
			a.Grant = f.clicks.admission.Permission.Secrets.grant(a.ID, spentAt().Add(time.Minute))
		}, OutcomeResumed, false},
	} {
		f, a := confirmed(t)
		test.change(f, &a)
		answer, err := f.service.Click(t.Context(), a)
		if err != nil || answer.Outcome != test.want || answer.Limited != test.limit {
			t.Errorf("%s: got %+v, %v", name, answer, err)
		}
	}
}

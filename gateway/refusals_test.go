package gateway

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRepeatedRefusals lets one address be refused a link over and over: so many are
// noted as the limit allows, whatever comes at the same time, and the rest is answered
// with rate_limited. Another address, another link and a link that works again are not
// concerned.
func TestRepeatedRefusals(t *testing.T) {
	t.Parallel()
	const clicks = 300
	f := newFixture(t, nil)
	f.clicks.admission = admitted(Permission{})
	f.clicks.admission.Outcome = OutcomeRevoked
	here, there := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("192.0.2.10")
	a := Attempt{ID: IDOf("a"), Method: http.MethodGet, Client: here}
	var clicking sync.WaitGroup
	var refused, limited atomic.Int64
	for range clicks {
		clicking.Go(func() {
			switch answer, _ := f.service.Click(t.Context(), a); {
			case answer.Outcome == OutcomeRevoked && !answer.Repeated:
				refused.Add(1)
			case answer.Outcome == OutcomeRateLimited && answer.Repeated && answer.Wait > 0:
				limited.Add(1)
			}
		})
	}
	clicking.Wait()
	f.service.Wait()
	if refused.Load() != maxRefusals || limited.Load() != clicks-maxRefusals || len(f.clicks.noted) != maxRefusals {
		t.Errorf("%d refused, %d limited, %d noted", refused.Load(), limited.Load(), len(f.clicks.noted))
	}
	for name, other := range map[string]Attempt{
		"another address": {ID: a.ID, Method: http.MethodGet, Client: there},
		"another link":    {ID: IDOf("b"), Method: http.MethodGet, Client: here},
	} {
		if answer, _ := f.service.Click(t.Context(), other); answer.Outcome != OutcomeRevoked {
			t.Errorf("%s: %s", name, answer.Outcome)
		}
	}
	f.clicks.admission.Outcome = OutcomeRedirected
	if answer, err := f.service.Click(t.Context(), a); answer.Outcome != OutcomeRedirected {
		t.Errorf("the link is valid, and was answered %s, %v", answer.Outcome, err)
	}
	f.now = f.now.Add(2 * time.Minute)
	f.clicks.admission.Outcome = OutcomeRevoked
	if answer, _ := f.service.Click(t.Context(), a); answer.Outcome != OutcomeRevoked {
		t.Errorf("two minutes later: %s", answer.Outcome)
	}
}

// TestRepeatedPages shows the page of a link, or asks for confirmation, more often
// than is noted: everybody is answered as before.
func TestRepeatedPages(t *testing.T) {
	t.Parallel()
	for _, outcome := range []Outcome{OutcomePage, OutcomeConfirmationRequired} {
		f, a := confirmed(t)
		f.clicks.admission.Outcome = outcome
		for range maxRefusals + 20 {
			answer, err := f.service.Click(t.Context(), Attempt{ID: a.ID, Method: http.MethodGet, Client: a.Client})
			if answer.Outcome != outcome || err != nil {
				t.Fatalf("%s: got %s, %v", outcome, answer.Outcome, err)
			}
		}
		f.service.Wait()
		if len(f.clicks.noted) != maxRefusals {
			t.Errorf("%s: %d noted", outcome, len(f.clicks.noted))
		}
	}
}

// TestRepeatedFailures lets a link whose object is gone fail over and over: as many are
// noted as refusals, and the rest is answered with rate_limited.
func TestRepeatedFailures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.admission = admitted(Permission{Pin: PinETag})
	f.objects.err = ErrObjectNotFound
	a := Attempt{ID: IDOf("a"), Method: http.MethodGet, Client: netip.MustParseAddr("192.0.2.9")}
	outcomes := map[Outcome]int{}
	for range maxRefusals + 10 {
		answer, _ := f.service.Click(t.Context(), a)
		outcomes[answer.Outcome]++
	}
	f.service.Wait()
	if outcomes[OutcomeObjectGone] != maxRefusals || outcomes[OutcomeRateLimited] != 10 ||
		len(f.clicks.noted) != maxRefusals {
		t.Errorf("answered %v, %d noted", outcomes, len(f.clicks.noted))
	}
}

// TestRefusalsAreCountedApart sends more HEADs and more confirmations than are recorded:
// a wrong passphrase after them is recorded all the same.
func TestRefusalsAreCountedApart(t *testing.T) {
	t.Parallel()
	f, a := confirmed(t)
	secret, err := f.service.secretsFor(t.Context(), new("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	f.clicks.admission.Permission.Secrets = secret
	f.clicks.admission.Link.Passphrase = true
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		f.clicks.admission.Outcome = OutcomeConfirmationRequired
		for range maxRefusals + 5 {
			_, _ = f.service.Click(t.Context(), Attempt{ID: a.ID, Method: method, Client: a.Client})
		}
		f.service.Wait()
		if want := map[string]int{http.MethodHead: 0, http.MethodGet: maxRefusals}[method]; len(f.clicks.noted) != want {
			t.Errorf("after %s: %d noted, want %d", method, len(f.clicks.noted), want)
		}
	}
	f.clicks.admission.Outcome, f.clicks.noted = "", nil
	a.Form = &Form{Confirm: true, Passphrase: "wrong", Nonce: secret.nonce(a.ID)}
	answer, _ := f.service.Click(t.Context(), a)
	f.service.Wait()
	if noted := strings.Join(f.clicks.noted, ","); answer.Outcome != OutcomeWrongPassphrase ||
		noted != "refused wrong_passphrase" {
		t.Errorf("a wrong passphrase: %s, noted %q", answer.Outcome, noted)
	}
}

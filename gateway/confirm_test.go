package gateway

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"keyhole/signer"
)

// spentAt is Redis' time in the tests of confirmation.
func spentAt() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// confirmed makes a fixture whose link needs confirmation, and what a POST of its
// page hands in.
func confirmed(t *testing.T) (*fixture, Attempt) {
	t.Helper()
	f := newFixture(t, nil)
	id := IDOf("confirmed")
	f.clicks.admission = admitted(Permission{})
	f.clicks.admission.Outcome, f.clicks.admission.Now = "", spentAt()
	f.clicks.admission.Link = &Link{ID: id, Ref: f.clicks.admission.Permission.Ref, MaxClicks: 1}
	f.clicks.admission.Permission.Secrets = drawSecrets()
	f.clicks.spent = Spent{Outcome: OutcomeRedirected, Now: spentAt(), GrantEnd: spentAt().Add(10 * time.Minute)}
	f.clicks.try = PassphraseAttempt{Reserved: "try"}
	return f, Attempt{
		ID: id, Method: http.MethodPost, Client: netip.MustParseAddr("192.0.2.9"),
		Form: &Form{Confirm: true, Nonce: f.clicks.admission.Permission.Secrets.nonce(id)},
	}
}

// In the last second of a grant no URL can be signed. The link is used up then, and has not
// expired.
func TestLastSecondOfAGrant(t *testing.T) {
	t.Parallel()
	for usedUp, want := range map[bool]Outcome{true: OutcomeUsedUp, false: OutcomeExpired} {
		f, post := confirmed(t)
		f.clicks.admission.UsedUp, f.signer.err = usedUp, signer.ErrLifetime
		secrets := &f.clicks.admission.Permission.Secrets
		get := Attempt{ID: post.ID, Method: http.MethodGet, Client: post.Client}
		get.Grant = secrets.grant(post.ID, spentAt().Add(500*time.Millisecond))
		for _, a := range []Attempt{get, post} {
			answer, err := f.service.Click(t.Context(), a)
			if answer.Outcome != want || !errors.Is(err, signer.ErrLifetime) {
				t.Errorf("used up: %v, %s: got %s, %v; want %s", usedUp, a.Method, answer.Outcome, err, want)
			}
		}
	}
}

func TestConfirmSpends(t *testing.T) {
	t.Parallel()
	f, a := confirmed(t)
	answer, err := f.service.Click(t.Context(), a)
	if err != nil || answer.Outcome != OutcomeRedirected || answer.Location != f.signer.url ||
		answer.GrantAge != 10*time.Minute {
		t.Fatalf("got %+v, %v", answer, err)
	}
	secrets := &f.clicks.admission.Permission.Secrets
	if len(f.clicks.nonces) != 1 || len(f.clicks.nonces[0]) != nonceLength ||
		f.clicks.nonces[0] != secrets.readNonce(a.ID, a.Form.Nonce) {
		t.Errorf("spent by the nonces %q", f.clicks.nonces)
	}
	if f.signer.requests[0].Method != http.MethodGet {
		t.Errorf("signed for %s: a 303 is followed by GET", f.signer.requests[0].Method)
	}
	end := spentAt().Add(10 * time.Minute)
	for now, want := range map[time.Time]bool{
		spentAt(): true, end.Add(-time.Millisecond): true, end: false, end.Add(time.Hour): false,
	} {
		if secrets.granted(a.ID, answer.Grant, now) != want {
			t.Errorf("at %v the grant is good: %v", now, !want)
		}
	}
}

// TestForgedSecrets hands in nonces and grants that were not made for the link.
func TestForgedSecrets(t *testing.T) {
	t.Parallel()
	s, other := drawSecrets(), drawSecrets()
	id := IDOf("a")
	nonce, grant := s.nonce(id), s.grant(id, spentAt())
	if s.readNonce(id, nonce) == "" || !s.granted(id, grant, spentAt().Add(-1)) {
		t.Fatal("what was made is not read")
	}
	for name, read := range map[string]string{
		"of another link": s.readNonce(IDOf("b"), nonce), "by another key": other.readNonce(id, nonce),
		"a grant": s.readNonce(id, grant), "nothing": s.readNonce(id, ""), "cut": s.readNonce(id, nonce[:len(nonce)-1]),
		"longer": s.readNonce(id, nonce+"A"), "padded": s.readNonce(id, nonce+"=="),
		"made up": s.readNonce(id, strings.Repeat("A", len(nonce))),
	} {
		if read != "" {
			t.Errorf("a nonce %s is taken", name)
		}
	}
	for i := range nonce {
		changed := []byte(nonce)
		changed[i] = 'A' + (changed[i]-'A'+1)%26
		if string(changed) != nonce && s.readNonce(id, string(changed)) != "" {
			t.Errorf("a nonce with another character at %d is taken", i)
		}
	}
	now := spentAt().Add(-1)
	if s.granted(IDOf("b"), grant, now) || other.granted(id, grant, now) || s.granted(id, nonce, now) ||
		s.granted(id, "", now) {
		t.Error("a grant that was made for something else is good")
	}
}

func TestConfirmRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  func(*fixture, *Attempt)
		want    Outcome
		noted   string
		noSpend bool
	}{
		{"no form", func(_ *fixture, a *Attempt) { a.Form = nil }, OutcomeBadRequest, "refused bad_request", true},
		{
			"not confirmed", func(_ *fixture, a *Attempt) { a.Form.Confirm = false }, OutcomeBadRequest, "refused bad_request",
			true,
		},
		{
			"used up, no nonce", func(f *fixture, a *Attempt) { f.clicks.admission.UsedUp, a.Form.Nonce = true, "" },
			OutcomeUsedUp, "refused used_up", true,
		},
		{
			"used up, forged nonce", func(f *fixture, a *Attempt) { f.clicks.admission.UsedUp, a.Form.Nonce = true, "x" },
			OutcomeUsedUp, "refused used_up", true,
		},
		{
			"used up, no form", func(f *fixture, a *Attempt) { f.clicks.admission.UsedUp, a.Form = true, nil }, OutcomeUsedUp,
			"refused used_up", true,
		},
		{"object gone", func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.objects.err = PinETag, ErrObjectNotFound
		}, OutcomeObjectGone, "refused object_gone", true},
		{"object archived", func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"e"`
			f.objects.err = ErrObjectArchived
		}, OutcomeObjectArchived, "refused object_archived", true},
		{"object whose key is denied", func(f *fixture, _ *Attempt) {
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag, f.objects.err = PinETag, `"e"`, ErrObjectKMS
		}, OutcomeUnavailable, "refused unavailable", true},
		{
			"no credential", func(f *fixture, _ *Attempt) { f.signer.err = signer.ErrCredentials }, OutcomeUnavailable,
			"refused unavailable", true,
		},
		{
			"the store says used up", func(f *fixture, _ *Attempt) { f.clicks.spent = Spent{Outcome: OutcomeUsedUp} },
			OutcomeUsedUp, "refused used_up", false,
		},
		{
			"the store is away", func(f *fixture, _ *Attempt) { f.clicks.spendErr = ErrUnavailable }, OutcomeUnavailable, "",
			false,
		},
		{
			"not confirmed by replicas", func(f *fixture, _ *Attempt) { f.clicks.spendErr = ErrNotConfirmed },
			OutcomeUnavailable, "", false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, a := confirmed(t)
			tt.change(f, &a)
			answer, _ := f.service.Click(t.Context(), a)
			f.service.Wait()
			if answer.Outcome != tt.want || answer.Location != "" || answer.Grant != "" {
				t.Errorf("got %+v, want %s", answer, tt.want)
			}
			if spends := len(f.clicks.nonces); (spends == 0) != tt.noSpend {
				t.Errorf("%d spends", spends)
			}
			if noted := strings.Join(f.clicks.noted, ","); noted != tt.noted {
				t.Errorf("noted %q, want %q", noted, tt.noted)
			}
		})
	}
}

func TestPassphrase(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	kept, err := h.make(t.Context(), "pä ss")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.make(t.Context(), "pä ss")
	if err != nil || again == kept {
		t.Errorf("two links with one passphrase keep the same, %v", err)
	}
	tests := []struct {
		name, passphrase string
		change           func(*fixture)
		want             Outcome
		tries, returned  int
		noted            string
	}{
		{"right", "pä ss", nil, OutcomeRedirected, 1, 1, ""},
		{"wrong", "pa ss", nil, OutcomeWrongPassphrase, 1, 0, "refused wrong_passphrase"},
		{"composed otherwise", "pa\u0308 ss", nil, OutcomeWrongPassphrase, 1, 0, "refused wrong_passphrase"},
		{"with a space", "pä ss ", nil, OutcomeWrongPassphrase, 1, 0, "refused wrong_passphrase"},
		{"none", "", nil, OutcomeWrongPassphrase, 0, 0, "refused wrong_passphrase"},
		{"too long", strings.Repeat("x", 257), nil, OutcomeWrongPassphrase, 0, 0, "refused wrong_passphrase"},
		{
			"no try left", "pä ss", func(f *fixture) { f.clicks.try = PassphraseAttempt{Wait: time.Minute} }, OutcomeRateLimited,
			1, 0, "refused rate_limited",
		},
		{
			"redis away", "pä ss", func(f *fixture) { f.clicks.tryErr = ErrUnavailable }, OutcomeUnavailable, 1, 0,
			"refused unavailable",
		},
		{"kept by a later version", "pä ss", func(f *fixture) {
			f.clicks.admission.Permission.Secrets.Passphrase = "\x02" + kept[1:]
		}, OutcomeUnavailable, 1, 1, "refused unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, a := confirmed(t)
			f.clicks.admission.Permission.Secrets.Passphrase = kept
			if tt.change != nil {
				tt.change(f)
			}
			a.Form.Passphrase = tt.passphrase
			answer, _ := f.service.Click(t.Context(), a)
			f.service.Wait()
			if answer.Outcome != tt.want || (answer.Page != nil) != (tt.want == OutcomeWrongPassphrase) ||
				answer.Wait != f.clicks.try.Wait {
				t.Errorf("got %+v, want %s", answer, tt.want)
			}
			if len(f.clicks.tried) != tt.tries || len(f.clicks.returned) != tt.returned {
				t.Errorf("%d tries, %d returned", len(f.clicks.tried), len(f.clicks.returned))
			}
			if noted := strings.Join(f.clicks.noted, ","); noted != tt.noted {
				t.Errorf("noted %q, want %q", noted, tt.noted)
			}
			if (len(f.clicks.nonces) == 1) != (tt.want == OutcomeRedirected) {
				t.Errorf("%d spends", len(f.clicks.nonces))
			}
		})
	}
}

// TestHashesAtOnce sees many passphrases hashed no more than a few at once, and
// those that wait too long refused.
func TestHashesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const parallel = 3
		h := newHasher(parallel)
		var hashed, refused atomic.Int32
		release := make(chan struct{})
		h.hash = func(_, _ []byte, time, memory uint32, threads uint8, length uint32) []byte {
			if time != 2 || memory != 19*1024 || threads != 1 {
				t.Errorf("hashed with t=%d, %d KiB, p=%d", time, memory, threads)
			}
			hashed.Add(1)
			<-release
			return make([]byte, length)
		}
		for range 64 {
			go func() {
				if _, err := h.make(t.Context(), "x"); errors.Is(err, errBusy) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := hashed.Load(); n != parallel {
			t.Errorf("%d are hashed at once, want %d", n, parallel)
		}
		time.Sleep(maxHashWait) // in the bubble
		synctest.Wait()
		if n := refused.Load(); n != 64-parallel {
			t.Errorf("%d were refused, want all that had no turn", n)
		}
		close(release)
	})
}

func TestResume(t *testing.T) {
	t.Parallel()
	grant := func(f *fixture, a Attempt, end time.Time) string {
		return f.clicks.admission.Permission.Secrets.grant(a.ID, end)
	}
	tests := []struct {
		name   string
		method string
		page   bool
		used   bool
		end    time.Duration // of the grant
		change func(*fixture)
		want   Outcome
		noted  string
	}{
		{"live", "GET", true, false, time.Minute, nil, OutcomeResumed, "redirected resumed"},
		{"live, used up", "GET", false, true, time.Minute, nil, OutcomeResumed, "redirected resumed"},
		{"live, HEAD", "HEAD", false, true, time.Minute, nil, OutcomeResumed, ""},
		{"ended", "GET", true, false, 0, nil, OutcomePage, "page page"},
		{"ended, no browser", "GET", false, false, 0, nil, OutcomeConfirmationRequired, "refused confirmation_required"},
		{"ended, HEAD", "HEAD", true, false, 0, nil, OutcomePage, ""},
		{"ended, used up", "GET", true, true, 0, nil, OutcomeUsedUp, "refused used_up"},
		{
			"not noted", "GET", true, false, time.Minute, func(f *fixture) { f.clicks.noteErr = ErrUnavailable },
			OutcomeUnavailable, "redirected resumed",
		},
		{"object changed", "GET", true, false, time.Minute, func(f *fixture) {
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"other"`
		}, OutcomeObjectChanged, "refused object_changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, a := confirmed(t)
			a.Method, a.Page, a.Form = tt.method, tt.page, nil
			a.Grant = grant(f, a, spentAt().Add(tt.end))
			f.clicks.admission.UsedUp = tt.used
			if tt.change != nil {
				tt.change(f)
			}
			answer, _ := f.service.Click(t.Context(), a)
			f.service.Wait()
			if answer.Outcome != tt.want || (answer.Location != "") != (tt.want == OutcomeResumed) ||
				(answer.Page != nil) != (tt.want == OutcomePage) {
				t.Errorf("got %+v, want %s", answer, tt.want)
			}
			if noted := strings.Join(f.clicks.noted, ","); noted != tt.noted {
				t.Errorf("noted %q, want %q", noted, tt.noted)
			}
			if len(f.clicks.nonces) != 0 {
				t.Error("a GET or HEAD has spent a click")
			}
		})
	}
}

func TestReadRestrictions(t *testing.T) {
	t.Parallel()
	r, problems := readRestrictions(&IssueRequest{
		Allow:     []string{"192.0.2.77/24", "192.0.2.1", "2001:db8::1", "::ffff:198.51.100.0/120", "192.0.2.1", "0.0.0.0/0"},
		NotBefore: new("2026-11-01T13:00:00.0001+01:00"), MaxClicks: new(int64(1_000_000)),
		Passphrase: new(strings.Repeat("p", 256)),
	})
	var allow []string
	for _, p := range r.allow {
		allow = append(allow, p.String())
	}
	want := []string{"192.0.2.0/24", "192.0.2.1/32", "2001:db8::1/128", "198.51.100.0/24", "0.0.0.0/0"}
	if len(problems) != 0 || !slices.Equal(allow, want) {
		t.Errorf("got %v, %v", allow, problems)
	}
	if start := time.Date(2026, 11, 1, 12, 0, 0, 1e6, time.UTC); !r.notBefore.Equal(start) {
		t.Errorf("it begins at %v, want %v", r.notBefore, start)
	}
}

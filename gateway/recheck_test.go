package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyhole/signer"
)

// slowStorage makes the storage answer after d, by the fixture's clock.
func slowStorage(f *fixture, d time.Duration) {
	f.objects.wait = func() { f.now = f.now.Add(d) }
}

// admitsAgain makes the store answer the second question about the link with a.
func admitsAgain(f *fixture, a Admission, err error) {
	f.clicks.wait = func() {
		if len(f.clicks.admitted) == 2 {
			f.clicks.admission, f.clicks.err = a, err
		}
	}
}

// A click that waited for the storage is checked again: the link may have been
// revoked meanwhile.
func TestClickIsCheckedAgainAfterASlowStorage(t *testing.T) {
	t.Parallel()
	valid := admitted(Permission{Pin: PinETag, ETag: `"e"`})
	tests := []struct {
		name   string
		method string
		slow   time.Duration
		again  Admission
		err    error
		want   Outcome
		asked  int
		noted  string
	}{
		{"quick", "GET", recheckAfter - 1, Admission{Outcome: OutcomeRevoked}, nil, OutcomeRedirected, 1, ""},
		{"just slow", "HEAD", recheckAfter, Admission{Outcome: OutcomeRevoked}, nil, OutcomeRevoked, 2, "failed revoked"},
		{"slow and still valid", "GET", 2 * time.Second, valid, nil, OutcomeRedirected, 2, ""},
		{
			"slow and revoked",
			"GET",
			2 * time.Second,
			Admission{Outcome: OutcomeRevoked},
			nil,
			OutcomeRevoked,
			2,
			"failed revoked",
		},
		{
			"slow and revoked, HEAD",
			"HEAD",
			2 * time.Second,
			Admission{Outcome: OutcomeRevoked},
			nil,
			OutcomeRevoked,
			2,
			"failed revoked",
		},
		{
			"slow and revoked, POST",
			"POST",
			2 * time.Second,
			Admission{Outcome: OutcomeRevoked},
			nil,
			OutcomeRevoked,
			2,
			"failed revoked",
		},
		{
			"slow and paused",
			"GET",
			2 * time.Second,
			Admission{Outcome: OutcomePaused},
			nil,
			OutcomePaused,
			2,
			"failed paused",
		},
		{
			"slow and Redis away",
			"GET",
			2 * time.Second,
			Admission{},
			ErrUnavailable,
			OutcomeUnavailable,
			2,
			"failed unavailable",
		},
		{"slow and undecided", "GET", 2 * time.Second, Admission{}, nil, OutcomeUnavailable, 2, "failed unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			f.clicks.admission = valid
			slowStorage(f, tt.slow)
			admitsAgain(f, tt.again, tt.err)
			answer, err := f.service.Click(t.Context(), Attempt{ID: IDOf("x"), Method: tt.method})
			f.service.Wait()
			if redirected := tt.want == OutcomeRedirected; answer.Outcome != tt.want || (err == nil) != redirected ||
				(answer.Location != "") != redirected {
				t.Errorf("got %+v, %v; want %s", answer, err, tt.want)
			}
			if tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("the cause is %v", err)
			}
			if len(f.clicks.admitted) != tt.asked {
				t.Fatalf("the store was asked %d times, want %d", len(f.clicks.admitted), tt.asked)
			}
			if tt.asked == 2 && f.clicks.admitted[1].Method != http.MethodHead {
				t.Errorf("the second question is a %s, which counts a second click", f.clicks.admitted[1].Method)
			}
			if noted := strings.Join(f.clicks.noted, ","); noted != tt.noted {
				t.Errorf("noted %q, want %q", noted, tt.noted)
			}
		})
	}
}

// What is signed after a slow storage lives no longer than the link does now.
func TestClickSignsAgainForWhatIsLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.admission = admitted(Permission{Pin: PinETag, ETag: `"e"`})
	slowStorage(f, 2*time.Second)
	admitsAgain(f, admitted(Permission{Pin: PinETag, ETag: `"e"`, Remaining: 5 * time.Second}), nil)
	if answer, err := f.service.Click(
		t.Context(),
		Attempt{Method: "GET"},
	); answer.Outcome != OutcomeRedirected ||
		err != nil {
		t.Fatalf("got %+v, %v", answer, err)
	}
	last := f.signer.requests[len(f.signer.requests)-1]
	if last.Within != 5*time.Second {
		t.Errorf("signed within %s, want the 5s that are left", last.Within)
	}
}

// A slow credential is a slow storage.
func TestClickIsCheckedAgainAfterASlowCredential(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.clicks.admission = admitted(Permission{})
	admitsAgain(f, Admission{Outcome: OutcomeRevoked}, nil)
	f.service.storage("main").Presigner = slowPresigner{f.signer, func() { f.now = f.now.Add(2 * time.Second) }}
	answer, err := f.service.Click(t.Context(), Attempt{Method: "GET"})
	f.service.Wait()
	if answer != (Answer{Outcome: OutcomeRevoked}) || err == nil {
		t.Errorf("got %+v, %v", answer, err)
	}
}

// A recipient who resumes is checked again too, and the grant with the link.
func TestResumeIsCheckedAgainAfterASlowStorage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		again func(*Admission)
		want  Outcome
		noted string
	}{
		{"still valid", func(*Admission) {}, OutcomeResumed, "redirected resumed"},
		{"revoked", func(a *Admission) { *a = Admission{Outcome: OutcomeRevoked} }, OutcomeRevoked, "refused revoked"},
		{
			"the grant has ended",
			func(a *Admission) { a.Now = a.Now.Add(time.Minute) },
			OutcomeConfirmationRequired,
			"refused confirmation_required",
		},
		{
			"used up and the grant has ended",
			func(a *Admission) { a.Now, a.UsedUp = a.Now.Add(time.Minute), true },
			OutcomeUsedUp,
			"refused used_up",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, a := confirmed(t)
			f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"e"`
			a.Method, a.Form = http.MethodGet, nil
			a.Grant = f.clicks.admission.Permission.Secrets.grant(a.ID, spentAt().Add(time.Second))
			again := f.clicks.admission
			tt.again(&again)
			slowStorage(f, 2*time.Second)
			admitsAgain(f, again, nil)
			answer, _ := f.service.Click(t.Context(), a)
			f.service.Wait()
			if answer.Outcome != tt.want || (answer.Location != "") != (tt.want == OutcomeResumed) {
				t.Errorf("got %+v, want %s", answer, tt.want)
			}
			if noted := strings.Join(f.clicks.noted, ","); noted != tt.noted {
				t.Errorf("noted %q, want %q", noted, tt.noted)
			}
		})
	}
}

// A confirmed click whose storage was slow is signed for the life that is left when the
// storage has answered, and whether a click is left is for the spending to say.
func TestConfirmIsSignedAgainAfterASlowStorage(t *testing.T) {
	t.Parallel()
	f, a := confirmed(t)
	f.clicks.admission.Permission.Pin, f.clicks.admission.Permission.ETag = PinETag, `"e"`
	again := f.clicks.admission
	again.Permission.Remaining = 5 * time.Second
	slowStorage(f, 2*time.Second)
	admitsAgain(f, again, nil)
	answer, err := f.service.Click(t.Context(), a)
	f.service.Wait()
	if answer.Location == "" || err != nil {
		t.Fatalf("got %+v, %v", answer, err)
	}
	last := f.signer.requests[len(f.signer.requests)-1]
	if last.Within != 5*time.Second || last.Method != http.MethodGet {
		t.Errorf("signed a %s within %s, want a GET within the 5s that are left", last.Method, last.Within)
	}
}

// slowPresigner waits before it signs.
type slowPresigner struct {
	*stubPresigner

	wait func()
}

func (p slowPresigner) Presign(ctx context.Context, r signer.Request) (signer.Signed, error) {
	p.wait()
	return p.stubPresigner.Presign(ctx, r)
}

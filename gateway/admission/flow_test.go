package admission

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// newFlowBench makes a sessionBench over a provider that signs in ann, with ID tokens of an
// hour.
func newFlowBench(t *testing.T) (*sessionBench, *stubFlow) {
	t.Helper()
	flow := &stubFlow{client: "issuer console", claims: "ann"}
	b := newSessionBench(t, flow)
	flow.ends = b.bench.now.Add(time.Hour)
	return b, flow
}

// begin begins a sign-in. It returns the secret of the browser and the answer of the
// provider.
func (b *sessionBench) begin(t *testing.T, start SignInStart) (string, Callback) {
	t.Helper()
	address, browser, err := b.BeginSignIn(t.Context(), start, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return browser, Callback{State: u.Query().Get("state"), Code: "canary-code", Issuer: "https://login.example"}
}

// finish ends a sign-in.
func (b *sessionBench) finish(t *testing.T, browser string, c Callback) *Session {
	t.Helper()
	session, _, err := b.FinishSignIn(t.Context(), browser, c, from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// A sign-in at the provider begins a session of the person, and returns to the page.
func TestSignInAtProvider(t *testing.T) {
	t.Parallel()
	b, flow := newFlowBench(t)
	browser, callback := b.begin(t, SignInStart{ReturnTo: "/console/links"})
	secrets := flow.secrets
	if secrets.State == secrets.Nonce || secrets.Nonce == secrets.Verifier || len(secrets.Verifier) != 43 {
		t.Errorf("the secrets are %+v", secrets)
	}
	session, returnTo, err := b.FinishSignIn(t.Context(), browser, callback, from("192.0.2.1"))
	if err != nil || returnTo != "/console/links" || !session.ByProvider || session.Actor.Name != "oidc:ann" ||
		session.Actor.Address != "recorded" || session.ID == browser {
		t.Fatalf("got %+v, %q, %v", session, returnTo, err)
	}
	if !slices.Equal(flow.asked, []string{"canary-code https://login.example"}) {
		t.Errorf("exchanged %q", flow.asked)
	}
	if got, err := b.Resume(t.Context(), session.ID, from("192.0.2.1"), true); err != nil || got.Actor.Grant != "staff" {
		t.Errorf("resumed: %+v, %v", got, err)
	}
	for _, text := range []string{"canary", browser, secrets.State, secrets.Nonce, secrets.Verifier, session.ID} {
		if strings.Contains(b.bench.log.String(), text) {
			t.Errorf("the log has %q", text)
		}
	}
}

// A sign-in is finished once, by the browser that began it, with its state.
func TestForgedCallbacks(t *testing.T) {
	t.Parallel()
	b, flow := newFlowBench(t)
	other, _ := b.begin(t, SignInStart{})
	for name, change := range map[string]func(browser *string, c *Callback){
		"another state":   func(_ *string, c *Callback) { c.State = newSecret().String() },
		"no state":        func(_ *string, c *Callback) { c.State = "" },
		"another browser": func(browser *string, _ *Callback) { *browser = other },
		"no browser":      func(browser *string, _ *Callback) { *browser = "" },
		"unknown browser": func(browser *string, _ *Callback) { *browser = newSecret().String() },
		"a session's ID":  func(browser *string, _ *Callback) { *browser = b.signIn(t).ID },
	} {
		browser, callback := b.begin(t, SignInStart{ReturnTo: "/console/links"})
		change(&browser, &callback)
		session, _, err := b.FinishSignIn(t.Context(), browser, callback, from("192.0.2.1"))
		if session != nil || codeOf(err) != gateway.CodeUnauthorized {
			t.Errorf("%s: got %v, %v", name, session, err)
		}
	}
	if len(flow.asked) != 0 {
		t.Errorf("a code was exchanged: %q", flow.asked)
	}
	browser, callback := b.begin(t, SignInStart{})
	b.finish(t, browser, callback)
	_, _, err := b.FinishSignIn(t.Context(), browser, callback, from("192.0.2.1"))
	if codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("used again: %v", err)
	}
	if n := len(b.failed); n != 7 || b.failed[0] != gateway.SignInByOIDC {
		t.Errorf("counted %q", b.failed)
	}
	// A wrong state uses the sign-in up, so that nobody can try several.
	browser, callback = b.begin(t, SignInStart{})
	wrong := callback
	wrong.State = "x"
	for _, c := range []Callback{wrong, callback} {
		_, _, err := b.FinishSignIn(t.Context(), browser, c, from("192.0.2.1"))
		if codeOf(err) != gateway.CodeUnauthorized {
			t.Errorf("after a wrong state: %v", err)
		}
	}
}

// What the provider refuses has a fixed text for the operator. The page to return to is
// known, and a provider that does not answer is no failure.
func TestRefusedSignIns(t *testing.T) {
	t.Parallel()
	refused := &gateway.TokenError{Reason: gateway.TokenAudience, Err: errors.New("canary")}
	away := fmt.Errorf("%w: canary", gateway.ErrUnavailable)
	for name, tt := range map[string]struct {
		prepare func(*stubFlow, *Callback)
		code    gateway.Code
		detail  string
		counted int
	}{
		"access denied": {
			func(_ *stubFlow, c *Callback) { c.Error = "access_denied" }, gateway.CodeUnauthorized, "access was denied", 1,
		},
		"HTML": {
			func(_ *stubFlow, c *Callback) { c.Error = "<script>" }, gateway.CodeUnauthorized, "reported an error", 1,
		},
		"overloaded": {
			func(_ *stubFlow, c *Callback) { c.Error = "temporarily_unavailable" }, gateway.CodeUnavailable,
			"unreachable", 0,
		},
		"another client": {
			func(f *stubFlow, _ *Callback) { f.client = "issuer other" }, gateway.CodeUnauthorized, "has changed", 1,
		},
		"another audience": {
			func(f *stubFlow, _ *Callback) { f.err = refused }, gateway.CodeUnauthorized, "another audience", 1,
		},
		"no token": {
			func(f *stubFlow, _ *Callback) { f.err = errors.New("canary") }, gateway.CodeUnauthorized, "did not confirm", 1,
		},
		"nobody": {
			func(f *stubFlow, _ *Callback) { f.refused = refused }, gateway.CodeUnauthorized, "another audience", 1,
		},
		"away":      {func(f *stubFlow, _ *Callback) { f.err = away }, gateway.CodeUnavailable, "unreachable", 0},
		"confirmed": {func(*stubFlow, *Callback) {}, "", "", 0},
	} {
		b, flow := newFlowBench(t)
		browser, callback := b.begin(t, SignInStart{ReturnTo: "/console/links"})
		tt.prepare(flow, &callback)
		session, returnTo, err := b.FinishSignIn(t.Context(), browser, callback, from("192.0.2.1"))
		if codeOf(err) != tt.code || (session == nil) != (err != nil) || returnTo != "/console/links" ||
			len(b.failed) != tt.counted {
			t.Errorf("%s: got %v, %q, %v, counted %q", name, session, returnTo, err, b.failed)
		}
		var known *gateway.Error
		if errors.As(err, &known) && (!strings.Contains(known.Message, tt.detail) ||
			strings.ContainsAny(known.Message, "<>") || strings.Contains(known.Message, "canary")) {
			t.Errorf("%s: the message is %q", name, known.Message)
		}
	}
}

// After the end of the ID token the session waits for the provider. The renewed session has
// a new ID, and keeps the time of the sign-in and its secrets. The old ID has ended.
func TestRenewal(t *testing.T) {
	t.Parallel()
	b, flow := newFlowBench(t)
	browser, callback := b.begin(t, SignInStart{})
	first := b.finish(t, browser, callback)
	step := func(d time.Duration) {
		for b.bench.now = b.bench.now.Add(d); d > 0; d -= time.Minute {
			b.store.active[gateway.SessionHash(hashOf(t, first.ID))] = b.bench.now
		}
	}
	step(time.Hour)
	expired, err := b.Resume(t.Context(), first.ID, from("192.0.2.1"), true)
	if !errors.Is(err, ErrTokenExpired) || expired == nil || expired.Actor.Name != "oidc:ann" {
		t.Fatalf("after the token: %+v, %v", expired, err)
	}
	flow.ends = b.bench.now.Add(time.Hour)
	browser, callback = b.begin(t, SignInStart{ReturnTo: "/console/share", Renews: expired})
	renewed := b.finish(t, browser, callback)
	if renewed.ID == first.ID || !renewed.StartedAt.Equal(first.StartedAt) ||
		!bytes.Equal(renewed.Secret("form"), first.Secret("form")) {
		t.Errorf("renewed: %+v", renewed)
	}
	if !b.ended(t, first.ID) || b.ended(t, renewed.ID) {
		t.Error("the old session lives, or the new one does not")
	}
	// Somebody else signs in: nothing of the session is kept.
	flow.claims = "bob"
	browser, callback = b.begin(t, SignInStart{Renews: renewed})
	if other := b.finish(t, browser, callback); bytes.Equal(other.Secret("form"), renewed.Secret("form")) ||
		!other.StartedAt.Equal(b.bench.now) {
		t.Errorf("somebody else: %+v", other)
	}
	// The session has reached its longest life meanwhile: this is a new sign-in.
	flow.claims = "ann"
	browser, callback = b.begin(t, SignInStart{Renews: renewed})
	b.bench.now = first.StartedAt.Add(12 * time.Hour)
	if late := b.finish(t, browser, callback); !late.StartedAt.Equal(b.bench.now) {
		t.Errorf("too late: %+v", late)
	}
}

// A session ends when the configuration in force does not accept its claims any more.
func TestProviderReplaced(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sessionBench, *stubFlow){
		"removed": func(b *sessionBench, _ *stubFlow) { b.SetProvider(nil) },
		"refuses": func(_ *sessionBench, f *stubFlow) {
			f.refused = &gateway.TokenError{Reason: gateway.TokenIssuer, Err: errors.New("other")}
		},
	} {
		b, flow := newFlowBench(t)
		browser, callback := b.begin(t, SignInStart{})
		id := b.finish(t, browser, callback).ID
		change(b, flow)
		if !b.ended(t, id) {
			t.Errorf("%s: admitted", name)
		}
		flow.refused = nil
		b.SetProvider(flow)
		if !b.ended(t, id) {
			t.Errorf("%s: the session came back", name)
		}
	}
	b := newSessionBench(t, nil)
	if _, _, err := b.BeginSignIn(t.Context(), SignInStart{}, from("192.0.2.1")); codeOf(err) != gateway.CodeNotFound ||
		b.HasProvider() {
		t.Errorf("without a provider: %v", err)
	}
}

// One address cannot fill the store with sign-ins that it never finishes.
func TestBegunSignInsAreLimited(t *testing.T) {
	t.Parallel()
	b, flow := newFlowBench(t)
	for range maxBegun {
		b.begin(t, SignInStart{})
	}
	_, _, err := b.BeginSignIn(t.Context(), SignInStart{}, from("192.0.2.1"))
	if codeOf(err) != gateway.CodeRateLimited || len(b.store.signIns) != maxBegun {
		t.Errorf("got %v with %d sign-ins", err, len(b.store.signIns))
	}
	if _, _, err := b.BeginSignIn(t.Context(), SignInStart{}, from("192.0.2.2")); err != nil {
		t.Errorf("another address: %v", err)
	}
	flow.err = gateway.ErrUnavailable
	if _, _, err := b.BeginSignIn(t.Context(), SignInStart{}, from("192.0.2.3")); codeOf(err) != gateway.CodeUnavailable {
		t.Errorf("the provider is away: %v", err)
	}
	flow.err, b.store.err = nil, gateway.ErrUnavailable
	if _, _, err := b.BeginSignIn(t.Context(), SignInStart{}, from("192.0.2.3")); codeOf(err) != gateway.CodeUnavailable {
		t.Errorf("the store is away: %v", err)
	}
}

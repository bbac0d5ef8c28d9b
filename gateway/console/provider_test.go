package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// stubFlow is an identity provider that signs everybody in who has the code.
type stubFlow struct {
	mu   sync.Mutex
	ends time.Time // of every ID token
	err  error     // of Exchange
	name string    // of the operator
}

// Client implements admission.Flow.
func (f *stubFlow) Client() string { return "console" }

// AuthorizationURL implements admission.Flow.
func (f *stubFlow) AuthorizationURL(_ context.Context, s gateway.SignInSecrets) (string, error) {
	return "https://login.example/authorize?state=" + s.State, nil
}

// Exchange implements admission.Flow.
func (f *stubFlow) Exchange(_ context.Context, code, _ string, _ gateway.SignInSecrets) ([]byte, error) {
	if code != "code-canary" {
		return nil, &gateway.TokenError{Reason: gateway.TokenMalformed, Err: context.Canceled}
	}
	return []byte(`{"sub":"olivia"}`), f.err
}

// Holder implements admission.Flow.
func (f *stubFlow) Holder([]byte) (*gateway.Actor, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &gateway.Actor{Name: f.name, Can: everyRight(), Objects: []gateway.Pattern{"*"}}, f.ends, nil
}

// expire ends all ID tokens that there are, or lets new ones last.
func (f *stubFlow) expire(expired bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = time.Now().Add(time.Hour)
	if expired {
		f.ends = time.Now().Add(-time.Second)
	}
}

// newProviderBench starts a bench whose operators can sign in at a provider.
func newProviderBench(t *testing.T) (*bench, *stubFlow) {
	t.Helper()
	b := newBench(t, nil)
	flow := &stubFlow{name: "olivia@example.com", ends: time.Now().Add(time.Hour)}
	b.sessions.SetProvider(flow)
	return b, flow
}

// begin begins a sign-in at the provider and returns the state that the provider gets.
func (c *client) begin(path string) (state string) {
	c.t.Helper()
	a := c.get(path)
	state, found := strings.CutPrefix(a.header.Get("Location"), "https://login.example/authorize?state=")
	if a.status != http.StatusSeeOther || !found {
		c.t.Fatalf("%s: %d to %q", path, a.status, a.header.Get("Location"))
	}
	return state
}

// callback is the path to which the provider sends a browser.
func callback(state, code string) string {
	return "/console/oidc/callback?" + url.Values{"state": {state}, "code": {code}}.Encode()
}

// An operator signs in at the provider and returns to the page.
func TestProviderSignIn(t *testing.T) {
	t.Parallel()
	b, _ := newProviderBench(t)
	c := b.visitor(t)
	a := c.get("/console/sign-in?return=%2Fconsole%2Flinks%3Fstate%3Dpaused")
	begin := a.link("Sign in with your organisation’s account")
	if begin != "/console/oidc/sign-in?return=%2Fconsole%2Flinks%3Fstate%3Dpaused" {
		t.Fatalf("the second button leads to %q", begin)
	}
	a = c.get(begin)
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{
		"keyhole_sign_in=", "Path=/console/oidc/callback", "HttpOnly", "SameSite=Lax",
		"Max-Age=600",
	} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	state := c.begin(begin)
	a = c.get(callback(state, "code-canary"))
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/console/links?state=paused" {
		t.Fatalf("the callback: %d to %q: %s", a.status, a.header.Get("Location"), a.shown())
	}
	a = c.get("/console/objects")
	if a.status != http.StatusOK || !strings.Contains(words(a.page), "olivia@example.com") {
		t.Errorf("signed in: %d %s", a.status, words(a.page))
	}
	if events := b.audit(t); len(events) != 1 || events[0].Actor != "olivia@example.com" ||
		events[0].Kind != gateway.EventSignedIn {
		t.Errorf("the events: %+v", events)
	}
	// A callback is used once.
	if a = c.get(callback(state, "code-canary")); a.status < 400 {
		t.Errorf("the callback again: %d", a.status)
	}
	if log := b.log.String(); strings.Contains(log, "canary") || strings.Contains(log, state) {
		t.Errorf("the log has a secret of the sign-in: %s", log)
	}
}

// A sign-in at the provider that is not right begins no session, and the page says why
// without the words of the address.
func TestProviderSignInRefused(t *testing.T) {
	t.Parallel()
	b, flow := newProviderBench(t)
	for _, test := range []struct {
		name   string
		path   func(state string) string
		begun  bool
		status int
		want   string
	}{
		{
			"another browser", func(s string) string { return callback(s, "code-canary") }, false, 400,
			"has not begun a sign-in",
		},
		{
			"another state", func(string) string { return callback("forged", "code-canary") }, true, 401,
			"begun in another browser",
		},
		{
			"no state", func(string) string { return "/console/oidc/callback?code=code-canary" }, true, 401,
			"begun in another browser",
		},
		{"another code", func(s string) string { return callback(s, "wrong") }, true, 401, "sign in again"},
		{
			"denied", func(s string) string {
				return callback(s,
					"") + "&error=access_denied&error_description=hostile"
			},
			true, 401, "access was denied",
		},
		{
			"an error", func(s string) string { return callback(s, "") + "&error=hostile" }, true, 401,
			"reported an error",
		},
		{
			"out of order", func(s string) string { return callback(s, "") + "&error=server_error" }, true, 503,
			"unreachable",
		},
	} {
		c := b.visitor(t)
		state := "none"
		if test.begun {
			state = c.begin("/console/oidc/sign-in")
		}
		a := c.get(test.path(state))
		if a.status != test.status || !strings.Contains(a.shown(), test.want) ||
			strings.Contains(a.shown(), "hostile") {
			t.Errorf("%s: %d %s", test.name, a.status, a.shown())
		}
		if strings.Contains(a.shown(), "Your session has ended") || c.session() != "" {
			t.Errorf("%s: a session: %s", test.name, a.shown())
		}
	}
	flow.err = gateway.ErrUnavailable
	c := b.visitor(t)
	if a := c.get(callback(c.begin("/console/oidc/sign-in"),
		"code-canary")); a.status != http.StatusServiceUnavailable {
		t.Errorf("the provider is away: %d", a.status)
	}
}

// When the ID token has expired, the next page renews it at the provider, and a form keeps
// its input.
func TestProviderRenewal(t *testing.T) {
	t.Parallel()
	b, flow := newProviderBench(t)
	c := b.visitor(t)
	c.get(callback(c.begin("/console/oidc/sign-in"), "code-canary"))
	form := c.get(sharePath)
	values := form.fields(t, "/console/share")
	first := c.post("/console/share", values)
	flow.expire(true)
	a := c.post("/console/share", with(values, "note", "Typed"))
	repeated := a.fields(t, "/console/share")
	if a.status != http.StatusUnauthorized || repeated.Get("note") != "Typed" {
		t.Errorf("a form with an expired token: %d %v", a.status, repeated)
	}
	a = c.get("/console/links?state=paused")
	if want := "/console/oidc/sign-in?return=%2Fconsole%2Flinks%3Fstate%3Dpaused"; a.status != http.StatusSeeOther ||
		a.header.Get("Location") != want {
		t.Fatalf("a page with an expired token: %d to %q", a.status, a.header.Get("Location"))
	}
	state := c.begin(a.header.Get("Location"))
	flow.expire(false)
	if a = c.get(callback(state, "code-canary")); a.header.Get("Location") != "/console/links?state=paused" {
		t.Errorf("the renewal: %d to %q", a.status, a.header.Get("Location"))
	}
	// The renewed session has the same secrets: the same form shows the same link.
	second := c.post("/console/share", values)
	one, two := attribute(first.byID("link-url"), "value"), attribute(second.byID("link-url"), "value")
	if one == "" || one != two || len(b.links(t)) != 1 {
		t.Errorf("the same form after the renewal: %q and %q", one, two)
	}
	// Without a provider, its sessions have ended.
	b.sessions.SetProvider(nil)
	if a = c.get("/console/objects"); a.status != http.StatusSeeOther ||
		!strings.HasPrefix(a.header.Get("Location"), "/console/sign-in?") {
		t.Errorf("without a provider: %d to %q", a.status, a.header.Get("Location"))
	}
}

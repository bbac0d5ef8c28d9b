package identity

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/identity/issuertest"
)

// callback is the URL to which the issuer of the tests sends codes.
const callback = "https://keyhole.example/console/oidc/callback"

// signInFixture is a fixture whose issuer signs people in.
type signInFixture struct {
	*fixture

	flow    *Flow
	secrets gateway.SignInSecrets
	signIn  issuertest.SignIn
}

// newSignInFixture starts an issuer that knows the client console.
func newSignInFixture(t *testing.T) *signInFixture {
	t.Helper()
	f := &signInFixture{fixture: newFixture(t)}
	f.signIn = issuertest.SignIn{
		Client: issuertest.Client{ID: "console", Secret: "a secret: with+signs", RedirectURL: callback}, Now: f.clock.now,
	}
	f.set(func(*issuertest.SignIn) {})
	f.flow = f.provider.Flow(Client{
		ID: "console", Secret: f.signIn.Client.Secret, RedirectURL: func() string { return callback },
	})
	f.secrets = gateway.SignInSecrets{State: "the-state", Nonce: "the-nonce", Verifier: strings.Repeat("v", 43)}
	return f
}

// set changes how the issuer signs in from now on.
func (f *signInFixture) set(change func(*issuertest.SignIn)) {
	s := f.signIn
	change(&s)
	f.issuer.SignIn.Store(&s)
}

// begin goes to the issuer as a browser does, and returns the parameters of the callback.
func (f *signInFixture) begin(t *testing.T) url.Values {
	t.Helper()
	address, err := f.flow.AuthorizationURL(t.Context(), f.secrets)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil || !strings.HasPrefix(location.String(), callback+"?") {
		t.Fatalf("status %d, location %v, %v", response.StatusCode, location, err)
	}
	return location.Query()
}

// The flow ends with the claims of the person who signed in. The request has PKCE, a state,
// a nonce and only scopes that the issuer knows.
func TestFlow(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	address, err := f.flow.AuthorizationURL(t.Context(), f.secrets)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"client_id": "console", "redirect_uri": callback, "response_type": "code", "scope": "openid email groups",
		"state": "the-state", "nonce": "the-nonce", "code_challenge_method": "S256",
	} {
		if got := sent.Query()[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(address, f.secrets.Verifier) || strings.Contains(address, "secret") {
		t.Errorf("the URL has a secret: %s", address)
	}
	answer := f.begin(t)
	claims, err := f.flow.Exchange(t.Context(), answer.Get("code"), answer.Get("iss"), f.secrets)
	if err != nil || answer.Get("state") != "the-state" || strings.Contains(string(claims), "canary") {
		t.Fatalf("got %s, %v", claims, err)
	}
	actor, ends, err := f.flow.Holder(claims)
	if err != nil || actor.Name != "oidc:alice" || actor.Grant != "sharers" || !actor.Token ||
		!ends.Equal(f.clock.now().Add(time.Hour)) {
		t.Errorf("got %+v until %v, %v", actor, ends, err)
	}
	// A code is redeemed once.
	if _, err := f.flow.Exchange(t.Context(), answer.Get("code"), "", f.secrets); !errors.Is(err, errCode) {
		t.Errorf("the code again: %v", err)
	}
}

// Only the party that began a sign-in redeems its code: the issuer compares the verifier
// with the challenge.
func TestOtherVerifier(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	code := f.begin(t).Get("code")
	other := f.secrets
	other.Verifier = strings.Repeat("w", 43)
	if _, err := f.flow.Exchange(t.Context(), code, "", other); !errors.Is(err, errCode) {
		t.Errorf("got %v", err)
	}
}

// An ID token for another sign-in, client, issuer or time admits nobody.
func TestRefusedIDTokens(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	now := f.clock.now()
	over := func(claims map[string]any) func(*issuertest.SignIn) {
		return func(s *issuertest.SignIn) { s.Over = claims }
	}
	several := []string{"console", "keyhole"}
	for name, tt := range map[string]struct {
		change func(*issuertest.SignIn)
		want   gateway.TokenReason
	}{
		"right":               {over(nil), ""},
		"another nonce":       {over(map[string]any{"nonce": "other"}), gateway.TokenMalformed},
		"no nonce":            {over(map[string]any{"nonce": nil}), gateway.TokenMalformed},
		"another client":      {over(map[string]any{"aud": "other"}), gateway.TokenAudience},
		"the API's audience":  {over(map[string]any{"aud": issuertest.Audience}), gateway.TokenAudience},
		"another party":       {over(map[string]any{"azp": "other"}), gateway.TokenClient},
		"a party as a number": {over(map[string]any{"azp": 7}), gateway.TokenClient},
		"this party":          {over(map[string]any{"azp": "console", "aud": several}), ""},
		"several, no party":   {over(map[string]any{"aud": several}), gateway.TokenClient},
		"expired":             {over(map[string]any{"exp": now.Add(-time.Second).Unix()}), gateway.TokenExpired},
		"no end":              {over(map[string]any{"exp": nil}), gateway.TokenMalformed},
		"no issue":            {over(map[string]any{"iat": nil}), gateway.TokenMalformed},
		"issued later":        {over(map[string]any{"iat": now.Add(6 * time.Minute).Unix()}), gateway.TokenMalformed},
		"a fast clock":        {over(map[string]any{"iat": now.Add(4 * time.Minute).Unix()}), ""},
		"another issuer":      {over(map[string]any{"iss": "https://evil.example"}), gateway.TokenIssuer},
		"of nobody":           {over(map[string]any{"sub": nil}), gateway.TokenNoName},
		"too large":           {over(map[string]any{"x": strings.Repeat("x", maxClaims)}), gateway.TokenMalformed},
		"an access token":     {func(s *issuertest.SignIn) { s.Kind = "at+jwt" }, gateway.TokenKind},
		"with its type":       {func(s *issuertest.SignIn) { s.Kind = "JWT" }, ""},
		"no ID token": {
			func(s *issuertest.SignIn) {
				s.Status, s.Answer = 200, `{"access_token":"canary","token_type":"Bearer"}`
			},
			gateway.TokenMalformed,
		},
		"not signed": {
			func(s *issuertest.SignIn) {
				part := base64.RawURLEncoding.EncodeToString
				token := part([]byte(`{"alg":"none"}`)) + "." + part([]byte(`{"iss":"`+f.issuer.URL+`"}`)) + "."
				s.Status, s.Answer = 200, `{"access_token":"x","token_type":"Bearer","id_token":"`+token+`"}`
			},
			gateway.TokenMalformed,
		},
	} {
		f.set(tt.change)
		claims, err := f.flow.Exchange(t.Context(), f.begin(t).Get("code"), "", f.secrets)
		if err == nil {
			_, _, err = f.flow.Holder(claims)
		}
		if got := reasonOf(err); got != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// A callback of another issuer does not bring its code to this one (RFC 9207).
func TestIssuerOfCallback(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	for name, tt := range map[string]struct {
		sends bool
		of    func(url.Values) string
		want  gateway.TokenReason
	}{
		"stated":              {true, func(v url.Values) string { return v.Get("iss") }, ""},
		"missing":             {true, func(url.Values) string { return "" }, gateway.TokenIssuer},
		"another":             {true, func(url.Values) string { return "https://evil.example" }, gateway.TokenIssuer},
		"not stated":          {false, func(url.Values) string { return "" }, ""},
		"another, unexpected": {false, func(url.Values) string { return "https://evil.example" }, gateway.TokenIssuer},
	} {
		f.set(func(s *issuertest.SignIn) { s.SendsIssuer = tt.sends })
		f.clock.advance(keyLifetime) // The discovery document is read again.
		answer := f.begin(t)
		_, err := f.flow.Exchange(t.Context(), answer.Get("code"), tt.of(answer), f.secrets)
		if got := reasonOf(err); got != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// A provider that does not answer, does not know the client or has no endpoints is no
// refusal of the operator. No error repeats an answer.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	for name, change := range map[string]func(*issuertest.SignIn){
		"another secret": func(s *issuertest.SignIn) { s.Client.Secret = "other" },
		"an error":       func(s *issuertest.SignIn) { s.Status, s.Answer = 500, "canary" },
		"no JSON":        func(s *issuertest.SignIn) { s.Status, s.Answer = 200, "canary" },
		"a redirect":     func(s *issuertest.SignIn) { s.Status, s.Answer = 307, "canary" },
		"unknown error":  func(s *issuertest.SignIn) { s.Status, s.Answer = 400, `{"error":"slow_down"}` },
	} {
		f.set(change)
		_, err := f.flow.Exchange(t.Context(), f.begin(t).Get("code"), "", f.secrets)
		if !errors.Is(err, gateway.ErrUnavailable) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.issuer.SignIn.Store(nil)
	f.clock.advance(keyLifetime)
	if _, err := f.flow.AuthorizationURL(t.Context(), f.secrets); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("no endpoints: %v", err)
	}
	f.issuer.Away.Store(true)
	f.clock.advance(staleKeyLifetime)
	if _, err := f.flow.AuthorizationURL(t.Context(), f.secrets); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
}

// Claims that were verified earlier are held against the configuration in force.
func TestHolder(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	claims, err := f.flow.Exchange(t.Context(), f.begin(t).Get("code"), "", f.secrets)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(2 * time.Hour)
	if actor, ends, err := f.flow.Holder(claims); err != nil || actor.Grant != "sharers" || ends.After(f.clock.now()) {
		t.Errorf("an expired token: %+v until %v, %v", actor, ends, err)
	}
	for name, tt := range map[string]struct {
		change func(*Options, *Client)
		grant  string
		want   gateway.TokenReason
	}{
		"the same": {func(*Options, *Client) {}, "sharers", ""},
		"another grant": {
			func(o *Options, _ *Client) { o.Grants = []Grant{{Name: "n", Claim: []string{"sub"}, Value: "alice"}} }, "n", "",
		},
		"no grant":        {func(o *Options, _ *Client) { o.Grants = nil }, "", ""},
		"another client":  {func(_ *Options, c *Client) { c.ID = "other" }, "", gateway.TokenAudience},
		"another issuer":  {func(o *Options, _ *Client) { o.Issuer = "https://other.example" }, "", gateway.TokenIssuer},
		"an unknown name": {func(o *Options, _ *Client) { o.NameClaim = "email" }, "", gateway.TokenNoName},
	} {
		o, c := f.provider.o, f.flow.client
		tt.change(&o, &c)
		actor, _, err := New(o).Flow(c).Holder(claims)
		if got := reasonOf(err); got != tt.want || tt.want == "" && (err != nil || actor.Grant != tt.grant) {
			t.Errorf("%s: got %+v, %q, %v; want %q", name, actor, got, err, tt.want)
		}
	}
	for _, broken := range []string{"", "x", "[]", `{"iss":7}`} {
		if _, _, err := f.flow.Holder([]byte(broken)); reasonOf(err) == "" {
			t.Errorf("%q: got %v", broken, err)
		}
	}
}

// An ID token of the console is no bearer token of the API, unless the client is the
// audience of the API too.
func TestIDTokenAsBearerToken(t *testing.T) {
	t.Parallel()
	f := newSignInFixture(t)
	token := f.token(t, map[string]any{"aud": "console"})
	if _, err := f.provider.Verify(t.Context(), token); reasonOf(err) != gateway.TokenAudience {
		t.Errorf("got %v", err)
	}
	both := f.token(t, map[string]any{"aud": []string{"console", issuertest.Audience}, "azp": "console"})
	if _, err := f.provider.Verify(t.Context(), both); err != nil {
		t.Errorf("for both: %v", err)
	}
}

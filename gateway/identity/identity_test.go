package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
	"keyhole/gateway/identity/issuertest"
)

// The first grant that matches a token decides the name and the rights of the operator.
func TestVerify(t *testing.T) {
	t.Parallel()
	i := issuertest.Start(t)
	key, curve := i.AddRSA(t, "r"), i.AddECDSA(t, "e")
	p, c := newProvider(i)
	now := c.now()
	for name, tt := range map[string]struct {
		over map[string]any
		can  []gateway.Action
	}{
		"of a group":   {nil, []gateway.Action{gateway.ActionIssue}},
		"of one group": {map[string]any{"groups": "sharers"}, []gateway.Action{gateway.ActionIssue}},
		"for several": {
			map[string]any{"aud": []string{"other", "keyhole"}}, []gateway.Action{gateway.ActionIssue},
		},
		"of no group":       {map[string]any{"groups": nil}, nil},
		"of another group":  {map[string]any{"groups": []string{"sharer", "sharers2", "SHARERS"}}, nil},
		"groups of numbers": {map[string]any{"groups": []any{1, true, nil, "staff"}}, nil},
		"of a role": {
			map[string]any{"groups": nil, "realm_access": map[string]any{"roles": []string{"auditor"}}},
			[]gateway.Action{gateway.ActionRead},
		},
		"a role that is no object": {map[string]any{"groups": nil, "realm_access": "roles"}, nil},
		"a claim with dots": {
			map[string]any{"groups": nil, "https://example.com/role": "x"}, []gateway.Action{gateway.ActionBrowse},
		},
		"both: the first": {
			map[string]any{"realm_access": map[string]any{"roles": []string{"auditor"}}}, []gateway.Action{gateway.ActionIssue},
		},
	} {
		for _, token := range []string{
			issuertest.Sign(t, jose.RS256, key, "r", i.Claims(now, tt.over)),
			issuertest.Sign(t, jose.ES256, curve, "e", i.Claims(now, tt.over)),
			issuertest.Sign(t, jose.PS384, key, "r", i.Claims(now, tt.over)),
		} {
			actor, err := p.Verify(t.Context(), token)
			if err != nil || actor.Name != "oidc:alice" || !slices.Equal(actor.Can, tt.can) {
				t.Errorf("%s: got %+v, %v; want %v", name, actor, err, tt.can)
			}
		}
	}
	for _, kind := range []jose.ContentType{"JWT", "jwt", "at+jwt", "application/at+jwt"} {
		if _, err := p.Verify(t.Context(), issuertest.SignAs(t, kind, jose.RS256, key, "r", i.Claims(now, nil))); err != nil {
			t.Errorf("typ %s: %v", kind, err)
		}
	}
	actor, err := p.Verify(t.Context(), issuertest.Sign(t, jose.RS256, key, "r", i.Claims(now, nil)))
	if err != nil || actor.DisplayName != "Finance" || actor.MaxExpiry != time.Hour ||
		!slices.Equal(actor.Objects, []gateway.Pattern{"reports/*"}) {
		t.Errorf("got %+v, %v", actor, err)
	}
	if n := i.Asked.Load(); n > 2 {
		t.Errorf("the issuer was asked for its keys %d times", n)
	}
}

// Tokens of other issuers, for other services, or outside their time are refused.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p, c := f.provider, f.clock
	now := c.now()
	right := f.token(t, nil)
	if _, err := p.Verify(t.Context(), right); err != nil {
		t.Fatal(err)
	}
	with := func(over map[string]any) string { return f.token(t, over) }
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&f.key.PublicKey)})
	parts := strings.Split(right, ".")
	encode := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"another audience":        with(map[string]any{"aud": "other"}),
		"no audience":             with(map[string]any{"aud": nil}),
		"another issuer":          with(map[string]any{"iss": "https://evil.example"}),
		"the issuer with a slash": with(map[string]any{"iss": f.issuer.URL + "/"}),
		"expired":                 with(map[string]any{"exp": now.Add(-time.Second).Unix()}),
		"without an end":          with(map[string]any{"exp": nil}),
		"not valid yet":           with(map[string]any{"nbf": now.Add(time.Hour).Unix()}),
		"of nobody":               with(map[string]any{"sub": nil}),
		"of a number":             with(map[string]any{"sub": 7}),
		"of control characters":   with(map[string]any{"sub": "a\r\nb"}),
		"of a long name":          with(map[string]any{"sub": strings.Repeat("n", 201)}),
		"a stranger's key":        issuertest.Sign(t, jose.RS256, stranger, "r", f.issuer.Claims(now, nil)),
		"HS256 by the public key": issuertest.Sign(t, jose.HS256, public, "r", f.issuer.Claims(now, nil)),
		"no algorithm":            encode([]byte(`{"alg":"none","kid":"r"}`)) + "." + parts[1] + ".",
		"no signature":            parts[0] + "." + parts[1] + ".",
		"other claims": parts[0] + "." + encode(
			[]byte(`{"iss":"`+f.issuer.URL+`","aud":"keyhole","sub":"eve","exp":99999999999}`)) + "." + parts[2],
		"of a logout": issuertest.SignAs(t, "logout+jwt", jose.RS256, f.key, "r", f.issuer.Claims(now, nil)),
		"no token":    "a.b.c",
		"nothing":     "..",
	} {
		if actor, err := p.Verify(t.Context(), token); !errors.Is(err, ErrToken) {
			t.Errorf("%s: got %+v, %v; want ErrToken", name, actor, err)
		}
	}
	c.advance(2 * time.Hour)
	if _, err := p.Verify(t.Context(), right); !errors.Is(err, ErrToken) {
		t.Errorf("after its end: %v", err)
	}
}

// An email address that the issuer has not verified is neither a name nor matches a
// grant.
func TestEmail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.provider
	p.o.NameClaim = "email"
	p.o.Grants = []Grant{{Claim: []string{"email"}, Value: "a@example.com", Can: []gateway.Action{gateway.ActionRead}}}
	for name, tt := range map[string]struct {
		over map[string]any
		want string
	}{
		"verified":     {map[string]any{"email": "a@example.com", "email_verified": true}, "oidc:a@example.com"},
		"not said":     {map[string]any{"email": "a@example.com"}, ""},
		"not verified": {map[string]any{"email": "a@example.com", "email_verified": false}, ""},
		"as a text":    {map[string]any{"email": "a@example.com", "email_verified": "true"}, ""},
		"none":         {nil, ""},
	} {
		actor, err := p.Verify(t.Context(), f.token(t, tt.over))
		if tt.want == "" && !errors.Is(err, ErrToken) ||
			tt.want != "" && (err != nil || actor.Name != tt.want || len(actor.Can) != 1) {
			t.Errorf("%s: got %+v, %v", name, actor, err)
		}
		p.o.NameClaim = "sub"
		actor, err = p.Verify(t.Context(), f.token(t, tt.over))
		if p.o.NameClaim = "email"; err != nil || (len(actor.Can) == 1) != (tt.want != "") {
			t.Errorf("%s, named by sub: got %+v, %v", name, actor, err)
		}
	}
}

// After the issuer replaces its key, tokens of the new key are accepted, and tokens of the
// old key are refused after the next fetch. Tokens with unknown keys cause no flood of
// fetches. After an outage of the issuer, tokens are accepted again.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	i := issuertest.Start(t)
	old := i.AddRSA(t, "old")
	p, c := newProvider(i)
	token := func(key any, kid string) string {
		return issuertest.Sign(t, jose.RS256, key, kid, i.Claims(c.now(), nil))
	}
	i.Away.Store(true)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, gateway.ErrUnavailable) {
		t.Fatalf("away at first: got %v, want ErrUnavailable", err)
	}
	i.Away.Store(false)
	c.advance(fetchPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); err != nil {
		t.Fatal(err)
	}
	fresh := i.AddRSA(t, "new")
	i.Remove("old")
	c.advance(fetchPause)
	if _, err := p.Verify(t.Context(), token(fresh, "new")); err != nil {
		t.Errorf("the new key: %v", err)
	}
	c.advance(fetchPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, ErrToken) {
		t.Errorf("the old key: got %v, want ErrToken", err)
	}
	before := i.Asked.Load()
	for range 50 {
		if _, err := p.Verify(t.Context(), token(old, "made up")); err == nil {
			t.Error("a key that was made up is admitted")
		}
	}
	if n := i.Asked.Load() - before; n > 1 {
		t.Errorf("the issuer was asked %d times for a key that was made up", n)
	}
	for _, broken := range []string{
		"{", "[]", `{"keys":[{"kty":"RSA"}]}`, `{"keys":[]}`, "{}", "null", `{"error":"away"}`, "",
		strings.Repeat(" ", maxKeys) + `{"keys":[]}`,
	} {
		i.Broken.Store(&broken)
		c.advance(fetchPause)
		if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, gateway.ErrUnavailable) {
			t.Errorf("an issuer that answers %q: got %v, want ErrUnavailable", broken, err)
		}
	}
	i.Broken.Store(nil)
	i.Away.Store(true)
	c.advance(fetchPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("a key that cannot be asked for: got %v, want ErrUnavailable", err)
	}
	if _, err := p.Verify(t.Context(), token(fresh, "new")); err != nil {
		t.Errorf("a key that is known, while the issuer is away: %v", err)
	}
}

// A key that the issuer has withdrawn is refused after keyLifetime, even if its other keys
// are still valid. While the issuer is unavailable, cached keys are used for
// staleKeyLifetime and not longer.
func TestKeyLifetimes(t *testing.T) {
	t.Parallel()
	i := issuertest.Start(t)
	leaked, other := i.AddRSA(t, "leaked"), i.AddRSA(t, "other")
	p, c := newProvider(i)
	verify := func(key any, kid string) error {
		_, err := p.Verify(t.Context(), issuertest.Sign(t, jose.RS256, key, kid, i.Claims(c.now(), nil)))
		return err
	}
	if err := errors.Join(verify(leaked, "leaked"), verify(other, "other")); err != nil {
		t.Fatal(err)
	}
	i.Remove("leaked")
	c.advance(keyLifetime)
	if err := verify(leaked, "leaked"); !errors.Is(err, ErrToken) {
		t.Errorf("withdrawn: got %v, want ErrToken", err)
	}
	if err := verify(other, "other"); err != nil {
		t.Error(err)
	}
	i.Away.Store(true)
	c.advance(staleKeyLifetime - time.Second)
	if err := verify(other, "other"); err != nil {
		t.Errorf("unavailable for less than staleKeyLifetime: %v", err)
	}
	c.advance(time.Second)
	if err := verify(other, "other"); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("unavailable for staleKeyLifetime: got %v, want ErrUnavailable", err)
	}
}

// A key of an unknown type does not make the other keys of its set unusable.
func TestUnknownKindsOfKeys(t *testing.T) {
	t.Parallel()
	set, err := readKeys(strings.NewReader(`{"keys":[
		{"kty":"OKP","crv":"X448","kid":"x","x":"AA"}, {"kty":"EC","crv":"secp256k1","kid":"k","x":"AA","y":"AA"},
		{"kty":"new"}, 7,
		{"kty":"oct","kid":"secret","k":"c2VjcmV0"},
		{"kty":"OKP","crv":"Ed25519","kid":"ours","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	if err != nil || len(set.Keys) != 1 || set.Keys[0].KeyID != "ours" {
		t.Errorf("got %d keys, %v; want the one of Ed25519 (RFC 8037)", len(set.Keys), err)
	}
}

// Keys are not fetched over plain HTTP, where an attacker could replace them.
func TestKeysOverClearText(t *testing.T) {
	t.Parallel()
	at := func(address string) *http.Request { return httptest.NewRequest(http.MethodGet, address, nil) }
	for name, tt := range map[string]struct {
		next, first string
		ok          bool
	}{
		"on":                 {"https://b.example/keys", "https://a.example/keys", true},
		"down":               {"http://a.example/keys", "https://a.example/keys", false},
		"within the machine": {"http://127.0.0.1/b", "http://127.0.0.1/a", true},
	} {
		if err := sameScheme(at(tt.next), []*http.Request{at(tt.first)}); (err == nil) != tt.ok {
			t.Errorf("a redirect %s: %v", name, err)
		}
	}
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w,
			`{"issuer":"`+server.URL+`","jwks_uri":"http`+server.URL[len("https"):]+`/keys"}`) // The client may have hung up.
	}))
	t.Cleanup(server.Close)
	k := &keyCache{issuer: server.URL, http: server.Client(), now: time.Now}
	if _, err := k.fetch(t.Context()); !errors.Is(err, errClearText) || !errors.Is(err, errIssuerUnavailable) {
		t.Errorf("keys at http of an issuer at https: %v", err)
	}
}

// While the issuer does not answer, cached keys are used without a wait.
func TestSilentIssuerDelaysNoToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, c := f.provider, f.clock
	verify := func() error {
		_, err := p.Verify(t.Context(), f.token(t, nil))
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	f.issuer.Away.Store(true)
	c.advance(keyLifetime)
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	silent := make(chan struct{})
	defer close(silent)
	f.issuer.Silent.Store(&silent)
	c.advance(fetchPause)
	if err := verify(); err != nil { // the fetch is running and gets no answer
		t.Error(err)
	}
}

// A caller that waits for a silent issuer stops when its own context ends. All callers
// wait for the same fetch.
func TestOneQuestionForAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.provider
	token := f.token(t, nil)
	silent := make(chan struct{})
	f.issuer.Silent.Store(&silent)
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.Verify(impatient, token)
		gone <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("who went: got %v, want ErrUnavailable", err)
	}
	const many = 20
	answers := make(chan error, many)
	for range many {
		go func() {
			_, err := p.Verify(t.Context(), token)
			answers <- err
		}()
	}
	close(silent)
	for range many {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if n := f.issuer.Asked.Load(); n != 1 {
		t.Errorf("the issuer was asked for its keys %d times", n)
	}
}

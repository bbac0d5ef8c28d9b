package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
)

// issuer is an OpenID Connect provider with real keys and signatures.
type issuer struct {
	server *httptest.Server
	url    string
	away   atomic.Bool
	asked  atomic.Int64 // for keys

	mu   sync.Mutex
	keys map[string]any // private ones by kid, of all that it serves
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{keys: map[string]any{}}
	i.server = httptest.NewServer(http.HandlerFunc(i.answer))
	t.Cleanup(i.server.Close)
	i.url = i.server.URL
	return i
}

// answer serves the discovery document and the keys.
func (i *issuer) answer(w http.ResponseWriter, r *http.Request) {
	if i.away.Load() {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "id_token_signing_alg_values_supported": []string{"HS256", "none"}})
	case "/keys":
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		var set jose.JSONWebKeySet
		for kid, key := range i.keys {
			private := jose.JSONWebKey{Key: key, KeyID: kid}
			set.Keys = append(set.Keys, private.Public())
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		http.NotFound(w, r)
	}
}

// add makes a key and serves it.
func (i *issuer) add(t *testing.T, kid string, elliptical bool) any {
	t.Helper()
	var key any
	var err error
	if elliptical {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = key
	return key
}

// remove serves a key no more.
func (i *issuer) remove(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, kid)
}

// sign makes a token.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims are those of a right token, with others over them; nil takes one away.
func (i *issuer) claims(now time.Time, over map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.url, "aud": "keyhole", "sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "groups": []string{"staff", "sharers"},
	}
	for name, value := range over {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// clock is a time that the test moves.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.Load()) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

// newProvider returns a provider that trusts the issuer, by a clock of its own.
func newProvider(i *issuer) (*Provider, *clock) {
	c := &clock{}
	c.Store(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return New(Options{
		Issuer: i.url, Audience: "keyhole", NameClaim: "sub", Now: c.now,
		Grants: []Grant{
			{Claim: "groups", Value: "sharers", Can: []gateway.Action{gateway.ActionIssue}, Objects: []gateway.Pattern{"reports/*"}, MaxExpiry: time.Hour},
			{Claim: "realm_access.roles", Value: "auditor", Can: []gateway.Action{gateway.ActionRead}, Objects: []gateway.Pattern{"*"}},
			{Claim: "https://example.com/role", Value: "x", Can: []gateway.Action{gateway.ActionBrowse}, Objects: []gateway.Pattern{"*"}},
		},
	}), c
}

// Who a token admits, and what it allows, is what the first of its grants says.
func TestVerify(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key, curve := i.add(t, "r", false), i.add(t, "e", true)
	p, c := newProvider(i)
	now := c.now()
	for name, tt := range map[string]struct {
		over map[string]any
		can  []gateway.Action
	}{
		"of a group":               {nil, []gateway.Action{gateway.ActionIssue}},
		"of one group":             {map[string]any{"groups": "sharers"}, []gateway.Action{gateway.ActionIssue}},
		"for several":              {map[string]any{"aud": []string{"other", "keyhole"}}, []gateway.Action{gateway.ActionIssue}},
		"of no group":              {map[string]any{"groups": nil}, nil},
		"of another group":         {map[string]any{"groups": []string{"sharer", "sharers2", "SHARERS"}}, nil},
		"groups of numbers":        {map[string]any{"groups": []any{1, true, nil, "staff"}}, nil},
		"of a role":                {map[string]any{"groups": nil, "realm_access": map[string]any{"roles": []string{"auditor"}}}, []gateway.Action{gateway.ActionRead}},
		"a role that is no object": {map[string]any{"groups": nil, "realm_access": "roles"}, nil},
		"a claim with dots":        {map[string]any{"groups": nil, "https://example.com/role": "x"}, []gateway.Action{gateway.ActionBrowse}},
		"both: the first":          {map[string]any{"realm_access": map[string]any{"roles": []string{"auditor"}}}, []gateway.Action{gateway.ActionIssue}},
	} {
		for _, token := range []string{
			sign(t, jose.RS256, key, "r", i.claims(now, tt.over)), sign(t, jose.ES256, curve, "e", i.claims(now, tt.over)), sign(t, jose.PS384, key, "r", i.claims(now, tt.over)),
		} {
			actor, err := p.Verify(t.Context(), token)
			if err != nil || actor.Name != "oidc:alice" || !slices.Equal(actor.Can, tt.can) {
				t.Errorf("%s: got %+v, %v; want %v", name, actor, err, tt.can)
			}
		}
	}
	actor, err := p.Verify(t.Context(), sign(t, jose.RS256, key, "r", i.claims(now, nil)))
	if err != nil || actor.MaxExpiry != time.Hour || !slices.Equal(actor.Objects, []gateway.Pattern{"reports/*"}) {
		t.Errorf("got %+v, %v", actor, err)
	}
	if n := i.asked.Load(); n > 2 {
		t.Errorf("the issuer was asked for its keys %d times", n)
	}
}

// What is not the issuer's, not for this service, or not valid now admits nobody.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.add(t, "r", false).(*rsa.PrivateKey)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p, c := newProvider(i)
	now := c.now()
	right := sign(t, jose.RS256, key, "r", i.claims(now, nil))
	if _, err := p.Verify(t.Context(), right); err != nil {
		t.Fatal(err)
	}
	with := func(over map[string]any) string { return sign(t, jose.RS256, key, "r", i.claims(now, over)) }
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})
	parts := strings.Split(right, ".")
	encode := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"another audience":        with(map[string]any{"aud": "other"}),
		"no audience":             with(map[string]any{"aud": nil}),
		"another issuer":          with(map[string]any{"iss": "https://evil.example"}),
		"the issuer with a slash": with(map[string]any{"iss": i.url + "/"}),
		"expired":                 with(map[string]any{"exp": now.Add(-time.Second).Unix()}),
		"without an end":          with(map[string]any{"exp": nil}),
		"not valid yet":           with(map[string]any{"nbf": now.Add(time.Hour).Unix()}),
		"of nobody":               with(map[string]any{"sub": nil}),
		"of a number":             with(map[string]any{"sub": 7}),
		"of control characters":   with(map[string]any{"sub": "a\r\nb"}),
		"of a long name":          with(map[string]any{"sub": strings.Repeat("n", 201)}),
		"a stranger's key":        sign(t, jose.RS256, stranger, "r", i.claims(now, nil)),
		"HS256 by the public key": sign(t, jose.HS256, public, "r", i.claims(now, nil)),
		"no algorithm":            encode([]byte(`{"alg":"none","kid":"r"}`)) + "." + parts[1] + ".",
		"no signature":            parts[0] + "." + parts[1] + ".",
		"other claims":            parts[0] + "." + encode([]byte(`{"iss":"`+i.url+`","aud":"keyhole","sub":"eve","exp":99999999999}`)) + "." + parts[2],
		"no token":                "a.b.c",
		"nothing":                 "..",
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

// An email that the issuer has not verified is nobody's name.
func TestNameClaim(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := i.add(t, "r", false)
	p, c := newProvider(i)
	p.o.NameClaim = "email"
	for name, tt := range map[string]struct {
		over map[string]any
		want string
	}{
		"verified":     {map[string]any{"email": "a@example.com", "email_verified": true}, "oidc:a@example.com"},
		"not said":     {map[string]any{"email": "a@example.com"}, "oidc:a@example.com"},
		"not verified": {map[string]any{"email": "a@example.com", "email_verified": false}, ""},
		"as a text":    {map[string]any{"email": "a@example.com", "email_verified": "true"}, ""},
		"none":         {nil, ""},
	} {
		actor, err := p.Verify(t.Context(), sign(t, jose.RS256, key, "r", i.claims(c.now(), tt.over)))
		if tt.want == "" && !errors.Is(err, ErrToken) || tt.want != "" && (err != nil || actor.Name != tt.want) {
			t.Errorf("%s: got %+v, %v", name, actor, err)
		}
	}
}

// The issuer's keys change: the new one is admitted, the old one not for longer than
// until the next is asked for. Keys that nobody knows do not make it be asked in a
// flood, and while it is away nobody is refused for good.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	old := i.add(t, "old", false)
	p, c := newProvider(i)
	token := func(key any, kid string) string { return sign(t, jose.RS256, key, kid, i.claims(c.now(), nil)) }
	i.away.Store(true)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, gateway.ErrUnavailable) {
		t.Fatalf("away at first: got %v, want ErrUnavailable", err)
	}
	i.away.Store(false)
	c.advance(askPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); err != nil {
		t.Fatal(err)
	}
	fresh := i.add(t, "new", false)
	i.remove("old")
	c.advance(askPause)
	if _, err := p.Verify(t.Context(), token(fresh, "new")); err != nil {
		t.Errorf("the new key: %v", err)
	}
	c.advance(askPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, ErrToken) {
		t.Errorf("the old key: got %v, want ErrToken", err)
	}
	before := i.asked.Load()
	for range 50 {
		if _, err := p.Verify(t.Context(), token(old, "made up")); err == nil {
			t.Error("a key that was made up is admitted")
		}
	}
	if n := i.asked.Load() - before; n > 1 {
		t.Errorf("the issuer was asked %d times for a key that was made up", n)
	}
	i.away.Store(true)
	c.advance(askPause)
	if _, err := p.Verify(t.Context(), token(old, "old")); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("a key that cannot be asked for: got %v, want ErrUnavailable", err)
	}
	if _, err := p.Verify(t.Context(), token(fresh, "new")); err != nil {
		t.Errorf("a key that is known, while the issuer is away: %v", err)
	}
}

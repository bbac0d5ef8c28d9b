// Package issuertest is an OpenID Connect provider for tests, with real keys and
// signatures.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is the audience of the tokens: the value of their claim aud.
const Audience = "keyhole"

// Issuer is a provider that serves its public keys and signs tokens. Tests may change its
// behaviour while it serves.
type Issuer struct {
	URL   string
	Name  atomic.Pointer[string] // its name in the discovery document; nil: its URL
	Away  atomic.Bool            // every answer is 503
	Asked atomic.Int64           // number of requests for the keys
	// Broken replaces the answer to a request for the keys; nil: the keys.
	Broken atomic.Pointer[string]
	// Silent delays every answer until the channel is closed; nil: no delay.
	Silent atomic.Pointer[chan struct{}]
	// SignIn says how the issuer signs people in; nil: it has no endpoints for that.
	SignIn atomic.Pointer[SignIn]

	mu    sync.Mutex
	keys  map[string]crypto.Signer // by kid, of all that it serves
	codes map[string]issued        // that were not redeemed yet
}

// Start starts an issuer that ends with the test.
func Start(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{keys: map[string]crypto.Signer{}, codes: map[string]issued{}}
	server := httptest.NewServer(http.HandlerFunc(i.answer))
	tb.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// answer serves the discovery document and the keys.
func (i *Issuer) answer(w http.ResponseWriter, r *http.Request) {
	if i.Away.Load() {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	if silent := i.Silent.Load(); silent != nil {
		<-*silent
	}
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		name := i.URL
		if own := i.Name.Load(); own != nil {
			name = *own
		}
		// A verifier must ignore these algorithms: a token must not choose HS256, because
		// anyone knows the public key, or none.
		document := map[string]any{
			"issuer": name, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"HS256", "none"},
		}
		i.endpoints(document)
		answer = document
	case "/keys":
		i.Asked.Add(1)
		if broken := i.Broken.Load(); broken != nil {
			_, _ = io.WriteString(w, *broken) // The client may have hung up.
			return
		}
		answer = i.public()
	default:
		i.signIn(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // The client may have hung up.
}

// signIn serves the endpoints of the flow.
func (i *Issuer) signIn(w http.ResponseWriter, r *http.Request) {
	s := i.SignIn.Load()
	switch {
	case s != nil && r.URL.Path == "/authorize":
		i.authorize(w, r, s)
	case s != nil && r.URL.Path == "/token":
		i.token(w, r, s)
	default:
		http.NotFound(w, r)
	}
}

// public returns the public halves of all keys, in no order: a verifier must find the key
// by the kid of the token.
func (i *Issuer) public() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for kid, key := range i.keys {
		private := jose.JSONWebKey{Key: key, KeyID: kid}
		set.Keys = append(set.Keys, private.Public())
	}
	return set
}

// AddRSA makes an RSA key of 2048 bits, the least that RFC 7518 allows, and serves it.
func (i *Issuer) AddRSA(tb testing.TB, kid string) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	i.add(kid, key)
	return key
}

// AddECDSA makes a key on P-256 and serves it.
func (i *Issuer) AddECDSA(tb testing.TB, kid string) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	i.add(kid, key)
	return key
}

// add serves the public half of a key. A key with the same kid is replaced.
func (i *Issuer) add(kid string, key crypto.Signer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[kid] = key
}

// Remove stops serving a key. Tokens that it signed keep their signatures.
func (i *Issuer) Remove(kid string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, kid)
}

// Claims returns the claims of a valid token that lives for an hour from now. over
// replaces and adds claims; a nil value removes one.
func (i *Issuer) Claims(now time.Time, over map[string]any) map[string]any {
	all := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"groups": []string{"staff", "sharers"},
	}
	maps.Copy(all, over)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// Sign makes a token without the header typ, which says what kind of token it is.
func Sign(tb testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	tb.Helper()
	return SignAs(tb, "", alg, key, kid, claims)
}

// SignAs makes a token whose header typ is kind (RFC 7519 section 5.1). The key may be of
// any type that alg accepts, also one that the issuer does not serve.
func SignAs(
	tb testing.TB, kind jose.ContentType, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any,
) string {
	tb.Helper()
	token, err := signAs(kind, alg, key, kid, claims)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// signAs is SignAs for a caller that is no test.
func signAs(
	kind jose.ContentType, alg jose.SignatureAlgorithm, key any, kid string, claims map[string]any,
) (string, error) {
	o := &jose.SignerOptions{}
	if kind != "" {
		o = o.WithType(kind)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, o)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

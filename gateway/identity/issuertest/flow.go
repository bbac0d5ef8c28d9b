package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is a client that the issuer knows.
type Client struct {
	ID, Secret string
	// RedirectURL is the only URL to which codes are sent.
	RedirectURL string
}

// SignIn says how the issuer signs people in. It asks nobody: whoever comes is signed in as
// the person of the claims.
type SignIn struct {
	Client Client
	Now    func() time.Time
	// Over replaces and adds claims of the ID token; a nil value removes one.
	Over map[string]any
	// Error is sent to the callback instead of a code; empty: none.
	Error string
	// SendsIssuer adds the parameter iss to callbacks (RFC 9207), and states so in the
	// discovery document.
	SendsIssuer bool
	// Kind is the header typ of ID tokens; empty: none.
	Kind jose.ContentType
	// Answer replaces the answer of the token endpoint, and Status its status; 0: none.
	Answer string
	Status int
}

// issued is a code that was not redeemed yet.
type issued struct{ challenge, nonce, redirectURL string }

// The tokens that a client must not keep.
const (
	AccessToken  = "canary-access-token"
	RefreshToken = "canary-refresh-token"
)

// endpoints adds the endpoints of the flow to the discovery document.
func (i *Issuer) endpoints(document map[string]any) {
	if s := i.SignIn.Load(); s != nil {
		document["authorization_endpoint"] = i.URL + "/authorize"
		document["token_endpoint"] = i.URL + "/token"
		document["scopes_supported"] = []string{"openid", "email", "groups", "offline_access"}
		if s.SendsIssuer {
			document["authorization_response_iss_parameter_supported"] = true
		}
	}
}

// authorize is the authorization endpoint (RFC 6749 section 4.1.1). It redirects at once.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request, s *SignIn) {
	q := r.URL.Query()
	challenge, err := base64.RawURLEncoding.DecodeString(q.Get("code_challenge"))
	if q.Get("client_id") != s.Client.ID || q.Get("redirect_uri") != s.Client.RedirectURL {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest) // never redirected (section 4.1.2.1)
		return
	}
	// From here on every answer goes to the callback, also an error (section 4.1.2.1).
	answer := url.Values{"state": {q.Get("state")}}
	if s.SendsIssuer {
		answer.Set("iss", i.URL)
	}
	switch {
	case s.Error != "":
		answer.Set("error", s.Error)
		answer.Set("error_description", "<script>alert(1)</script>")
	case q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || err != nil ||
		len(challenge) != sha256.Size || q.Get("nonce") == "" || q.Get("state") == "" ||
		!slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		answer.Set("error", "invalid_request")
	default:
		code := rand.Text()
		i.mu.Lock()
		i.codes[code] = issued{q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri")}
		i.mu.Unlock()
		answer.Set("code", code)
	}
	http.Redirect(w, r, s.Client.RedirectURL+"?"+answer.Encode(), http.StatusFound)
}

// token is the token endpoint (RFC 6749 section 4.1.3). A code can be redeemed once, by the
// client that proves that it began the sign-in (RFC 7636 section 4.6).
func (i *Issuer) token(w http.ResponseWriter, r *http.Request, s *SignIn) {
	w.Header().Set("Content-Type", "application/json")
	fail := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code}) // The client may have hung up.
	}
	if s.Status != 0 {
		w.WriteHeader(s.Status)
		_, _ = w.Write([]byte(s.Answer)) // The client may have hung up.
		return
	}
	id, secret, ok := r.BasicAuth()
	wanted := url.QueryEscape(s.Client.ID) + ":" + url.QueryEscape(s.Client.Secret)
	if !ok || subtle.ConstantTimeCompare([]byte(id+":"+secret), []byte(wanted)) != 1 {
		fail(http.StatusUnauthorized, "invalid_client")
		return
	}
	i.mu.Lock()
	code, found := i.codes[r.PostFormValue("code")]
	delete(i.codes, r.PostFormValue("code"))
	i.mu.Unlock()
	// The verifier must be the text whose hash came with the request for the code.
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if r.Method != http.MethodPost || r.PostFormValue("grant_type") != "authorization_code" || !found ||
		code.redirectURL != r.PostFormValue("redirect_uri") || challenge != code.challenge {
		fail(http.StatusBadRequest, "invalid_grant")
		return
	}
	// A test may replace these claims too, to see that the client checks them.
	over := map[string]any{"aud": s.Client.ID, "nonce": code.nonce}
	maps.Copy(over, s.Over)
	idToken, err := i.sign(s.Kind, i.Claims(s.Now(), over))
	if err != nil {
		fail(http.StatusInternalServerError, "server_error")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{ // The client may have hung up.
		"access_token": AccessToken, "refresh_token": RefreshToken, "token_type": "Bearer", "expires_in": 300,
		"id_token": idToken,
	})
}

// sign signs claims with the first of the served keys, in the order of their kids.
func (i *Issuer) sign(kind jose.ContentType, claims map[string]any) (string, error) {
	i.mu.Lock()
	kids := slices.Sorted(maps.Keys(i.keys))
	var key crypto.Signer
	if len(kids) > 0 {
		key = i.keys[kids[0]]
	}
	i.mu.Unlock()
	if key == nil {
		return "", fmt.Errorf("the issuer has no key; add one")
	}
	alg := jose.RS256
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		alg = jose.ES256
	}
	return signAs(kind, alg, key, kids[0], claims)
}

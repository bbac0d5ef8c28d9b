// Package identity admits operators by the bearer tokens of an OpenID Connect
// provider: who they are and what they may do stands in the token's claims.
package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
)

// maxName is the longest name of an operator, in bytes.
const maxName = 200

// namePrefix stands before the names of operators, so that nobody's claims make him
// the holder of a key: no key's name has a colon.
const namePrefix = "oidc:"

// ErrToken means that a token admits nobody: it is not the provider's, not for this
// service, not valid now, or does not say whose it is.
var ErrToken = errors.New("the token admits nobody")

// Grant is what a claim's value allows.
type Grant struct {
	Claim     string // a name, or names joined by dots for what stands in an object
	Value     string // of the claim, or one of its values
	Can       []gateway.Action
	Objects   []gateway.Pattern
	MaxExpiry time.Duration // 0: as the policy says
}

// Options say whose tokens are admitted.
type Options struct {
	Issuer    string // as the tokens have it
	Audience  string // that the tokens must be for
	NameClaim string // that an operator is called by, such as sub
	Grants    []Grant
	RootCAs   *x509.CertPool // nil: the system's
	Now       func() time.Time
}

// Provider verifies tokens. It asks the issuer for its keys when it is first needed,
// every few minutes, and again for a key that it does not know. It is safe for
// concurrent use.
type Provider struct {
	o        Options
	verifier *oidc.IDTokenVerifier
}

// New returns a Provider. The issuer is not asked yet.
func New(o Options) *Provider {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // it is asked too rarely to keep a connection for it
	}
	set := &keys{issuer: o.Issuer, now: o.Now, http: &http.Client{Transport: bounded{transport}, CheckRedirect: sameScheme}}
	var names []string
	for _, a := range signatureAlgorithms() {
		names = append(names, string(a))
	}
	return &Provider{o: o, verifier: oidc.NewVerifier(o.Issuer, set, &oidc.Config{ClientID: o.Audience, SupportedSigningAlgs: names, Now: o.Now})}
}

// signatureAlgorithms are those that a token may be signed by: with a key that only
// the issuer has, RFC 8725 section 3.1.
func signatureAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// Verify returns who holds the token, with what the first grant allows that it has,
// which may be nothing. An issuer that cannot be asked is gateway.ErrUnavailable, and
// everything else ErrToken.
func (p *Provider) Verify(ctx context.Context, token string) (*gateway.Actor, error) {
	var away error
	verified, err := p.verifier.Verify(context.WithValue(ctx, awayKey{}, &away), token)
	if away != nil {
		return nil, fmt.Errorf("ask for the keys of operators' tokens: %w: %w", gateway.ErrUnavailable, away)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if claims["email_verified"] != true {
		delete(claims, "email") // anybody's word
	}
	name, err := p.nameOf(claims)
	if err != nil {
		return nil, err
	}
	actor := &gateway.Actor{Name: name}
	for _, g := range p.o.Grants {
		if slices.Contains(valuesOf(claims, g.Claim), g.Value) {
			actor.Can, actor.Objects, actor.MaxExpiry = g.Can, g.Objects, g.MaxExpiry
			break
		}
	}
	return actor, nil
}

// nameOf returns what the operator is called.
func (p *Provider) nameOf(claims map[string]any) (string, error) {
	name, _ := claims[p.o.NameClaim].(string)
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fmt.Errorf("%w: its claim %q is no name", ErrToken, p.o.NameClaim)
	}
	return namePrefix + name, nil
}

// valuesOf returns the texts of a claim. A claim of that very name comes before one
// that stands in an object: names may have dots.
func valuesOf(claims map[string]any, path string) []string {
	value, ok := claims[path]
	if !ok {
		outer, inner, nested := strings.Cut(path, ".")
		object, isObject := claims[outer].(map[string]any)
		if !nested || !isObject {
			return nil
		}
		return valuesOf(object, inner)
	}
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		var texts []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

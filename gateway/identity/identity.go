// Package identity admits operators by the bearer tokens of an OpenID Connect
// provider: who they are and what they may do stands in the token's claims.
package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
)

// nbfLeeway is how early a token may come: providers' clocks differ. go-oidc and
// Microsoft's libraries allow the same.
const nbfLeeway = 5 * time.Minute

// namePrefix stands before the names of operators, so that nobody's claims make him
// the holder of a key: no key's name has a colon.
const namePrefix = "oidc:"

// ErrToken means that a token admits nobody. A gateway.TokenError around it says why.
var ErrToken = errors.New("the token admits nobody")

// Grant is what a claim's value allows.
type Grant struct {
	Name      string   // what the configuration calls it
	Claim     []string // the names on the way to the claim, from the outermost object
	Value     string   // of the claim, or one of its values
	Can       []gateway.Action
	Objects   []gateway.Pattern
	MaxExpiry time.Duration // 0: as the policy says
}

// Options say whose tokens are admitted.
type Options struct {
	Issuer   string // as the tokens have it
	Audience string // that the tokens must be for
	// AuthorizedParties are the clients that tokens may have been issued to (azp);
	// empty: any.
	AuthorizedParties []string
	NameClaim         string // that an operator is called by, such as sub
	Grants            []Grant
	RootCAs           *x509.CertPool // nil: the system's
	Now               func() time.Time
}

// Provider verifies tokens. It asks the issuer for its keys when it is first needed,
// every few minutes, and again for a key that it does not know. It is safe for
// concurrent use.
type Provider struct {
	o    Options
	keys *keys
}

// New returns a Provider. The issuer is not asked yet.
func New(o Options) *Provider {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // it is asked too rarely to keep a connection for it
	}
	client := &http.Client{Transport: bounded{transport}, CheckRedirect: sameScheme}
	return &Provider{o: o, keys: &keys{issuer: o.Issuer, now: o.Now, http: client}}
}

// signatureAlgorithms are those that a token may be signed by: with a key that only
// the issuer has, RFC 8725 section 3.1.
func signatureAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// Inspect asks the issuer now, and returns how it names itself and how many keys it
// has.
func (p *Provider) Inspect(ctx context.Context) (issuer string, number int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	held, err := p.keys.fetch(ctx)
	return held.issuer, len(held.set.Keys), err
}

// refuse makes the error of a token that admits nobody.
func refuse(reason gateway.TokenReason, format string, args ...any) error {
	return &gateway.TokenError{Reason: reason, Err: fmt.Errorf("%w: %w", ErrToken, fmt.Errorf(format, args...))}
}

// Verify returns who holds the token, with what the first grant allows that it has,
// which may be nothing. An issuer that cannot be asked is gateway.ErrUnavailable, with
// gateway.ErrIssuer if it is another than the configuration names; everything else is a
// gateway.TokenError and ErrToken.
func (p *Provider) Verify(ctx context.Context, token string) (*gateway.Actor, error) {
	payload, issuer, err := p.keys.verify(ctx, token)
	if errors.Is(err, errAway) {
		return nil, fmt.Errorf("ask for the keys of operators' tokens: %w: %w", gateway.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, refuse(gateway.TokenMalformed, "its claims are no JSON object: %w", err)
	}
	if err := p.check(claims, issuer); err != nil {
		return nil, err
	}
	if claims["email_verified"] != true {
		delete(claims, "email") // anybody's word
	}
	name, err := p.nameOf(claims)
	if err != nil {
		return nil, err
	}
	actor := &gateway.Actor{Name: name, Token: true}
	for _, g := range p.o.Grants {
		if slices.Contains(valuesOf(claims, g.Claim), g.Value) {
			actor.Grant, actor.Can, actor.Objects, actor.MaxExpiry = g.Name, g.Can, g.Objects, g.MaxExpiry
			break
		}
	}
	return actor, nil
}

// check compares the claims of a token that the issuer has signed with what they must
// be: OpenID Connect Core 1.0 section 3.1.3.7 and RFC 9068 section 4. The first that is
// wrong is the reason.
func (p *Provider) check(claims map[string]any, issuer string) error {
	if said, _ := claims["iss"].(string); said != issuer && !isGoogle(issuer, said) {
		return refuse(gateway.TokenIssuer, "its iss is %.200q, and the provider's is %q", said, issuer)
	}
	now := p.o.Now()
	ends, ok := timeOf(claims["exp"])
	if !ok {
		return refuse(gateway.TokenMalformed, "it has no exp")
	}
	if ends.Before(now) {
		return refuse(gateway.TokenExpired, "it expired at %s", ends.UTC().Format(time.RFC3339))
	}
	if begins, said := claims["nbf"]; said {
		at, ok := timeOf(begins)
		if !ok {
			return refuse(gateway.TokenMalformed, "its nbf is no time")
		}
		if now.Add(nbfLeeway).Before(at) {
			return refuse(gateway.TokenNotYet, "it is valid from %s", at.UTC().Format(time.RFC3339))
		}
	}
	audiences := textsOf(claims["aud"])
	if !slices.Contains(audiences, p.o.Audience) {
		return refuse(gateway.TokenAudience, "its aud is %.200q, not %q", audiences, p.o.Audience)
	}
	client := clientOf(claims, audiences)
	if len(p.o.AuthorizedParties) > 0 && !slices.Contains(p.o.AuthorizedParties, client) {
		return refuse(gateway.TokenClient,
			"it was issued to the client %.200q, which operator.oidc.authorized_parties does not name", client)
	}
	return nil
}

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

// nbfLeeway is how long before its nbf a token is accepted, because the clocks of
// providers differ. go-oidc and Microsoft's libraries allow the same.
const nbfLeeway = 5 * time.Minute

// namePrefix begins the name of every operator that a token admits. Names of operator
// keys have no colon, so no claim can imitate one.
const namePrefix = gateway.TokenNamePrefix

// ErrToken means that a token is refused. It is the cause of a gateway.TokenError,
// which has the reason.
var ErrToken = errors.New("the token is refused")

// Grant is what a value of a claim allows.
type Grant struct {
	Name string // in the configuration
	// DisplayName is the sender of links for recipients; empty: the name of the actor.
	DisplayName string
	Claim       []string // the path to the claim, from the outermost object
	Value       string   // the value of the claim, or one element of a list
	Can         []gateway.Action
	Objects     []gateway.Pattern
	MaxExpiry   time.Duration // the longest life of a link; 0: the policy decides
}

// Options chooses the tokens that are admitted.
type Options struct {
	Issuer   string // the iss of the tokens
	Audience string // a value that the aud of the tokens must contain
	// AuthorizedParties are the clients that tokens may be issued to (azp); empty: any
	// client.
	AuthorizedParties []string
	NameClaim         string // the claim that holds the operator's name, such as sub
	Grants            []Grant
	RootCAs           *x509.CertPool // nil: the system's certificates
	Now               func() time.Time
}

// Provider verifies tokens. It fetches the keys of the issuer for the first token,
// then after every ten minutes, and for a token with an unknown key. It is safe for
// concurrent use.
type Provider struct {
	o    Options
	keys *keyCache
}

// New returns a Provider. It makes no request.
func New(o Options) *Provider {
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // requests are too rare to keep a connection open
	}
	client := &http.Client{Transport: bounded{transport}, CheckRedirect: sameScheme}
	return &Provider{o: o, keys: &keyCache{issuer: o.Issuer, now: o.Now, http: client}}
}

// signatureAlgorithms returns the accepted algorithms. All of them need a private key,
// which only the issuer has (RFC 8725 section 3.1).
func signatureAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// Inspect fetches the keys of the issuer now. It returns the issuer's name in its
// discovery document, and the number of its keys.
func (p *Provider) Inspect(ctx context.Context) (issuer string, number int, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetched, err := p.keys.fetch(ctx)
	return fetched.Issuer, len(fetched.keys.Keys), err
}

// refuse returns the error for a refused token.
func refuse(reason gateway.TokenReason, format string, args ...any) error {
	return &gateway.TokenError{Reason: reason, Err: fmt.Errorf("%w: %w", ErrToken, fmt.Errorf(format, args...))}
}

// Verify returns the operator that a token names, with the rights of the first grant
// that matches its claims. An operator without a grant has no rights.
//
// The error is gateway.ErrUnavailable if the issuer is unavailable. It is also
// gateway.ErrIssuer if the name of the issuer differs from the configured one. Every
// other error is both a gateway.TokenError and ErrToken.
func (p *Provider) Verify(ctx context.Context, token string) (*gateway.Actor, error) {
	payload, issuer, err := p.keys.verify(ctx, token, "jwt", "at+jwt")
	if errors.Is(err, errIssuerUnavailable) {
		return nil, fmt.Errorf("fetch the keys of the token issuer: %w: %w", gateway.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, refuse(gateway.TokenMalformed, "its claims are not a JSON object: %w", err)
	}
	if err := p.check(claims, issuer); err != nil {
		return nil, err
	}
	return p.actorOf(claims)
}

// actorOf returns the operator whom checked claims name, with the rights of the first
// grant that matches them. It changes claims.
func (p *Provider) actorOf(claims map[string]any) (*gateway.Actor, error) {
	if claims["email_verified"] != true {
		delete(claims, "email") // a user may have entered any address
	}
	name, err := p.nameOf(claims)
	if err != nil {
		return nil, err
	}
	actor := &gateway.Actor{Name: name, Token: true}
	if g := p.grantOf(claims); g != nil {
		actor.Grant, actor.Can, actor.Objects, actor.MaxExpiry = g.Name, g.Can, g.Objects, g.MaxExpiry
		actor.DisplayName = g.DisplayName
	}
	return actor, nil
}

// grantOf returns the first grant that matches the claims, or nil.
func (p *Provider) grantOf(claims map[string]any) *Grant {
	for i := range p.o.Grants {
		if g := &p.o.Grants[i]; slices.Contains(valuesOf(claims, g.Claim), g.Value) {
			return g
		}
	}
	return nil
}

// check validates the claims of a token with a valid signature (OpenID Connect Core 1.0
// section 3.1.3.7, RFC 9068 section 4). The error names the first invalid claim.
func (p *Provider) check(claims map[string]any, issuer string) error {
	if err := p.checkOrigin(claims, issuer); err != nil {
		return err
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

// checkOrigin validates the issuer of a token, and that it is valid now.
func (p *Provider) checkOrigin(claims map[string]any, issuer string) error {
	if iss, _ := claims["iss"].(string); iss != issuer && !isGoogle(issuer, iss) {
		return refuse(gateway.TokenIssuer, "its iss is %.200q, but the issuer calls itself %q", iss, issuer)
	}
	now := p.o.Now()
	ends, ok := timeOf(claims["exp"])
	if !ok {
		return refuse(gateway.TokenMalformed, "it has no exp")
	}
	if ends.Before(now) {
		return refuse(gateway.TokenExpired, "it expired at %s", ends.UTC().Format(time.RFC3339))
	}
	if nbf, present := claims["nbf"]; present {
		at, ok := timeOf(nbf)
		if !ok {
			return refuse(gateway.TokenMalformed, "its nbf is not a time")
		}
		if now.Add(nbfLeeway).Before(at) {
			return refuse(gateway.TokenNotYet, "it is valid from %s", at.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

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
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"keyhole/gateway"
)

const (
	// askTimeout bounds one question to the provider.
	askTimeout = 5 * time.Second
	// askPause is the least time between two: a token with a key that nobody knows
	// asks for the keys again, and anybody can make one.
	askPause = time.Second
	// maxName is the longest name of an operator, in bytes.
	maxName = 200
)

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
// and again for a key that it does not know. It is safe for concurrent use.
type Provider struct {
	o    Options
	http *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until the issuer has said where its keys are
}

// New returns a Provider. The issuer is not asked yet.
func New(o Options) *Provider {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
	}
	return &Provider{o: o, http: &http.Client{Timeout: askTimeout, Transport: &sparing{next: transport, now: o.Now, asked: map[string]question{}}}}
}

// algorithms are those that a token may be signed by: with a key that only the
// issuer has, RFC 8725 section 3.1.
func algorithms() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
	}
}

// Verify returns who holds the token, with what the first grant allows that it has,
// which may be nothing. An issuer that cannot be asked is gateway.ErrUnavailable, and
// everything else ErrToken.
func (p *Provider) Verify(ctx context.Context, token string) (*gateway.Actor, error) {
	verifier, err := p.verifierNow()
	if err != nil {
		return nil, fmt.Errorf("ask the issuer of operators' tokens: %w: %w", gateway.ErrUnavailable, err)
	}
	var away error
	verified, err := verifier.Verify(context.WithValue(ctx, awayKey{}, &away), token)
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

// verifierNow returns what verifies tokens, and asks the issuer where its keys are if
// it has not said so yet.
func (p *Provider) verifierNow() (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier != nil {
		return p.verifier, nil
	}
	ctx := oidc.ClientContext(context.Background(), p.http) // It is kept for the keys.
	provider, err := oidc.NewProvider(ctx, p.o.Issuer)
	if err != nil {
		return nil, err
	}
	var said struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&said); err != nil {
		return nil, err
	}
	p.verifier = oidc.NewVerifier(p.o.Issuer, &keys{oidc.NewRemoteKeySet(ctx, said.Keys)}, &oidc.Config{
		ClientID: p.o.Audience, SupportedSigningAlgs: algorithms(), Now: p.o.Now,
	})
	return p.verifier, nil
}

// nameOf returns what the operator is called. An address of mail that the issuer has
// not verified is nobody's name.
func (p *Provider) nameOf(claims map[string]any) (string, error) {
	name, _ := claims[p.o.NameClaim].(string)
	if verified, said := claims["email_verified"]; p.o.NameClaim == "email" && said && verified != true {
		return "", fmt.Errorf("%w: its email is not verified", ErrToken)
	}
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

// awayKey is the key of a context's value: where keys says that the issuer is away.
type awayKey struct{}

// keys are the issuer's. go-oidc's verifier tells a key that cannot be fetched and a
// signature that is wrong by their texts alone; here they are told apart.
type keys struct{ oidc.KeySet }

// VerifySignature implements oidc.KeySet.
func (k *keys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, token)
	if away, ok := ctx.Value(awayKey{}).(*error); ok && errors.Is(err, errAway) {
		*away = err
	}
	return payload, err
}

// errAway means that the issuer did not answer as it should, or was not asked.
var errAway = errors.New("the issuer cannot be asked")

// sparing asks at most once in askPause.
type sparing struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	asked map[string]question // by URL
}

// question is the last one of its kind.
type question struct {
	at       time.Time
	answered bool
}

// errKnown means that the issuer has answered that a moment ago.
var errKnown = errors.New("the issuer has said so a moment ago")

// RoundTrip implements http.RoundTripper.
func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	if err := s.begin(address); err != nil {
		return nil, err
	}
	answer, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAway, err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%w: it answers %s", errAway, answer.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.asked[address]
	s.asked[address] = question{last.at, true}
	return answer, nil
}

// begin refuses a question that comes too early.
func (s *sparing) begin(address string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	last := s.asked[address]
	if since := now.Sub(last.at); since < 0 || since >= askPause {
		s.asked[address] = question{at: now}
		return nil
	}
	if last.answered {
		return errKnown
	}
	return fmt.Errorf("%w: it was asked a moment ago", errAway)
}

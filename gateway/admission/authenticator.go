package admission

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"keyhole/gateway"
)

// Key is an operator key: its hash, its operator's name and rights.
type Key struct {
	Name string // the operator's name in events and logs
	// DisplayName is the sender of links for recipients; empty: Name.
	DisplayName string
	SHA256      [sha256.Size]byte
	Can         []gateway.Action
	Objects     []gateway.Pattern
	MaxExpiry   time.Duration // the longest life of its links; 0: only the policy limits it
}

// TokenVerifier verifies the tokens of an identity provider.
type TokenVerifier interface {
	// Verify returns the holder of a token with the holder's rights. If the provider is
	// unreachable, the error is gateway.ErrUnavailable; if the provider states another
	// issuer than the configuration, the error is also gateway.ErrIssuer. Every other
	// error refuses the token; a gateway.TokenError gives the reason.
	Verify(ctx context.Context, token string) (*gateway.Actor, error)
}

// Options configures an Authenticator. Logger and Now are required.
type Options struct {
	// Keys are the operator keys until SetKeys replaces them.
	Keys []Key
	// Tokens verifies tokens until SetTokens replaces it; nil refuses all tokens.
	Tokens TokenVerifier
	// RequestsPerMinute limits the requests of each operator; 0 means no limit.
	RequestsPerMinute int
	// Logger receives the reasons of refused tokens, never a token or a key.
	Logger *slog.Logger
	// Now is this machine's clock, for the limits only.
	Now func() time.Time
}

// Authenticator admits operators. It is safe for concurrent use.
type Authenticator struct {
	keys     atomic.Pointer[[]Key]
	tokens   atomic.Pointer[TokenVerifier] // nil: tokens are refused
	failures *gateway.FailureLimiter       // wrong keys and tokens, by address
	rates    *rateLimiter
	log      *slog.Logger
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{
		failures: gateway.NewFailureLimiter(gateway.MaxKeyFailures, o.Now),
		rates:    &rateLimiter{limit: o.RequestsPerMinute, now: o.Now},
		log:      o.Logger,
	}
	a.SetKeys(o.Keys)
	a.SetTokens(o.Tokens)
	return a
}

// SetKeys replaces all operator keys from the next request on. A key that loses a right
// loses it for earlier links too.
func (a *Authenticator) SetKeys(keys []Key) { a.keys.Store(&keys) }

// SetTokens replaces the verifier of tokens from the next request on; nil refuses all
// tokens.
func (a *Authenticator) SetTokens(tokens TokenVerifier) {
	if tokens == nil {
		a.tokens.Store(nil)
		return
	}
	a.tokens.Store(&tokens)
}

// Request holds the parts of an operator's request that Admit reads.
type Request struct {
	Authorization []string   // the values of the header
	Peer          netip.Addr // the client's address, by which failures are limited
	Address       string     // the part of the client's address that may be recorded
}

// Admit returns the operator who sent a request, and counts the request. The error is an
// UnauthorizedError, or a gateway.Error with CodeUnavailable or CodeRateLimited. If a
// known operator has sent too many requests, Admit returns the operator and the quota
// together with the error.
func (a *Authenticator) Admit(ctx context.Context, r Request) (*gateway.Actor, Quota, error) {
	credential, ok := Bearer(r.Authorization)
	if !ok {
		return nil, Quota{}, missingCredential("this request needs an operator key: Authorization: Bearer KEY")
	}
	actor := a.keyHolder(credential)
	if actor == nil {
		var err error
		if actor, err = a.tokenHolder(ctx, r.Peer, credential); err != nil {
			return nil, Quota{}, err
		}
	}
	actor.Address = r.Address
	quota, err := a.rates.take(actor.Name)
	return actor, quota, err
}

// Charge counts n more requests of an admitted operator, for one request that makes
// several links. If fewer than n are left in the current minute, it counts none and
// returns a gateway.Error with CodeRateLimited. If the limit is lower than n, waiting
// cannot help, and the code is CodeInvalid.
func (a *Authenticator) Charge(actor *gateway.Actor, n int) (Quota, error) {
	if limit := a.rates.limit; limit > 0 && n >= limit {
		return Quota{}, gateway.Invalid("links", "too_many", fmt.Sprintf(
			"the batch has %d links, and this service allows %d requests a minute; send smaller batches", n+1, limit))
	}
	return a.rates.takeSeveral(actor.Name, n)
}

// signIn returns the operator of a key, and the hash of the key. It accepts no tokens. Spaces
// around the key are ignored, because people paste it.
func (a *Authenticator) signIn(key string, r Request) (*gateway.Actor, [sha256.Size]byte, error) {
	sum := sha256.Sum256([]byte(strings.TrimSpace(key)))
	if actor := a.holderOf(sum); actor != nil {
		return actor, sum, nil
	}
	return nil, sum, a.failed(r.Peer, "unknown operator key")
}

// keyHolder returns the operator of a key, nil if the key is unknown.
func (a *Authenticator) keyHolder(key string) *gateway.Actor {
	return a.holderOf(sha256.Sum256([]byte(key)))
}

// holderOf returns the operator of the key with a hash, nil if the key is unknown. It
// compares every key in constant time, so that the duration does not reveal which key
// matched.
func (a *Authenticator) holderOf(sum [sha256.Size]byte) *gateway.Actor {
	var found *Key
	keys := *a.keys.Load()
	for i := range keys {
		if subtle.ConstantTimeCompare(sum[:], keys[i].SHA256[:]) == 1 {
			found = &keys[i]
		}
	}
	if found == nil {
		return nil
	}
	return &gateway.Actor{
		Name: found.Name, DisplayName: found.DisplayName, Can: found.Can, Objects: found.Objects,
		MaxExpiry: found.MaxExpiry,
	}
}

// tokenHolder returns the operator of a token. It passes only text with the three parts
// of a JWT to the verifier. The client gets a fixed reason; the log also has the cause.
func (a *Authenticator) tokenHolder(ctx context.Context, peer netip.Addr, token string) (*gateway.Actor, error) {
	if strings.Count(token, ".") != 2 {
		return nil, a.failed(peer, "unknown operator key")
	}
	tokens := a.tokens.Load()
	if tokens == nil {
		return nil, a.failed(peer, "this service accepts no tokens: no identity provider is configured; use an operator key")
	}
	actor, err := (*tokens).Verify(ctx, token)
	var refused *gateway.TokenError
	switch {
	case err == nil:
		return actor, nil
	case errors.Is(err, gateway.ErrIssuer):
		const detail = "the identity provider states another issuer than operator.oidc.issuer; " +
			"correct the configuration, and use an operator key until then"
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: detail, Err: err}
	case errors.Is(err, gateway.ErrUnavailable):
		const detail = "the identity provider is unreachable; try again, or use an operator key"
		return nil, &gateway.Error{Code: gateway.CodeUnavailable, Message: detail, Err: err}
	case errors.As(err, &refused):
		a.log.Info("token refused", "reason", string(refused.Reason), "error", refused.Err)
		if refused.Reason.Signed() { // The provider signed the token, so it is not a guess.
			return nil, wrongCredential(tokenDetail(refused.Reason))
		}
		return nil, a.failed(peer, tokenDetail(refused.Reason))
	}
	a.log.Info("token refused", "error", err)
	return nil, a.failed(peer, tokenDetail(gateway.TokenMalformed))
}

// failed counts a credential that may be a guess, and returns its refusal. After too many
// failures from one address, the refusal does not reveal whether the credential was
// wrong. A right credential from that address is still admitted.
func (a *Authenticator) failed(peer netip.Addr, detail string) error {
	if wait := a.failures.Failed(peer); wait > 0 {
		return &gateway.Error{
			Code: gateway.CodeRateLimited, Message: "too many wrong keys from this address; wait and try again", Wait: wait,
		}
	}
	return wrongCredential(detail)
}

package admission

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"keyhole/gateway"
)

const (
	// SignInLife is how long an operator may take to sign in at the identity provider.
	SignInLife = 10 * time.Minute
	// maxBegun limits the sign-ins at the provider that one client network may begin within
	// a minute, because each takes memory in the store for SignInLife.
	maxBegun = 60
)

// Flow signs operators in at an identity provider: the authorization code flow of OpenID
// Connect Core 1.0 section 3.1, with PKCE (RFC 7636).
type Flow interface {
	// Client identifies the provider and this client of it. A sign-in that began at another
	// provider is refused, because its code belongs to that provider.
	Client() string
	// AuthorizationURL returns the URL of the provider to which the browser is redirected.
	// The error is gateway.ErrUnavailable if the provider did not answer.
	AuthorizationURL(ctx context.Context, secrets gateway.SignInSecrets) (string, error)
	// Exchange redeems the code of a callback and returns the claims of the ID token, a JSON
	// object. issuer is the parameter iss of the callback (RFC 9207); empty: it has none.
	// The error is gateway.ErrUnavailable, or refuses the sign-in.
	Exchange(ctx context.Context, code, issuer string, secrets gateway.SignInSecrets) (claims []byte, err error)
	// Holder returns the operator whom claims of Exchange name, with the rights of the
	// configuration in force, and the end of the ID token. An error refuses the operator.
	Holder(claims []byte) (*gateway.Actor, time.Time, error)
}

// Callback holds the query parameters with which the provider sends the browser back
// (RFC 6749 section 4.1.2, RFC 9207 section 2).
type Callback struct {
	State, Code, Issuer string
	Error               string // a code such as access_denied; empty: none
}

// signInRecord is what the store has of a sign-in at the provider, encrypted.
type signInRecord struct {
	gateway.SignInSecrets

	Client   string // Flow.Client when the sign-in began
	ReturnTo string // the page to show afterwards
	Renews   *renewal
}

// renewal is what a session keeps when it is renewed at the provider.
type renewal struct {
	Operator  string // who must sign in again
	Seed      []byte
	StartedAt time.Time
	Replaces  gateway.SessionHash
}

// SignInStart says how a sign-in at the provider begins.
type SignInStart struct {
	ReturnTo string   // the local path to show after the sign-in; the caller has validated it
	Renews   *Session // the session whose ID token has expired; nil: a new sign-in
}

// BeginSignIn begins a sign-in at the provider. The caller redirects the browser to
// redirectURL and gives it browserSecret in a cookie for SignInLife. The error is a
// gateway.Error with CodeNotFound (no provider is configured), CodeRateLimited or
// CodeUnavailable.
func (s *Sessions) BeginSignIn(
	ctx context.Context, start SignInStart, r Request,
) (redirectURL, browserSecret string, err error) {
	provider := s.provider.Load()
	if provider == nil {
		return "", "", gateway.Errorf(gateway.CodeNotFound, "this service has no sign-in at an identity provider")
	}
	secret := newSecret()
	rec := &signInRecord{
		SignInSecrets: gateway.SignInSecrets{
			State: newSecret().String(), Nonce: newSecret().String(), Verifier: newSecret().String(),
		},
		Client: (*provider).Client(), ReturnTo: start.ReturnTo,
	}
	if old := start.Renews; old != nil && old.ByProvider {
		id, _ := parseSecret(old.ID)
		rec.Renews = &renewal{
			Operator: old.Actor.Name, Seed: old.seed, StartedAt: old.StartedAt, Replaces: id.hash(),
		}
	} else if wait := s.begun.Failed(r.Peer); wait > 0 {
		const detail = "too many sign-ins from this address; wait and try again"
		return "", "", &gateway.Error{Code: gateway.CodeRateLimited, Message: detail, Wait: wait}
	}
	if redirectURL, err = (*provider).AuthorizationURL(ctx, rec.SignInSecrets); err != nil {
		return "", "", providerError(err)
	}
	if err := s.store.KeepSignIn(ctx, secret.hash(), secret.seal(purposeSignIn, rec), SignInLife); err != nil {
		return "", "", storeError(err)
	}
	return redirectURL, secret.String(), nil
}

// FinishSignIn ends a sign-in at the provider and begins a session with a new ID. returnTo
// is the path that BeginSignIn received, also after an error if it is known. A sign-in can
// be finished once, whatever the result. The error is a gateway.Error with
// CodeUnauthorized, CodeRateLimited, CodeUnavailable or CodeNotConfirmed.
func (s *Sessions) FinishSignIn(
	ctx context.Context, browserSecret string, c Callback, r Request,
) (session *Session, returnTo string, err error) {
	defer func() {
		if err != nil {
			s.refused(gateway.SignInByOIDC, r, err)
		}
	}()
	rec, err := s.takeSignIn(ctx, browserSecret, r)
	if err != nil {
		return nil, "", err
	}
	provider := s.provider.Load()
	switch {
	case subtle.ConstantTimeCompare([]byte(c.State), []byte(rec.State)) != 1:
		return nil, "", s.operators.failed(r.Peer, "the sign-in was begun in another browser; sign in again")
	case provider == nil, (*provider).Client() != rec.Client:
		return nil, rec.ReturnTo, gateway.Errorf(gateway.CodeUnauthorized,
			"the identity provider of this service has changed; sign in again")
	case c.Error != "":
		return nil, rec.ReturnTo, callbackError(c.Error)
	}
	claims, err := (*provider).Exchange(ctx, c.Code, c.Issuer, rec.SignInSecrets)
	if err != nil {
		return nil, rec.ReturnTo, s.exchangeError(err)
	}
	actor, _, err := (*provider).Holder(claims)
	if err != nil {
		return nil, rec.ReturnTo, s.exchangeError(err)
	}
	session, err = s.renewOrStart(ctx, rec.Renews, claims, actor, r)
	return session, rec.ReturnTo, err
}

// takeSignIn returns the sign-in that a browser began.
func (s *Sessions) takeSignIn(ctx context.Context, browserSecret string, r Request) (*signInRecord, error) {
	const detail = "the sign-in has expired or was used already; sign in again"
	secret, ok := parseSecret(browserSecret)
	if !ok {
		return nil, s.operators.failed(r.Peer, detail)
	}
	sealed, err := s.store.TakeSignIn(ctx, secret.hash())
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, s.operators.failed(r.Peer, detail)
	case err != nil:
		return nil, storeError(err)
	}
	rec := &signInRecord{}
	if err := secret.open(purposeSignIn, sealed, rec); err != nil {
		return nil, &gateway.Error{Code: gateway.CodeUnauthorized, Message: detail, Err: err}
	}
	return rec, nil
}

// renewOrStart begins a session with the claims of an ID token. If the same operator renews
// a session, the new one keeps the time of the sign-in and the source of secrets, and
// replaces the old one.
func (s *Sessions) renewOrStart(
	ctx context.Context, old *renewal, claims []byte, actor *gateway.Actor, r Request,
) (*Session, error) {
	rec := &sessionRecord{Claims: claims}
	if old == nil || old.Operator != actor.Name {
		return s.start(ctx, rec, actor, r, time.Time{})
	}
	rec.Seed = old.Seed
	session, err := s.start(ctx, rec, actor, r, old.StartedAt)
	if errors.Is(err, ErrNoSession) { // The old session has reached its longest life meanwhile.
		rec.Seed = nil
		return s.start(ctx, rec, actor, r, time.Time{})
	}
	if err != nil {
		return nil, err
	}
	if err := s.store.EndSession(ctx, old.Replaces); err != nil {
		// The operator has signed in. The browser forgets the old ID, and nobody else has it.
		s.log.Warn("a renewed session was not deleted; it ends by itself", "error", err)
	}
	return session, nil
}

// providerError returns the error for an operator after the provider did not answer.
func providerError(err error) error {
	const detail = "the identity provider is unreachable; try again, or sign in with an operator key"
	return &gateway.Error{Code: gateway.CodeUnavailable, Message: detail, Err: err}
}

// exchangeError returns the error for an operator whose code or ID token was refused.
func (s *Sessions) exchangeError(err error) error {
	if errors.Is(err, gateway.ErrUnavailable) {
		return providerError(err)
	}
	detail := "the identity provider did not confirm the sign-in"
	var refused *gateway.TokenError
	if errors.As(err, &refused) {
		detail = tokenDetail(refused.Reason)
	}
	return &gateway.Error{
		Code: gateway.CodeUnauthorized, Message: detail + "; sign in again",
		Err: fmt.Errorf("finish the sign-in: %w", err),
	}
}

// callbackError returns the error for an operator after the provider sent an error instead
// of a code (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6). The text
// of the provider is not shown, because anybody can write a link with it.
func callbackError(code string) error {
	cause := fmt.Errorf("the provider sent the error %.100q", code)
	switch code {
	case "access_denied":
		const detail = "the identity provider refused the sign-in: access was denied"
		return &gateway.Error{Code: gateway.CodeUnauthorized, Message: detail, Err: cause}
	case "server_error", "temporarily_unavailable":
		return providerError(cause)
	}
	const detail = "the identity provider reported an error; try again, or ask the person who runs this service"
	return &gateway.Error{Code: gateway.CodeUnauthorized, Message: detail, Err: cause}
}

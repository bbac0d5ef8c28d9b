package admission

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"keyhole/gateway"
)

var (
	// ErrNoSession means that no session has the ID: it has ended, or it never existed.
	ErrNoSession = errors.New("the session has ended")
	// ErrTokenExpired means that the ID token of a session has expired. The session itself
	// has not ended: another sign-in at the provider renews it.
	ErrTokenExpired = errors.New("the ID token of the session has expired")
)

// SessionStore keeps sessions and sign-ins under the hash of a secret that only the browser
// has. Times are those of the store. The error of each method is gateway.ErrUnavailable if
// the store did not answer.
type SessionStore interface {
	// CreateSession stores a session that began at startedAt; zero means now. It returns
	// that time, or gateway.ErrNotFound if the session would have ended already.
	CreateSession(ctx context.Context, hash gateway.SessionHash, value []byte, startedAt time.Time,
		limits gateway.SessionLimits) (time.Time, error)
	// ReadSession returns a session that has not ended at the limits, or
	// gateway.ErrNotFound. With active, the session then lasts for limits.Idle again.
	ReadSession(ctx context.Context, hash gateway.SessionHash, limits gateway.SessionLimits, active bool,
	) (gateway.StoredSession, error)
	// EndSession ends a session, if it exists. With gateway.ErrNotConfirmed, a failover may
	// undo the end.
	EndSession(ctx context.Context, hash gateway.SessionHash) error
	// KeepSignIn stores the secrets of a sign-in for life.
	KeepSignIn(ctx context.Context, hash gateway.SessionHash, value []byte, life time.Duration) error
	// TakeSignIn returns what KeepSignIn stored and deletes it, or returns
	// gateway.ErrNotFound.
	TakeSignIn(ctx context.Context, hash gateway.SessionHash) ([]byte, error)
}

// SessionsOptions configures Sessions. Authenticator, Store, Logger and Now are required.
type SessionsOptions struct {
	Authenticator *Authenticator
	Store         SessionStore
	// Idle and Max are the limits of sessions until SetLimits replaces them.
	Idle, Max time.Duration
	// Provider signs operators in until SetProvider replaces it; nil: no sign-in at a provider.
	Provider Flow
	Logger   *slog.Logger
	Now      func() time.Time // this machine's clock, for the end of ID tokens
	// SignInFailed receives the method of each sign-in that was refused: gateway.SignInByKey or
	// gateway.SignInByOIDC. It may be nil.
	SignInFailed func(method string)
}

// Sessions signs operators in to the console and recognises them. It is safe for concurrent
// use.
type Sessions struct {
	operators *Authenticator
	store     SessionStore
	limits    atomic.Pointer[gateway.SessionLimits]
	provider  atomic.Pointer[Flow]    // nil: no sign-in at a provider
	begun     *gateway.FailureLimiter // sign-ins at the provider, by address
	log       *slog.Logger
	now       func() time.Time
	failed    func(method string)
}

// NewSessions returns Sessions.
func NewSessions(o SessionsOptions) *Sessions {
	s := &Sessions{
		operators: o.Authenticator, store: o.Store, log: o.Logger, now: o.Now, failed: o.SignInFailed,
		begun: gateway.NewFailureLimiter(maxBegun, o.Now),
	}
	if s.failed == nil {
		s.failed = func(string) {}
	}
	s.SetLimits(o.Idle, o.Max)
	s.SetProvider(o.Provider)
	return s
}

// SetLimits replaces the limits of all sessions from the next request on. A session that
// is over a new limit has ended.
func (s *Sessions) SetLimits(idle, longest time.Duration) {
	s.limits.Store(&gateway.SessionLimits{Idle: idle, Max: longest})
}

// SetProvider replaces the provider from the next request on. nil ends all sessions that
// began at a provider.
func (s *Sessions) SetProvider(p Flow) {
	if p == nil {
		s.provider.Store(nil)
		return
	}
	s.provider.Store(&p)
}

// HasProvider reports whether operators can sign in at a provider.
func (s *Sessions) HasProvider() bool { return s.provider.Load() != nil }

// SignIn admits the holder of an operator key and begins a session with a new ID. The
// errors are those of Authenticator.Admit: an UnauthorizedError, or a gateway.Error with
// CodeRateLimited or CodeUnavailable.
func (s *Sessions) SignIn(ctx context.Context, key string, r Request) (*Session, error) {
	actor, hash, err := s.operators.signIn(key, r)
	if err != nil {
		s.refused(gateway.SignInByKey, r, err)
		return nil, err
	}
	return s.start(ctx, &sessionRecord{Key: hash[:]}, actor, r, time.Time{})
}

// start begins a session of an operator with a new ID. startedAt is the time of an earlier
// sign-in that the session continues; zero means now.
func (s *Sessions) start(
	ctx context.Context, rec *sessionRecord, actor *gateway.Actor, r Request, startedAt time.Time,
) (*Session, error) {
	actor.Address = r.Address
	quota, err := s.operators.rates.take(actor.Name)
	if err != nil {
		return nil, err
	}
	secret := newSecret()
	if rec.Seed == nil {
		seed := newSecret()
		rec.Seed = seed[:]
	}
	limits := s.limits.Load()
	at, err := s.store.CreateSession(ctx, secret.hash(), secret.seal(purposeSession, rec), startedAt, *limits)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, ErrNoSession
	case err != nil:
		return nil, storeError(err)
	}
	session := s.sessionOf(secret, rec, actor, at)
	session.Quota = quota
	s.log.Info("operator signed in", "operator", actor.Name, "method", session.method(), "address", r.Address)
	return session, nil
}

// Resume returns the session with an ID, and counts the request for the rate limit of the
// operator. active says that the request is an activity of the operator; an automatic
// refresh is none. The rights of the operator are those of the configuration in force.
//
// The error is ErrNoSession, or a gateway.Error with CodeUnavailable. Two errors come
// together with the session: ErrTokenExpired, and a gateway.Error with CodeRateLimited.
func (s *Sessions) Resume(ctx context.Context, id string, r Request, active bool) (*Session, error) {
	secret, ok := parseSecret(id)
	if !ok {
		return nil, ErrNoSession
	}
	stored, err := s.store.ReadSession(ctx, secret.hash(), *s.limits.Load(), active)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return nil, ErrNoSession
	case err != nil:
		return nil, storeError(err)
	}
	rec := &sessionRecord{}
	if err := secret.open(purposeSession, stored.Value, rec); err != nil {
		s.log.Warn("session refused: its record cannot be read", "error", err)
		return nil, ErrNoSession
	}
	actor, ends := s.holder(rec)
	if actor == nil {
		s.forget(ctx, secret)
		return nil, ErrNoSession
	}
	actor.Address = r.Address
	session := s.sessionOf(secret, rec, actor, stored.StartedAt)
	if session.Quota, err = s.operators.rates.take(actor.Name); err != nil {
		return session, err
	}
	if session.ByProvider && !s.now().Before(ends) {
		return session, ErrTokenExpired
	}
	return session, nil
}

// Charge counts n more requests of the operator of a session, for one request that makes
// several links. Its errors are those of Authenticator.Charge.
func (s *Sessions) Charge(session *Session, n int) error {
	_, err := s.operators.Charge(session.Actor, n)
	return err
}

// holder returns the operator of a session by the configuration in force, and for a
// session of the provider the end of its ID token. It returns nil if the configuration no
// longer admits the operator.
func (s *Sessions) holder(rec *sessionRecord) (*gateway.Actor, time.Time) {
	if len(rec.Key) == len(gateway.SessionHash{}) {
		return s.operators.holderOf([len(gateway.SessionHash{})]byte(rec.Key)), time.Time{}
	}
	provider := s.provider.Load()
	if len(rec.Claims) == 0 || provider == nil {
		return nil, time.Time{}
	}
	actor, ends, err := (*provider).Holder(rec.Claims)
	if err != nil {
		s.log.Info("session ended: the configuration no longer accepts its ID token", "error", err)
		return nil, time.Time{}
	}
	return actor, ends
}

// forget removes a session whose operator the configuration no longer admits, so that the
// session does not come back with a later configuration.
func (s *Sessions) forget(ctx context.Context, secret secret) {
	if err := s.store.EndSession(ctx, secret.hash()); err != nil {
		s.log.Warn("session of a removed operator key was not deleted; it is refused", "error", err)
	}
}

// End ends the session with an ID on the server. It is no error if there is no such
// session. The error is a gateway.Error with CodeUnavailable, or with CodeNotConfirmed if
// a failover of Redis may undo the end.
func (s *Sessions) End(ctx context.Context, id string) error {
	secret, ok := parseSecret(id)
	if !ok {
		return nil
	}
	if err := s.store.EndSession(ctx, secret.hash()); err != nil {
		return storeError(err)
	}
	return nil
}

// refused counts and logs a sign-in that was refused. It does not count a provider or a
// store that did not answer.
func (s *Sessions) refused(method string, r Request, err error) {
	var known *gateway.Error
	if errors.As(err, &known) && (known.Code == gateway.CodeUnauthorized || known.Code == gateway.CodeRateLimited) {
		s.failed(method)
	}
	s.log.Info("sign-in refused", "method", method, "address", r.Address, "error", err)
}

// storeError returns the error for an operator after the store did not do its part.
func storeError(err error) error {
	if errors.Is(err, gateway.ErrNotConfirmed) {
		const detail = "too few replicas of Redis have confirmed the change; try again"
		return &gateway.Error{Code: gateway.CodeNotConfirmed, Message: detail, Err: err}
	}
	return &gateway.Error{Code: gateway.CodeUnavailable, Message: "Redis is unavailable; try again", Err: err}
}

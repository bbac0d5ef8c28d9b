package admission

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// stubSessions keeps sessions in memory. redisstore has the rules of a real store, and
// their tests.
type stubSessions struct {
	now func() time.Time
	err error // returned by every method, unless nil

	mu       sync.Mutex
	sessions map[gateway.SessionHash]gateway.StoredSession
	active   map[gateway.SessionHash]time.Time
	signIns  map[gateway.SessionHash][]byte
}

func newStubSessions(now func() time.Time) *stubSessions {
	return &stubSessions{
		now: now, sessions: map[gateway.SessionHash]gateway.StoredSession{},
		active: map[gateway.SessionHash]time.Time{}, signIns: map[gateway.SessionHash][]byte{},
	}
}

// CreateSession implements SessionStore.
func (s *stubSessions) CreateSession(
	_ context.Context, hash gateway.SessionHash, value []byte, startedAt time.Time, limits gateway.SessionLimits,
) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if startedAt.IsZero() {
		startedAt = s.now()
	}
	if s.err == nil && !s.now().Before(startedAt.Add(limits.Max)) {
		return time.Time{}, gateway.ErrNotFound
	}
	s.sessions[hash] = gateway.StoredSession{Value: value, StartedAt: startedAt}
	s.active[hash] = s.now()
	return startedAt, s.err
}

// ReadSession implements SessionStore.
func (s *stubSessions) ReadSession(
	_ context.Context, hash gateway.SessionHash, limits gateway.SessionLimits, active bool,
) (gateway.StoredSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.sessions[hash]
	ended := !s.now().Before(s.active[hash].Add(limits.Idle)) || !s.now().Before(stored.StartedAt.Add(limits.Max))
	if s.err == nil && (!ok || ended) {
		return gateway.StoredSession{}, gateway.ErrNotFound
	}
	if active {
		s.active[hash] = s.now()
	}
	return stored, s.err
}

// EndSession implements SessionStore.
func (s *stubSessions) EndSession(_ context.Context, hash gateway.SessionHash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, hash)
	return s.err
}

// KeepSignIn implements SessionStore.
func (s *stubSessions) KeepSignIn(
	_ context.Context, hash gateway.SessionHash, value []byte, _ time.Duration,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIns[hash] = value
	return s.err
}

// TakeSignIn implements SessionStore.
func (s *stubSessions) TakeSignIn(_ context.Context, hash gateway.SessionHash) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.signIns[hash]
	if s.err == nil && !ok {
		return nil, gateway.ErrNotFound
	}
	delete(s.signIns, hash)
	return value, s.err
}

// sessionBench is Sessions over an Authenticator and a store whose clock tests set.
type sessionBench struct {
	*Sessions

	bench  *bench
	store  *stubSessions
	failed []string // methods of refused sign-ins
}

// newSessionBench makes a sessionBench whose sessions last 30 minutes without activity, and
// at most 12 hours.
func newSessionBench(t *testing.T, provider Flow) *sessionBench {
	t.Helper()
	b := &sessionBench{bench: newBench(t, nil, 0)}
	now := func() time.Time { return b.bench.now }
	b.store = newStubSessions(now)
	b.Sessions = NewSessions(SessionsOptions{
		Authenticator: b.bench.Authenticator, Store: b.store, Idle: 30 * time.Minute, Max: 12 * time.Hour,
		Provider: provider, Logger: slog.New(slog.NewTextHandler(&b.bench.log, nil)), Now: now,
		SignInFailed: func(method string) { b.failed = append(b.failed, method) },
	})
	return b
}

// from returns a request of an operator from an address.
func from(address string) Request {
	return Request{Peer: netip.MustParseAddr(address), Address: "recorded"}
}

// stubFlow is an identity provider that signs one person in.
type stubFlow struct {
	client string
	err    error // of AuthorizationURL and Exchange

	mu      sync.Mutex
	claims  string                // of the next ID token: the name of the operator
	ends    time.Time             // of every ID token
	refused error                 // by the configuration in force
	secrets gateway.SignInSecrets // of the last sign-in that began
	asked   []string              // code and issuer of each exchange
}

// Client implements Flow.
func (f *stubFlow) Client() string { return f.client }

// AuthorizationURL implements Flow.
func (f *stubFlow) AuthorizationURL(_ context.Context, secrets gateway.SignInSecrets) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets = secrets
	return "https://login.example/authorize?state=" + secrets.State, f.err
}

// Exchange implements Flow.
func (f *stubFlow) Exchange(_ context.Context, code, issuer string, secrets gateway.SignInSecrets) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, code+" "+issuer)
	if f.err == nil && secrets != f.secrets {
		return nil, &gateway.TokenError{Reason: gateway.TokenMalformed, Err: errors.New("other secrets")}
	}
	return []byte(strconv.Quote(f.claims)), f.err
}

// Holder implements Flow.
func (f *stubFlow) Holder(claims []byte) (*gateway.Actor, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, err := strconv.Unquote(string(claims))
	if err == nil {
		err = f.refused
	}
	return &gateway.Actor{Name: "oidc:" + name, Token: true, Grant: "staff"}, f.ends, err
}

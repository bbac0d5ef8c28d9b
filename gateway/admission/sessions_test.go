package admission

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
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

// A key begins a session, which admits the holder of the key until it is ended.
func TestSignInByKey(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	signedIn, err := b.SignIn(t.Context(), " ops-key\n", from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, active := range []bool{true, false} {
		session, err := b.Resume(t.Context(), signedIn.ID, from("192.0.2.1"), active)
		if err != nil || session.Actor.Name != "ops" || session.Actor.Address != "recorded" || session.ByProvider ||
			!session.EndsAt.Equal(b.bench.now.Add(12*time.Hour)) {
			t.Errorf("got %+v, %v", session, err)
		}
	}
	again, err := b.SignIn(t.Context(), "ops-key", from("192.0.2.1"))
	if err != nil || again.ID == signedIn.ID {
		t.Errorf("another sign-in: the same ID, or %v", err)
	}
	if err := b.End(t.Context(), signedIn.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Resume(t.Context(), signedIn.ID, from("192.0.2.1"), true); !errors.Is(err, ErrNoSession) {
		t.Errorf("an ended session: %v", err)
	}
}

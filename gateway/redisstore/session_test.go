package redisstore_test

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
)

// newHash draws the hash of a session's ID.
func newHash() (hash gateway.SessionHash) {
	_, _ = rand.Read(hash[:]) // It never fails.
	return hash
}

// limits are those of console.idle and console.max by default.
func limits() gateway.SessionLimits {
	return gateway.SessionLimits{Idle: 30 * time.Minute, Max: 12 * time.Hour}
}

// testSessions stores, reads, counts and ends sessions.
func testSessions(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	hash, value := newHash(), []byte("sealed\x00value")
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("before: %v, want ErrNotFound", err)
	}
	started, err := s.CreateSession(t.Context(), hash, value, time.Time{}, limits())
	if err != nil || time.Since(started).Abs() > time.Minute {
		t.Fatalf("created at %v, %v", started, err)
	}
	for _, active := range []bool{true, false} {
		got, err := s.ReadSession(t.Context(), hash, limits(), active)
		if err != nil || string(got.Value) != string(value) || !got.StartedAt.Equal(started) {
			t.Errorf("active %v: got %+v, %v", active, got, err)
		}
	}
	other := newHash()
	earlier := started.Add(-time.Hour)
	if at, err := s.CreateSession(t.Context(), other, value, earlier, limits()); err != nil || !at.Equal(earlier) {
		t.Errorf("a renewed session began at %v, %v; want %v", at, err, earlier)
	}
	tooEarly := started.Add(-12 * time.Hour)
	if _, err := s.CreateSession(t.Context(), newHash(), value, tooEarly, limits()); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a session over its longest life: %v, want ErrNotFound", err)
	}
	counted := func(when string, want int64) {
		t.Helper()
		if n, err := s.Sessions(t.Context()); err != nil || n != want {
			t.Errorf("%s: counted %d, %v; want %d", when, n, err, want)
		}
	}
	counted("two sessions", 2)
	for range 2 { // A repeated end is no error.
		if err := s.EndSession(t.Context(), hash); err != nil {
			t.Errorf("end: %v", err)
		}
	}
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("ended: %v, want ErrNotFound", err)
	}
	if _, err := s.ReadSession(t.Context(), other, limits(), true); err != nil {
		t.Errorf("the other session: %v", err)
	}
	counted("one has ended", 1)
}

// testSignIns stores the secrets of a sign-in, which one of several callers takes.
func testSignIns(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	hash := newHash()
	if _, err := s.TakeSignIn(t.Context(), hash); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("before: %v, want ErrNotFound", err)
	}
	if err := s.KeepSignIn(t.Context(), hash, []byte("sealed\x00"), time.Minute); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	var taking sync.WaitGroup
	for range 10 {
		taking.Go(func() {
			value, err := s.TakeSignIn(t.Context(), hash)
			switch {
			case err == nil && string(value) == "sealed\x00":
				taken.Add(1)
			case !errors.Is(err, gateway.ErrNotFound):
				t.Errorf("got %q, %v", value, err)
			}
		})
	}
	taking.Wait()
	equal(t, "taken", taken.Load(), int64(1))
}

package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"keyhole/gateway"
)

// TestSessionLimitsLowered ends a session at a limit that a configuration has lowered, to the
// millisecond, and takes it off the list. A repeated end of a session is a write, because WAIT
// needs one.
func TestSessionLimitsLowered(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	hashes := make([]gateway.SessionHash, 3)
	for i := range hashes {
		hashes[i] = newHash()
		hashes[i][0] = 5 // All are in one partition.
		if _, err := s.CreateSession(t.Context(), hashes[i], []byte("v"), time.Time{}, limits()); err != nil {
			t.Fatal(err)
		}
	}
	counted := func(want int64) {
		t.Helper()
		if n, err := s.Sessions(t.Context()); err != nil || n != want {
			t.Errorf("counted %d, %v; want %d", n, err, want)
		}
	}
	c.step(10 * time.Minute)
	for i, l := range []gateway.SessionLimits{
		{Idle: 10 * time.Minute, Max: 12 * time.Hour}, {Idle: 30 * time.Minute, Max: 10 * time.Minute},
	} {
		if _, err := s.ReadSession(t.Context(), hashes[i], l, true); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("at the limits %+v: %v", l, err)
		}
		counted(int64(2 - i))
	}
	if _, err := s.ReadSession(t.Context(), hashes[2], limits(), true); err != nil {
		t.Fatal(err)
	}
	late := newHash()
	late[0] = 5
	short := gateway.SessionLimits{Idle: time.Minute, Max: time.Hour}
	if _, err := s.CreateSession(t.Context(), late, []byte("v"), time.Time{}, short); err != nil {
		t.Fatal(err)
	}
	c.step(time.Minute)
	counted(1) // The short one ends in this millisecond.
	for _, written := range []bool{false, true} {
		if err := s.EndSession(t.Context(), hashes[2]); err != nil {
			t.Fatal(err)
		}
		equal(t, "a write for WAIT", c.server.Exists("keyhole:{p5}:confirmation"), written)
	}
}

package redisstore_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
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
	_, err = s.CreateSession(t.Context(), newHash(), value, tooEarly, limits())
	if !errors.Is(err, gateway.ErrNotFound) {
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

// TestSessionClock ends sessions by Redis' clock: after the idle time, after the longest
// life, and at once if a configuration has lowered a limit.
func TestSessionClock(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	begin := func() gateway.SessionHash {
		hash := newHash()
		hash[0] = 5 // All are in one partition.
		if _, err := s.CreateSession(t.Context(), hash, []byte("v"), time.Time{}, limits()); err != nil {
			t.Fatal(err)
		}
		return hash
	}
	alive := func(hash gateway.SessionHash, l gateway.SessionLimits, active bool) bool {
		_, err := s.ReadSession(t.Context(), hash, l, active)
		if err != nil && !errors.Is(err, gateway.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	idle, lowered := begin(), begin()
	c.step(30*time.Minute - time.Millisecond)
	equal(t, "just before its idle time", alive(idle, limits(), false), true)
	equal(t, "over a lowered limit", alive(lowered, gateway.SessionLimits{Idle: time.Minute, Max: time.Hour}, true), false)
	equal(t, "removed by then", alive(lowered, limits(), true), false)
	c.step(time.Millisecond)
	equal(t, "a refresh is no activity", alive(idle, limits(), false), false)

	busy := begin()
	for range 24 {
		c.step(29 * time.Minute)
		equal(t, "with activity", alive(busy, limits(), true), true)
	}
	c.step(24*time.Minute - time.Millisecond) // 12 h after the start
	equal(t, "just before its longest life", alive(busy, limits(), true), true)
	if n, err := s.Sessions(t.Context()); err != nil || n != 1 {
		t.Errorf("counted %d, %v; want 1", n, err)
	}
	c.step(time.Millisecond)
	if n, err := s.Sessions(t.Context()); err != nil || n != 0 {
		t.Errorf("counted %d, %v; want 0", n, err)
	}
	equal(t, "after its longest life", alive(busy, limits(), true), false)
}

// TestSessionRecord looks at the keys of a session in a real Redis as the shipped user has
// them: every key expires, and a record of another version or a truncated one admits
// nobody and stays.
func TestSessionRecord(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	hash := newHash()
	session := fmt.Sprintf("keyhole:{p%d}:session:%x", hash[0]%64, hash)
	listed := fmt.Sprintf("keyhole:{p%d}:sessions", hash[0]%64)
	short := gateway.SessionLimits{Idle: time.Minute, Max: time.Hour}
	begun := time.Now()
	started, err := s.CreateSession(t.Context(), hash, []byte("value"), time.Time{}, short)
	if err != nil {
		t.Fatal(err)
	}
	ends := func(key string) time.Duration {
		ms, err := strconv.ParseInt(node.MustDo(t, "PEXPIRETIME", key), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		// TIME and the time of expiries can be a millisecond apart in one script.
		return time.UnixMilli(ms).Sub(started).Round(10 * time.Millisecond)
	}
	equal(t, "the end", ends(session), time.Minute)
	equal(t, "the end of the list", ends(listed), time.Minute)
	for _, tt := range []struct {
		idle   time.Duration
		active bool
		least  time.Duration
	}{
		{10 * time.Minute, false, time.Minute},
		{10 * time.Minute, true, 10 * time.Minute},
		{2 * time.Hour, true, time.Hour},
	} {
		_, err := s.ReadSession(t.Context(), hash, gateway.SessionLimits{Idle: tt.idle, Max: time.Hour}, tt.active)
		most := tt.least + 5*time.Second + time.Since(begun)
		if got := ends(session); err != nil || got < tt.least || got > most || got > time.Hour {
			t.Errorf("idle %v, active %v: ends after %v, %v", tt.idle, tt.active, got, err)
		}
	}
	whole := node.MustDo(t, "GET", session)
	for name, broken := range map[string]string{
		"another version": "\x02" + whole[1:], "truncated": whole[:12], "empty": "",
	} {
		node.MustDo(t, "SET", session, broken, "KEEPTTL")
		_, err := s.ReadSession(t.Context(), hash, limits(), true)
		if kept := node.MustDo(t, "GET", session); !errors.Is(err, gateway.ErrNotFound) || kept != broken {
			t.Errorf("%s: %v, kept %q", name, err, kept)
		}
	}
	node.MustDo(t, "SET", session, whole, "KEEPTTL")
	if got, err := s.ReadSession(t.Context(), hash, limits(), false); err != nil || string(got.Value) != "value" {
		t.Errorf("as it was: %+v, %v", got, err)
	}
	if err := s.KeepSignIn(t.Context(), hash, []byte("v"), time.Minute); err != nil {
		t.Fatal(err)
	}
	signIn := ends(fmt.Sprintf("keyhole:signin:%x", hash))
	if signIn < time.Minute || signIn > time.Minute+30*time.Second {
		t.Errorf("a sign-in ends after %v", signIn)
	}
}

// TestSessionsWithoutMemory lets operators work, and sign out, while Redis has no memory
// left: they must be able to revoke links. Nobody can sign in.
func TestSessionsWithoutMemory(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	hash := newHash()
	if _, err := s.CreateSession(t.Context(), hash, []byte("v"), time.Time{}, limits()); err != nil {
		t.Fatal(err)
	}
	node.MustDo(t, "CONFIG", "SET", "maxmemory", "1")
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := s.CreateSession(t.Context(), newHash(), []byte("v"), time.Time{}, limits()); !errors.Is(err,
		gateway.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
	if err := s.EndSession(t.Context(), hash); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("after the end: %v", err)
	}
}

// TestSessionEndIsConfirmed acknowledges the end of a session only if a replica has it, also
// when the end is repeated.
func TestSessionEndIsConfirmed(t *testing.T) {
	t.Parallel()
	o := startSingle(t).client
	o.Timeout = unconfirmed
	s := open(t, o, withReplica()) // There is none.
	hash := newHash()
	if _, err := s.CreateSession(t.Context(), hash, []byte("v"), time.Time{}, limits()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.EndSession(t.Context(), hash); !errors.Is(err, gateway.ErrNotConfirmed) {
			t.Errorf("end: %v, want ErrNotConfirmed", err)
		}
	}
}

// TestSessionConcurrency resumes one session from many requests while it is ended. Whoever
// asks after the end is refused, and no request brings the session back.
func TestSessionConcurrency(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	hash := newHash()
	if _, err := s.CreateSession(t.Context(), hash, []byte("v"), time.Time{}, limits()); err != nil {
		t.Fatal(err)
	}
	var ended atomic.Bool
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				after := ended.Load()
				_, err := s.ReadSession(t.Context(), hash, limits(), true)
				if err != nil && !errors.Is(err, gateway.ErrNotFound) || err == nil && after {
					t.Errorf("after the end %v: %v", after, err)
				}
			}
		})
	}
	if err := s.EndSession(t.Context(), hash); err != nil {
		t.Error(err)
	}
	ended.Store(true)
	all.Wait()
	if n, err := s.Sessions(t.Context()); err != nil || n != 0 {
		t.Errorf("counted %d, %v; want 0", n, err)
	}
}

// TestSessionList looks at the list of sessions of a partition by Redis' clock: it lasts as
// long as its last session, and contains no ended one. A renewed session has its own start.
func TestSessionList(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	begin := func(started time.Time, l gateway.SessionLimits) (gateway.SessionHash, error) {
		hash := newHash()
		hash[0] = 5 // All are in one partition.
		_, err := s.CreateSession(t.Context(), hash, []byte("v"), started, l)
		return hash, err
	}
	listed := func(when string, sessions int, life time.Duration) {
		t.Helper()
		const key = "keyhole:{p5}:sessions"
		members, err := c.server.ZMembers(key)
		if err != nil || len(members) != sessions || c.server.TTL(key) != life {
			t.Errorf("%s: %d sessions for %v, %v; want %d for %v", when, len(members), c.server.TTL(key), err, sessions, life)
		}
	}
	short := gateway.SessionLimits{Idle: time.Minute, Max: time.Hour}
	for _, l := range []gateway.SessionLimits{limits(), short} {
		if _, err := begin(time.Time{}, l); err != nil {
			t.Fatal(err)
		}
	}
	listed("a short session after a long one", 2, 30*time.Minute)
	c.step(2 * time.Minute)
	renewed, err := begin(c.now.Add(-time.Hour), limits())
	if err != nil {
		t.Fatal(err)
	}
	listed("the short session has ended", 2, 30*time.Minute)
	got, err := s.ReadSession(t.Context(), renewed, limits(), true)
	if err != nil || !got.StartedAt.Equal(c.now.Add(-time.Hour)) {
		t.Errorf("a renewed session began at %v, %v", got.StartedAt, err)
	}
	for age, want := range map[time.Duration]error{
		12 * time.Hour: gateway.ErrNotFound, 12*time.Hour - time.Millisecond: nil,
	} {
		if _, err := begin(c.now.Add(-age), limits()); !errors.Is(err, want) {
			t.Errorf("renewed after %v: %v, want %v", age, err, want)
		}
	}
}

// TestSessionsWithoutDisk lets operators work while Redis accepts no writes, because it could
// not save its data. Another reason for refusing writes is an error.
func TestSessionsWithoutDisk(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t, "appendonly no")
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	hash := newHash()
	if _, err := s.CreateSession(t.Context(), hash, []byte("v"), time.Time{}, limits()); err != nil {
		t.Fatal(err)
	}
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("without replicas: %v", err)
	}
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "0")

	_, dir, _ := strings.Cut(node.MustDo(t, "CONFIG", "GET", "dir"), "\n")
	if err := os.RemoveAll(strings.TrimSpace(dir)); err != nil {
		t.Fatal(err)
	}
	node.MustDo(t, "CONFIG", "SET", "save", "3600 1")
	node.MustDo(t, "CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
	node.MustDo(t, "BGSAVE")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(node.MustDo(t, "INFO", "persistence"), "rdb_last_bgsave_status:err") {
		<-tick.C // The time limit of the tests bounds it.
	}
	if _, err := s.ReadSession(t.Context(), hash, limits(), true); err != nil {
		t.Errorf("read: %v", err)
	}
	if _, err := s.CreateSession(t.Context(), newHash(), []byte("v"), time.Time{}, limits()); !errors.Is(err,
		gateway.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
}

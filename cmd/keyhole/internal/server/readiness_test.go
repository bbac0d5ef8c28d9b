package server

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/config"
)

// Only a change of a state is reported, and the first state is not taken for a recovery.
func TestLastState(t *testing.T) {
	t.Parallel()
	var l lastState
	for _, step := range []struct {
		to, before string
		changed    bool
	}{{"ok", "", true}, {"ok", "ok", false}, {"denied", "ok", true}, {"denied", "denied", false}, {"ok", "denied", true}} {
		if before, changed := l.change(step.to); before != step.before || changed != step.changed {
			t.Errorf("to %s: got %q, %v", step.to, before, changed)
		}
	}
}

// Readiness follows Redis and the drain, and each change of Redis is logged once.
func TestReadiness(t *testing.T) {
	t.Parallel()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	cfg := config.Default()
	cfg.Redis.Addresses, cfg.Redis.Timeout = []string{redis.Addr()}, 30*time.Second
	client, store, err := OpenStore(cfg, testMetrics(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() }) // no request is running
	var log bytes.Buffer
	h := &health{store: store, log: slog.New(slog.NewTextHandler(&log, nil))}
	expect := func(when string, ready bool, redis, logged string) {
		t.Helper()
		log.Reset()
		r := h.readiness(t.Context())
		if r.Ready != ready || r.Redis != redis || len(r.Storages) != 0 {
			t.Errorf("%s: %+v", when, r)
		}
		if (log.Len() > 0) != (logged != "") || !strings.Contains(log.String(), logged) {
			t.Errorf("%s: the log says %q, want %q", when, log.String(), logged)
		}
	}
	expect("at first", true, "ok", "")
	redis.RequireAuth("a password that the service does not have")
	expect("while Redis refuses", false, "unavailable", "readiness probe failed")
	expect("still", false, "unavailable", "")
	repair := true
	h.needsRepair = func() bool { return repair }
	expect("while its own Redis needs help", false,
		"unavailable: needs repair; see the error \"redis-server cannot be started\" in the log", "readiness probe failed")
	repair = false
	expect("after the repair", false, "unavailable", "readiness probe failed")
	redis.RequireAuth("")
	expect("afterwards", true, "ok", "readiness probe passes again")
	// A drain makes the service not ready without a failure of Redis.
	h.draining.Store(true)
	expect("while it drains", false, "ok", "")
}

// /readyz names each storage with its last health, from a closed set of words.
func TestReadinessOfStorages(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	r, err := operator(t, s, key).Ready(t.Context())
	if err != nil || !r.Ready || len(r.Storages) != 1 || r.Storages["main"] == "" {
		t.Errorf("got %+v, %v", r, err)
	}
}

package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// prepared returns a subject of fakes over a real Redis, and its benchmark.
func prepared(t *testing.T, r row) (*bench, *subject) {
	t.Helper()
	install(t, "wrk", wrkAnswers)
	b := setUpFakes(t, testOptions(t))
	r.setDefaults()
	s, err := b.prepare(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

// TestPrepare starts the servers of a row, knows its links, and aims the load at them.
func TestPrepare(t *testing.T) {
	b, s := prepared(t, row{name: "Keyhole", links: linksPlain, gateways: 2})
	if len(s.servers) != 2 || len(s.load.addresses) != 2 || s.load.addresses[0] == s.load.addresses[1] {
		t.Errorf("%d servers at %q", len(s.servers), s.load.addresses)
	}
	if len(s.tokens) != b.o.links || s.load.file != s.store.files[linksPlain] || s.load.method != http.MethodGet {
		t.Errorf("%d links, load %+v", len(s.tokens), s.load)
	}
	if s.load.refused || s.load.forwarded || s.load.connections != b.o.connections {
		t.Errorf("the load is %+v", s.load)
	}
	if len(b.processes) != 4 { // the storage, Redis and two gateways
		t.Errorf("%d processes", len(b.processes))
	}
}

// TestPrepareRefuses does not measure a service whose answers are wrong.
func TestPrepareRefuses(t *testing.T) {
	install(t, "wrk", wrkAnswers)
	b := setUpFakes(t, testOptions(t))
	wrong := row{name: "Keyhole", links: linksPlain, status: http.StatusSeeOther}
	wrong.setDefaults()
	if _, err := b.prepare(t.Context(), &wrong); err == nil || !strings.Contains(err.Error(), "answered 302") {
		t.Errorf("got %v", err)
	}
}

// TestMeasureAtARate uses the rate of the reference, but at most half of the throughput.
func TestMeasureAtARate(t *testing.T) {
	b, s := prepared(t, row{name: "Keyhole", links: linksPlain, warm: true})
	for rate, want := range map[float64]float64{0: 100, 40: 40, 1000: 100} {
		m, err := b.measure(t.Context(), s, rate)
		if err != nil {
			t.Fatal(err)
		}
		if m.Rate != want || m.Throughput != 200 {
			t.Errorf("rate %g: measured at %g of %g a second", rate, m.Rate, m.Throughput)
		}
		if m.CPU != m.GatewayCPU+m.RedisCPU || m.ClicksPerCall != 0 {
			t.Errorf("rate %g: %+v", rate, m)
		}
	}
}

// TestMeasureFails reports a server that has ended between two turns.
func TestMeasureFails(t *testing.T) {
	b, s := prepared(t, row{name: "echo + GET", floor: floorGet})
	s.servers[0].stop()
	if _, err := b.measure(t.Context(), s, 0); err == nil {
		t.Error("a floor that has ended was measured")
	}
	b, s = prepared(t, row{name: "Keyhole", links: linksPlain, warm: true})
	s.servers[0].stop()
	if _, err := b.measure(t.Context(), s, 0); err == nil {
		t.Error("a gateway that has ended was asked before its turn")
	}
}

// TestSpent counts the time of the servers and of Redis, and the calls, only of the call.
func TestSpent(t *testing.T) {
	b, s := prepared(t, row{name: "echo + GET", floor: floorGet})
	c := redisClient(t, s.store.addresses[0])
	work := func() error {
		digest, err := c.ScriptLoad(t.Context(), "for i = 1, 3000000 do end").Result()
		for range 3 {
			err = errors.Join(err, ignoreNil(c.EvalSha(t.Context(), digest, nil).Err()))
		}
		return err
	}
	if err := work(); err != nil { // before, so it must not count
		t.Fatal(err)
	}
	servers, redis, calls, err := b.spent(t.Context(), s, "x", work)
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if redis <= 0 || redis > 30*time.Second || servers < 0 || servers > redis {
		t.Errorf("Redis took %v, the floor %v", redis, servers)
	}
	cause := errors.New("the load failed")
	if _, _, _, err := b.spent(t.Context(), s, "x", func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := b.spent(ctx, s, "x", func() error { return nil }); err == nil {
		t.Error("figures were read after the end")
	}
}

// ignoreNil returns an error of Redis, but none for a reply that is nil.
func ignoreNil(err error) error {
	if err != nil && err.Error() == "redis: nil" {
		return nil
	}
	return err
}

package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestEverySeriesOfAClosedSetIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	NewMetrics(registry,
		MetricsOptions{Storages: []string{"main", "other"}, Version: "v1", Revision: "abc", GoVersion: "go1.26"})
	got := seriesOf(t, registry)

	want := map[string]float64{
		"keyhole_build_info{goversion=go1.26,revision=abc,version=v1}": 1,
		"keyhole_misses_total{}":                              0,
		"keyhole_links_revoked_total{how=single}":             0,
		"keyhole_links_revoked_total{how=bulk}":               0,
		"keyhole_console_sign_in_failures_total{method=key}":  0,
		"keyhole_console_sign_in_failures_total{method=oidc}": 0,
	}
	for _, storage := range []string{"main", "other"} {
		want["keyhole_sign_duration_seconds{storage="+storage+"}"] = 0
		for _, preset := range []string{"handoff", "troubleshooting", "business", "extended", "custom"} {
			want["keyhole_links_issued_total{preset="+preset+",storage="+storage+"}"] = 0
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func TestObserversCount(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, MetricsOptions{Storages: []string{"main"}})
	m.RedisCall("admit", "ok", time.Millisecond)
	m.RedisCall("admit", "ok", time.Millisecond)
	m.StorageRequest("main", "head_object", "denied", time.Millisecond)
	m.issues.issued(PresetCustom, "main")
	m.revokes.revoked(revokedBulk, 1)
	m.clicks.signed("main", time.Microsecond)
	got := seriesOf(t, registry)
	for name, want := range map[string]float64{
		"keyhole_redis_call_duration_seconds{call=admit,result=ok}":                                  2,
		"keyhole_storage_request_duration_seconds{operation=head_object,result=denied,storage=main}": 1,
		"keyhole_links_issued_total{preset=custom,storage=main}":                                     1,
		"keyhole_links_revoked_total{how=bulk}":                                                      1,
		"keyhole_links_revoked_total{how=single}":                                                    0,
		"keyhole_sign_duration_seconds{storage=main}":                                                1,
		"keyhole_storage_request_duration_seconds{operation=head_object,result=ok,storage=main}":     0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// Two services in one process, as in tests and the demo, count separately.
func TestTwoInstancesInOneProcess(t *testing.T) {
	t.Parallel()
	one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
	NewMetrics(one, MetricsOptions{}).clicks.missed()
	NewMetrics(two, MetricsOptions{})
	const name = "keyhole_misses_total{}"
	if a, b := seriesOf(t, one)[name], seriesOf(t, two)[name]; a != 1 || b != 0 {
		t.Errorf("got %v and %v, want 1 and 0", a, b)
	}
}

func TestRegisterGauge(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	value, failure := 41.0, error(nil)
	var mu sync.Mutex // a registry asks its collectors side by side
	var deadlines []time.Duration
	read := func(ctx context.Context) (float64, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("the read is not bounded")
		}
		mu.Lock()
		defer mu.Unlock()
		deadlines = append(deadlines, time.Until(deadline))
		return value, failure
	}
	RegisterGauge(registry, time.Second, Gauge{
		Name: "links_active", Help: "Live links.", Type: prometheus.GaugeValue, Read: read,
	})
	RegisterGauge(registry, time.Second, Gauge{
		Name: "dropped_total", Help: "Dropped.", Type: prometheus.CounterValue, Read: read,
		Labels: prometheus.Labels{"storage": "main"},
	})

	got := seriesOf(t, registry)
	if got["keyhole_links_active{}"] != 41 || got["keyhole_dropped_total{storage=main}"] != 41 {
		t.Errorf("got %v", got)
	}
	value = 42
	if got := seriesOf(t, registry)["keyhole_links_active{}"]; got != 42 {
		t.Errorf("the next scrape says %v, want 42", got)
	}
	// What cannot be known is absent, not 0, and fails no scrape.
	failure = errors.New("redis is away")
	if got := seriesOf(t, registry); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	for _, d := range deadlines {
		if d > time.Second {
			t.Errorf("a read may take %s, want 1s at most", d)
		}
	}
}

package httpapi

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway"
)

// seriesOf returns every series of a registry: the value of a counter, and the number of
// observations of a histogram.
func seriesOf(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue()
			if h := m.GetHistogram(); h != nil {
				value = float64(h.GetSampleCount())
			}
			found[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return found
}

func TestEverySeriesOfClicksIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	NewMetrics(registry)
	got := seriesOf(t, registry)
	want := map[string]float64{}
	for _, outcome := range gateway.Outcomes() {
		want["keyhole_click_duration_seconds{outcome="+string(outcome)+"}"] = 0
		for _, method := range []string{"GET", "HEAD", "POST", "other"} {
			want["keyhole_clicks_total{method="+method+",outcome="+string(outcome)+"}"] = 0
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

func TestClickedFoldsMethodsAndOutcomes(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	before := len(seriesOf(t, registry))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "TRACE", "get", "X\xff", strings.Repeat("A", 4096)} {
		m.Clicked(gateway.OutcomeNotFound, method, time.Millisecond)
	}
	got := seriesOf(t, registry)
	for method, n := range map[string]float64{"GET": 1, "HEAD": 1, "POST": 1, "other": 5} {
		if name := "keyhole_clicks_total{method=" + method + ",outcome=not_found}"; got[name] != n {
			t.Errorf("%s is %v, want %v", name, got[name], n)
		}
	}
	if n := got["keyhole_click_duration_seconds{outcome=not_found}"]; n != 8 {
		t.Errorf("%v durations, want 8", n)
	}
	if len(got) != before {
		t.Errorf("%d series became %d", before, len(got))
	}
}

func TestAPIRequestCounts(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	m.APIRequest("/api/v1/links", "GET", "200")
	m.APIRequest("/api/v1/links", "PATCH", "200")
	m.APIRequest("/api/v1/links", "BREW", "200")
	got := seriesOf(t, registry)
	for method, want := range map[string]float64{"GET": 1, "other": 2} {
		if name := "keyhole_api_requests_total{code=200,method=" + method + ",route=/api/v1/links}"; got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// Two services in one process, as in tests and the demo, count separately.
func TestTwoInstancesInOneProcess(t *testing.T) {
	t.Parallel()
	one, two := prometheus.NewRegistry(), prometheus.NewRegistry()
	NewMetrics(one).Clicked(gateway.OutcomeRedirected, "GET", 0)
	NewMetrics(two)
	const name = "keyhole_clicks_total{method=GET,outcome=redirected}"
	if a, b := seriesOf(t, one)[name], seriesOf(t, two)[name]; a != 1 || b != 0 {
		t.Errorf("got %v and %v, want 1 and 0", a, b)
	}
}

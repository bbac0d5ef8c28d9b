package server

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A listener without a certificate reports 0, so that the alert for an expired certificate
// fires.
func TestCertificateExpiry(t *testing.T) {
	ends := map[string]func() time.Time{
		"public":   func() time.Time { return time.Time{} },
		"operator": func() time.Time { return time.Unix(1_800_000_000, 0) },
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCertificateExpiry(ends))
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("gathered %v, %v", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
	}
	if want := map[string]float64{"operator": 1_800_000_000, "public": 0}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A failed order is visible long before the certificate expires.
func TestOrderFailed(t *testing.T) {
	failing := false
	registry := prometheus.NewRegistry()
	registry.MustRegister(newOrderFailed(func() bool { return failing }))
	for _, want := range []float64{0, 1} {
		families, err := registry.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "keyhole_certificate_order_failed" {
			t.Fatalf("gathered %v, %v", families, err)
		}
		if got := families[0].GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("failing %v: %v", failing, got)
		}
		failing = true
	}
}

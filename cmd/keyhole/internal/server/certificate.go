package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificateExpiry reports the ends of the certificates of the listeners that speak TLS.
type certificateExpiry struct {
	ends map[string]func() time.Time // by the name of the listener
	desc *prometheus.Desc
}

// newCertificateExpiry returns the collector for the given listeners.
func newCertificateExpiry(ends map[string]func() time.Time) *certificateExpiry {
	return &certificateExpiry{ends, prometheus.NewDesc("keyhole_certificate_expiry_timestamp_seconds",
		"When the certificate of a listener expires, Unix time; 0 if it has no certificate yet, and absent without TLS.",
		[]string{"listener"}, nil)}
}

// Describe implements prometheus.Collector.
func (e *certificateExpiry) Describe(out chan<- *prometheus.Desc) { out <- e.desc }

// Collect implements prometheus.Collector.
func (e *certificateExpiry) Collect(out chan<- prometheus.Metric) {
	for name, end := range e.ends {
		seconds := 0.0
		if at := end(); !at.IsZero() {
			seconds = float64(at.Unix())
		}
		out <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, seconds, name)
	}
}

// certificateEnds returns for each listener that speaks TLS the end of its certificate. The
// functions may be called when the listeners are open.
func (s *Server) certificateEnds() map[string]func() time.Time {
	ends := map[string]func() time.Time{}
	if s.configured.Public.TLS.CertFile != "" {
		ends["public"] = func() time.Time { return s.public.CertificateExpiry() }
	}
	if s.configured.Operator.TLS.CertFile != "" {
		ends["operator"] = func() time.Time { return s.operator.CertificateExpiry() }
	}
	return ends
}

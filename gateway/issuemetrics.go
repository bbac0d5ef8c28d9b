package gateway

import "github.com/prometheus/client_golang/prometheus"

// issueMetrics counts the links that Service.Issue makes.
type issueMetrics struct{ links *prometheus.CounterVec }

// newIssueMetrics registers the metric of issues.
func newIssueMetrics(registerer prometheus.Registerer, storages []string) *issueMetrics {
	m := &issueMetrics{counter("links_issued_total",
		"Links issued, by preset (custom: expires_in was given) and storage.", "preset", "storage")}
	registerer.MustRegister(m.links)
	for _, name := range storages {
		for _, preset := range append(Presets(), PresetCustom) {
			m.links.WithLabelValues(preset, name)
		}
	}
	return m
}

// issued counts one link.
func (m *issueMetrics) issued(preset, storage string) { m.links.WithLabelValues(preset, storage).Inc() }

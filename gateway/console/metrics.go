package console

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts the requests to the console. Both labels come from closed sets.
type Metrics struct {
	requests *prometheus.CounterVec
}

// NewMetrics registers the collector with registerer. It panics if registerer already has
// it.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "keyhole", Name: "console_requests_total", Help: "Requests to the console, by page and HTTP status.",
	}, []string{"page", "code"})}
	registerer.MustRegister(m.requests)
	return m
}

// Pages returns every value of the label page, sorted.
func Pages() []string {
	names := []string{noPage}
	for _, r := range routes() {
		names = append(names, r.page)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Request counts one answered request for a page, one of Pages.
func (m *Metrics) Request(page string, status int) {
	m.requests.WithLabelValues(page, strconv.Itoa(status)).Inc()
}

package console

import (
	"net/http"
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
	m.requests.WithLabelValues(noPage, strconv.Itoa(http.StatusOK))
	for _, r := range routes() { // every page has a series before its first request
		m.requests.WithLabelValues(r.page, strconv.Itoa(http.StatusOK))
	}
	return m
}

// request counts one answered request.
func (m *Metrics) request(page string, status int) {
	m.requests.WithLabelValues(page, strconv.Itoa(status)).Inc()
}

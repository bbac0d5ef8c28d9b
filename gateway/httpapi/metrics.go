package httpapi

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway"
)

// methodOther is the label of all methods without their own series.
const methodOther = "other"

// Metrics counts the requests of recipients and operators. Every label comes from a closed
// set: none holds a token, a key, an address or a path.
type Metrics struct {
	clicks   map[gateway.Outcome]*clickMetrics
	requests *prometheus.CounterVec
}

// clickMetrics counts the clicks with one outcome.
type clickMetrics struct {
	byMethod map[string]prometheus.Counter // the key is a result of metricMethod
	duration prometheus.Observer
}

// NewMetrics registers the collectors with registerer. It panics if registerer already
// has them.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		clicks: map[gateway.Outcome]*clickMetrics{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "keyhole", Name: "api_requests_total",
			Help: "Requests of operators, by route, method and HTTP status.",
		}, []string{"route", "method", "code"}),
	}
	clicks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "keyhole", Name: "clicks_total", Help: "Requests of recipients, by outcome and method.",
	}, []string{"outcome", "method"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "keyhole", Name: "click_duration_seconds",
		Help:    "Duration of recipients' requests until the answer, by outcome.",
		Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, .75, 1, 2.5},
	}, []string{"outcome"})
	registerer.MustRegister(m.requests, clicks, durations)
	// Every series of a closed set starts at 0, because rate() misses the first event of
	// a counter that appears with that event.
	for _, outcome := range gateway.Outcomes() {
		of := &clickMetrics{byMethod: map[string]prometheus.Counter{}, duration: durations.WithLabelValues(string(outcome))}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, methodOther} {
			of.byMethod[method] = clicks.WithLabelValues(string(outcome), method)
		}
		m.clicks[outcome] = of
	}
	return m
}

// Clicked counts one answered request of a recipient. A method other than GET, HEAD and
// POST counts as "other".
func (m *Metrics) Clicked(outcome gateway.Outcome, method string, d time.Duration) {
	of := m.clicks[outcome]
	of.byMethod[metricMethod(method)].Inc()
	of.duration.Observe(d.Seconds())
}

// APIRequest counts one answered request of an operator. route is the pattern of the route,
// never a path. A method other than GET, HEAD and POST counts as "other".
func (m *Metrics) APIRequest(route, method, code string) {
	m.requests.WithLabelValues(route, metricMethod(method), code).Inc()
}

// metricMethod returns GET, HEAD or POST unchanged and "other" for all other methods,
// because clients can invent any number of methods.
func metricMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return method
	}
	return methodOther
}

package gateway

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// methodOther stands for every method except GET, HEAD and POST.
const methodOther = "other"

// clickMetrics counts what Service.Click and the public handler do.
type clickMetrics struct {
	outcomes map[Outcome]*outcomeMetrics
	misses   prometheus.Counter
	signing  map[string]prometheus.Observer // by storage
}

// outcomeMetrics counts the clicks of one outcome.
type outcomeMetrics struct {
	byMethod map[string]prometheus.Counter // the key is a result of fold
	duration prometheus.Observer
}

// newClickMetrics registers the metrics of clicks. Every series of a closed set
// exists from the start with the value 0: rate() over a counter that appears with its
// first event misses that event.
func newClickMetrics(registerer prometheus.Registerer, storages []string) *clickMetrics {
	clicks := counter("clicks_total", "Requests of recipients, by outcome and method.", "outcome", "method")
	durations := histogram("click_duration_seconds", "Duration of recipients' requests until the answer, by outcome.",
		fastBuckets(), "outcome")
	signing := histogram("sign_duration_seconds", "Duration of signing a URL, by storage.", signBuckets(), "storage")
	m := &clickMetrics{
		outcomes: map[Outcome]*outcomeMetrics{},
		signing:  map[string]prometheus.Observer{},
		misses: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "keyhole", Name: "misses_total",
			Help: "Requests with a well-formed token of no known link: mistyped, forgotten or guessed.",
		}),
	}
	registerer.MustRegister(clicks, durations, signing, m.misses)
	for _, outcome := range Outcomes() {
		of := &outcomeMetrics{duration: durations.WithLabelValues(string(outcome)), byMethod: map[string]prometheus.Counter{}}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, methodOther} {
			of.byMethod[method] = clicks.WithLabelValues(string(outcome), method)
		}
		m.outcomes[outcome] = of
	}
	for _, name := range storages {
		m.signing[name] = signing.WithLabelValues(name)
	}
	return m
}

// Clicked counts one answered request of a recipient. A method other than GET, HEAD
// and POST counts as other.
func (m *Metrics) Clicked(outcome Outcome, method string, d time.Duration) {
	of := m.clicks.outcomes[outcome]
	of.byMethod[fold(method)].Inc()
	of.duration.Observe(d.Seconds())
}

// fold returns GET, HEAD and POST as they are, and one name for all other methods,
// because clients can invent any number of them.
func fold(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return method
	}
	return methodOther
}

// missed counts one request for a link that does not exist.
func (m *clickMetrics) missed() { m.misses.Inc() }

// signed counts one signature for a storage, successful or not.
func (m *clickMetrics) signed(storage string, d time.Duration) {
	m.signing[storage].Observe(d.Seconds())
}

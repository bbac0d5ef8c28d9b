package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clickMetrics counts misses and signatures of Service.Click. The public handler counts
// the outcomes.
type clickMetrics struct {
	misses  prometheus.Counter
	signing map[string]prometheus.Observer // by storage
}

// newClickMetrics registers the metrics of clicks. Every series of a closed set
// exists from the start with the value 0: rate() over a counter that appears with its
// first event misses that event.
func newClickMetrics(registerer prometheus.Registerer, storages []string) *clickMetrics {
	signing := histogram("sign_duration_seconds", "Duration of signing a URL, by storage.", signBuckets(), "storage")
	m := &clickMetrics{
		signing: map[string]prometheus.Observer{},
		misses: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "keyhole", Name: "misses_total",
			Help: "Requests with a well-formed token of no known link: mistyped, forgotten or guessed.",
		}),
	}
	registerer.MustRegister(signing, m.misses)
	for _, name := range storages {
		m.signing[name] = signing.WithLabelValues(name)
	}
	return m
}

// missed counts one request for a link that does not exist.
func (m *clickMetrics) missed() { m.misses.Inc() }

// signed counts one signature for a storage, successful or not.
func (m *clickMetrics) signed(storage string, d time.Duration) {
	m.signing[storage].Observe(d.Seconds())
}

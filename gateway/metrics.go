package gateway

import (
	"context"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How a link was revoked, the label of links_revoked_total.
const (
	revokedSingle = "single"
	revokedBulk   = "bulk"
)

// methodOther stands for every method but GET, HEAD and POST.
const methodOther = "other"

// Metrics holds the collectors of the gateway. Every label comes from a closed
// set: none ever holds a token, a key, an address or a path.
type Metrics struct {
	clicks  map[Outcome]*clickMetrics
	misses  prometheus.Counter
	issues  *prometheus.CounterVec
	revokes map[string]prometheus.Counter
	signing map[string]prometheus.Observer
	redis   *calls
	storage *prometheus.HistogramVec
	api     *prometheus.CounterVec
}

// clickMetrics is what clicks of one outcome are counted in.
type clickMetrics struct {
	byMethod map[string]prometheus.Counter // by fold
	duration prometheus.Observer
}

// calls is a histogram of calls by their name and result, for those who call too
// often for a look-up of labels. A pair exists from its first call.
type calls struct {
	histogram *prometheus.HistogramVec
	known     atomic.Pointer[map[[2]string]prometheus.Observer]
}

// observe counts one call.
func (c *calls) observe(call, result string, d time.Duration) {
	pair := [2]string{call, result}
	observer, ok := (*c.known.Load())[pair]
	if !ok {
		observer = c.histogram.WithLabelValues(call, result)
		for {
			before := c.known.Load()
			after := maps.Clone(*before)
			after[pair] = observer
			if c.known.CompareAndSwap(before, &after) {
				break
			}
		}
	}
	observer.Observe(d.Seconds())
}

// MetricsOptions says what the closed sets hold.
type MetricsOptions struct {
	Storages []string
	// The service's build, for build_info.
	Version, Revision, GoVersion string
}

// NewMetrics registers the gateway's collectors with registerer.
func NewMetrics(registerer prometheus.Registerer, o MetricsOptions) *Metrics {
	m := &Metrics{
		clicks:  map[Outcome]*clickMetrics{},
		revokes: map[string]prometheus.Counter{},
		signing: map[string]prometheus.Observer{},
		misses: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "keyhole", Name: "misses_total",
			Help: "Requests for a link that does not exist, by what could be a token: mistyped, forgotten or guessed.",
		}),
		issues: counter("links_issued_total", "Links issued, by preset (custom: expires_in was given) and storage.",
			"preset", "storage"),
		redis: &calls{histogram: histogram("redis_call_duration_seconds", "Duration of calls to Redis, by call and result.",
			fastBuckets(), "call", "result")},
		storage: histogram("storage_request_duration_seconds", "Duration of requests to a storage, by operation and result.",
			slowBuckets(), "storage", "operation", "result"),
		api: counter("api_requests_total", "Requests of operators, by route, method and HTTP status.",
			"route", "method", "code"),
	}
	clicks := counter("clicks_total", "Requests of recipients, by outcome and method.", "outcome", "method")
	durations := histogram("click_duration_seconds", "Duration of recipients' requests until the answer, by outcome.",
		fastBuckets(), "outcome")
	revokes := counter("links_revoked_total", "Links revoked, one at a time or in bulk.", "how")
	signing := histogram("sign_duration_seconds", "Duration of signing a URL, by storage.", signBuckets(), "storage")
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "keyhole", Name: "build_info", Help: "Always 1; the labels say what is running.",
	}, []string{"version", "revision", "goversion"})
	registerer.MustRegister(clicks, durations, m.misses, m.issues, revokes, signing, m.redis.histogram, m.storage, m.api, build)

	// Every series of a closed set exists from the start, at 0: a rate over a
	// counter that appears with its first event would miss that event.
	for _, outcome := range Outcomes() {
		of := &clickMetrics{duration: durations.WithLabelValues(string(outcome)), byMethod: map[string]prometheus.Counter{}}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, methodOther} {
			of.byMethod[method] = clicks.WithLabelValues(string(outcome), method)
		}
		m.clicks[outcome] = of
	}
	m.redis.known.Store(&map[[2]string]prometheus.Observer{})
	for _, how := range []string{revokedSingle, revokedBulk} {
		m.revokes[how] = revokes.WithLabelValues(how)
	}
	for _, name := range o.Storages {
		m.signing[name] = signing.WithLabelValues(name)
		for _, preset := range append(Presets(), PresetCustom) {
			m.issues.WithLabelValues(preset, name)
		}
	}
	build.WithLabelValues(o.Version, o.Revision, o.GoVersion).Set(1)
	return m
}

// Clicked counts one answered request of a recipient. method is folded to GET,
// HEAD, POST and other.
func (m *Metrics) Clicked(outcome Outcome, method string, d time.Duration) {
	of := m.clicks[outcome]
	of.byMethod[fold(method)].Inc()
	of.duration.Observe(d.Seconds())
}

// fold keeps the methods that are of interest, and puts all others under one
// name: clients may invent any.
func fold(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
		return method
	}
	return methodOther
}

// RedisCall counts one call to Redis.
func (m *Metrics) RedisCall(call, result string, d time.Duration) {
	m.redis.observe(call, result, d)
}

// StorageRequest counts one request to a storage.
func (m *Metrics) StorageRequest(storage, operation, result string, d time.Duration) {
	m.storage.WithLabelValues(storage, operation, result).Observe(d.Seconds())
}

// APIRequest counts one request of an operator. route is the route's pattern,
// never a path; method is folded like a click's.
func (m *Metrics) APIRequest(route, method, code string) {
	m.api.WithLabelValues(route, fold(method), code).Inc()
}

func (m *Metrics) issued(preset, storage string) { m.issues.WithLabelValues(preset, storage).Inc() }

func (m *Metrics) revoked(how string, links int) { m.revokes[how].Add(float64(links)) }

func (m *Metrics) missed() { m.misses.Inc() }

func (m *Metrics) signed(storage string, d time.Duration) { m.signing[storage].Observe(d.Seconds()) }

// counter makes a counter of the keyhole namespace.
func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "keyhole", Name: name, Help: help}, labels)
}

// histogram makes a histogram of the keyhole namespace.
func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "keyhole", Name: name, Help: help, Buckets: buckets,
	}, labels)
}

// fastBuckets spans a round trip to a near Redis and redis.timeout with its margin.
func fastBuckets() []float64 {
	return []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, .75, 1, 2.5}
}

// slowBuckets spans a request to a storage near or far.
func slowBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// signBuckets spans a signature with a kept key and one that had to fetch
// credentials first.
func signBuckets() []float64 {
	return []float64{.000001, .0000025, .000005, .00001, .000025, .0001, .001, .01, .1, 1}
}

// Gauge is a value that is asked for when the metrics are scraped.
type Gauge struct {
	Name   string
	Help   string
	Labels prometheus.Labels
	// Type is prometheus.GaugeValue or prometheus.CounterValue.
	Type prometheus.ValueType
	// Read returns the value, or an error: the series is then absent, because an
	// unknown number is not 0.
	Read func(context.Context) (float64, error)
}

// RegisterGauge registers a value that is asked for at each scrape, within timeout.
func RegisterGauge(registerer prometheus.Registerer, timeout time.Duration, g Gauge) {
	registerer.MustRegister(&scraped{
		gauge:   g,
		desc:    prometheus.NewDesc("keyhole_"+g.Name, g.Help, nil, g.Labels),
		timeout: timeout,
	})
}

// scraped is the collector of one Gauge.
type scraped struct {
	gauge   Gauge
	desc    *prometheus.Desc
	timeout time.Duration
}

// Describe sends the one description.
func (s *scraped) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect asks for the value; what cannot be known is left out.
func (s *scraped) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if value, err := s.gauge.Read(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(s.desc, s.gauge.Type, value)
	}
}

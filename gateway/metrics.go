package gateway

import "github.com/prometheus/client_golang/prometheus"

// Metrics holds the collectors of the gateway. Each group is defined beside the code
// that counts it. Every label comes from a closed set: no label holds a token, a key,
// an address or a path.
type Metrics struct {
	clicks  *clickMetrics
	issues  *issueMetrics
	revokes revokeMetrics
	calls   *callMetrics

	signInFailures *prometheus.CounterVec
}

// MetricsOptions holds the label values that come from the configuration and the build.
type MetricsOptions struct {
	Storages []string
	// Version, Revision and GoVersion describe the build, for build_info.
	Version, Revision, GoVersion string
}

// NewMetrics registers the collectors of the gateway with registerer. It panics if
// registerer already has them.
func NewMetrics(registerer prometheus.Registerer, o MetricsOptions) *Metrics {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "keyhole", Name: "build_info", Help: "Always 1; the labels say what is running.",
	}, []string{"version", "revision", "goversion"})
	registerer.MustRegister(build)
	build.WithLabelValues(o.Version, o.Revision, o.GoVersion).Set(1)
	return &Metrics{
		clicks:  newClickMetrics(registerer, o.Storages),
		issues:  newIssueMetrics(registerer, o.Storages),
		revokes: newRevokeMetrics(registerer),
		calls:   newCallMetrics(registerer),

		signInFailures: newSignInMetrics(registerer),
	}
}

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

// fastBuckets are for calls to Redis, in seconds: from a round trip to a near Redis up to
// redis.timeout and its margin.
func fastBuckets() []float64 {
	return []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, .75, 1, 2.5}
}

// slowBuckets are for requests to a near or far storage, in seconds.
func slowBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// signBuckets are for signatures, in seconds: from one with a cached key up to one that
// first fetches credentials.
func signBuckets() []float64 {
	return []float64{.000001, .0000025, .000005, .00001, .000025, .0001, .001, .01, .1, 1}
}

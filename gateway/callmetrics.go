package gateway

import (
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// callMetrics counts the calls of the adapters. Adapters do not know this type: the
// server's wiring gives each adapter a function to report to.
type callMetrics struct {
	redis   *callHistogram
	storage *prometheus.HistogramVec
}

// newCallMetrics registers the metrics of the adapters.
func newCallMetrics(registerer prometheus.Registerer) *callMetrics {
	m := &callMetrics{
		redis: &callHistogram{vec: histogram("redis_call_duration_seconds",
			"Duration of calls to Redis, by call and result.", fastBuckets(), "call", "result")},
		storage: histogram("storage_request_duration_seconds",
			"Duration of requests to a storage, by operation and result.",
			slowBuckets(), "storage", "operation", "result"),
	}
	m.redis.known.Store(&map[[2]string]prometheus.Observer{})
	registerer.MustRegister(m.redis.vec, m.storage)
	return m
}

// callHistogram is a histogram of calls by name and result. Every click makes a call, and
// looking up labels each time would cost too much, so callHistogram caches the observers.
// A series exists from its first call.
type callHistogram struct {
	vec   *prometheus.HistogramVec
	known atomic.Pointer[map[[2]string]prometheus.Observer]
}

// observe counts one call.
func (c *callHistogram) observe(call, result string, d time.Duration) {
	pair := [2]string{call, result}
	observer, ok := (*c.known.Load())[pair]
	if !ok {
		observer = c.vec.WithLabelValues(call, result)
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

// RedisCall counts one call to Redis.
func (m *Metrics) RedisCall(call, result string, d time.Duration) {
	m.calls.redis.observe(call, result, d)
}

// StorageRequest counts one request to a storage.
func (m *Metrics) StorageRequest(storage, operation, result string, d time.Duration) {
	m.calls.storage.WithLabelValues(storage, operation, result).Observe(d.Seconds())
}

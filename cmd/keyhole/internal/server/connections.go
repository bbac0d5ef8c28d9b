package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/listen"
)

// limitedListener is a listener with limits, a *listen.Listener.
type limitedListener interface {
	Connections() (open, limit int)
	Limited() listen.Limited
}

// connections reports the connections of the listeners and what their limits did.
type connections struct {
	listeners            map[string]limitedListener // by name
	open, limit, limited *prometheus.Desc
}

// registerConnections registers the metrics of the given listeners.
func registerConnections(registry prometheus.Registerer, listeners map[string]limitedListener) {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("keyhole_"+name, help, append([]string{"listener"}, more...), nil)
	}
	registry.MustRegister(&connections{
		listeners: listeners,
		open:      desc("connections", "Open connections of a listener."),
		limit: desc("connections_limit", "The most connections that a listener keeps open. At the limit, the gateway closes "+
			"a waiting connection for a new one, or refuses the new one."),
		limited: desc("connections_limited_total", "Connections that a limit of a listener closed for others or refused, "+
			"and requests of HTTP/2 that it refused with 503, by listener and action.", "action"),
	})
}

// Describe implements prometheus.Collector.
func (c *connections) Describe(out chan<- *prometheus.Desc) {
	out <- c.open
	out <- c.limit
	out <- c.limited
}

// Collect implements prometheus.Collector.
func (c *connections) Collect(out chan<- prometheus.Metric) {
	for name, l := range c.listeners {
		open, limit := l.Connections()
		out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(open), name)
		out <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(limit), name)
		limited := l.Limited()
		for action, n := range map[string]uint64{
			"connection_closed": limited.ConnectionsClosed, "connection_refused": limited.ConnectionsRefused,
			"request_refused": limited.RequestsRefused,
		} {
			out <- prometheus.MustNewConstMetric(c.limited, prometheus.CounterValue, float64(n), name, action)
		}
	}
}

// limitedListeners returns each listener by its name. The listeners must be served, because
// that is when their limits are set.
func (s *Server) limitedListeners() map[string]limitedListener {
	limited := map[string]limitedListener{}
	for name, l := range map[string]*listen.Listener{
		"public": s.public, "redirect": s.redirect, "operator": s.operator, "metrics": s.metrics,
	} {
		if l != nil {
			limited[name] = l
		}
	}
	return limited
}

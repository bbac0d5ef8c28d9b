package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/listen"
)

// connections reports the open connections of the listeners.
type connections struct {
	usage       map[string]func() (open, limit int) // by the name of the listener
	open, limit *prometheus.Desc
}

// registerConnections registers the metrics of the given listeners.
func registerConnections(registry prometheus.Registerer, usage map[string]func() (open, limit int)) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("keyhole_"+name, help, []string{"listener"}, nil)
	}
	registry.MustRegister(&connections{
		usage: usage,
		open:  desc("connections", "Open connections of a listener."),
		limit: desc("connections_limit", "The most connections that a listener keeps open. At the limit, the gateway closes "+
			"a waiting connection for a new one, or refuses the new one."),
	})
}

// Describe implements prometheus.Collector.
func (c *connections) Describe(out chan<- *prometheus.Desc) {
	out <- c.open
	out <- c.limit
}

// Collect implements prometheus.Collector.
func (c *connections) Collect(out chan<- prometheus.Metric) {
	for name, usage := range c.usage {
		open, limit := usage()
		out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(open), name)
		out <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(limit), name)
	}
}

// connectionUsage returns the connections of each listener. The listeners must be served,
// because that is when their limits are set.
func (s *Server) connectionUsage() map[string]func() (open, limit int) {
	usage := map[string]func() (open, limit int){}
	for name, l := range map[string]*listen.Listener{
		"public": s.public, "redirect": s.redirect, "operator": s.operator, "metrics": s.metrics,
	} {
		if l != nil {
			usage[name] = l.Connections
		}
	}
	return usage
}

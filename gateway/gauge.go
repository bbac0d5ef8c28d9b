package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauge is a value that is read when the metrics are scraped.
type Gauge struct {
	Name   string
	Help   string
	Labels prometheus.Labels
	// Type is prometheus.GaugeValue or prometheus.CounterValue.
	Type prometheus.ValueType
	// Read returns the value. After an error the scrape has no such series, because an
	// unknown value is not 0.
	Read func(context.Context) (float64, error)
}

// RegisterGauge registers a value that is read at each scrape, within timeout.
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

// Describe implements prometheus.Collector.
func (s *scraped) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }

// Collect implements prometheus.Collector. It sends nothing if the read fails.
func (s *scraped) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if value, err := s.gauge.Read(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(s.desc, s.gauge.Type, value)
	}
}

package server

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway/redisstore"
)

// auditUsageLife is how long the usage of the audit is reported before it is read again. It
// is asked from 192 streams, so that not every scrape may do it.
const auditUsageLife = time.Minute

// auditUsage reports how full the audit is.
type auditUsage struct {
	read    func(context.Context) ([]redisstore.AuditUsage, error)
	timeout time.Duration
	now     func() time.Time

	events, limit, fullest, complete *prometheus.Desc

	mu   sync.Mutex
	last []redisstore.AuditUsage // nil: unknown
	at   time.Time               // when last was read
}

// registerAuditUsage registers the metrics of the audit's usage. A scrape waits for Redis at
// most timeout and then omits them.
func registerAuditUsage(
	registry prometheus.Registerer, timeout time.Duration, now func() time.Time,
	read func(context.Context) ([]redisstore.AuditUsage, error),
) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("keyhole_audit_"+name, help, []string{"kind"}, nil)
	}
	const everywhere = "; the same from every gateway, absent while Redis is unreachable."
	registry.MustRegister(&auditUsage{
		read: read, timeout: timeout, now: now,
		events: desc("events", "Events that the audit has, by kind (refusals: also pages and failures)"+everywhere),
		limit: desc("events_limit", "The number of events from which new ones replace the oldest, by kind; absent for "+
			"operations, which are removed by their age."),
		fullest: desc("fullest_partition_ratio", "Use of the fullest of the 64 partitions of the audit, by kind, 0 to 1: "+
			"at 1 its new events replace the oldest"+everywhere),
		complete: desc("complete_since_timestamp_seconds", "The time since which the audit has every event, by kind, Unix "+
			"time; absent while no partition is full."),
	})
}

// Describe implements prometheus.Collector.
func (u *auditUsage) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{u.events, u.limit, u.fullest, u.complete} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. It sends nothing if the usage is unknown, because
// unknown is not empty.
func (u *auditUsage) Collect(out chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, value float64, kind string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, kind)
	}
	for _, usage := range u.current() {
		send(u.events, float64(usage.Events), usage.Kind)
		if usage.Limit == 0 {
			continue
		}
		send(u.limit, float64(usage.Limit), usage.Kind)
		send(u.fullest, usage.Fullest, usage.Kind)
		if !usage.CompleteSince.IsZero() {
			send(u.complete, float64(usage.CompleteSince.UnixMilli())/1000, usage.Kind)
		}
	}
}

// current returns the usage, at most auditUsageLife old; nil: unknown. Scrapes at the same
// time share one read. A failed read is repeated at the next scrape, as the other metrics
// from Redis are.
func (u *auditUsage) current() []redisstore.AuditUsage {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := u.now(); u.last == nil || now.Sub(u.at) >= auditUsageLife {
		ctx, cancel := context.WithTimeout(context.Background(), u.timeout)
		defer cancel()
		last, err := u.read(ctx)
		if err != nil {
			last = nil // The metric of calls to Redis counts the failure.
		}
		u.last, u.at = last, now
	}
	return u.last
}

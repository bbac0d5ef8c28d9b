package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

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

	inflight singleflight.Group      // guards the rest: one call at a time
	last     []redisstore.AuditUsage // nil: unknown
	at       time.Time               // when last was read
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
// time share one read and its failure, so that none waits longer than one read takes. The
// next scrape after a failure reads again, as the other metrics from Redis do.
func (u *auditUsage) current() []redisstore.AuditUsage {
	usage, _, _ := u.inflight.Do("", func() (any, error) {
		now := u.now()
		if u.last != nil && now.Sub(u.at) < auditUsageLife {
			return u.last, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), u.timeout)
		defer cancel()
		var err error
		if u.last, err = u.read(ctx); err != nil { // The metric of calls to Redis counts it.
			u.last = nil
		}
		u.at = now
		return u.last, nil
	})
	return usage.([]redisstore.AuditUsage)
}

package server

import (
	"context"
	"errors"
	"io"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/gateway/redisstore"
)

// usedAudit is an audit with a full kind, one that is not full, and one without a limit.
func usedAudit() []redisstore.AuditUsage {
	return []redisstore.AuditUsage{
		{
			Kind: redisstore.AuditDownloads, Events: 90, Limit: 100, Fullest: 1,
			CompleteSince: time.UnixMilli(1_700_000_000_500),
		},
		{Kind: redisstore.AuditRefusals, Events: 5, Limit: 25, Fullest: 0.4},
		{Kind: redisstore.AuditOperations, Events: 7},
	}
}

// gauges returns the values of all gauges with one label, by name and label value.
func gauges(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			values[family.GetName()+" "+series.GetLabel()[0].GetValue()] = series.GetGauge().GetValue()
		}
	}
	return values
}

// Each kind of events has the series that it can have.
func TestAuditUsageMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registerAuditUsage(registry, time.Second, time.Now, func(context.Context) ([]redisstore.AuditUsage, error) {
		return usedAudit(), nil
	})
	got := gauges(t, registry)
	want := map[string]float64{
		"keyhole_audit_events downloads": 90, "keyhole_audit_events refusals": 5, "keyhole_audit_events operations": 7,
		"keyhole_audit_events_limit downloads": 100, "keyhole_audit_events_limit refusals": 25,
		"keyhole_audit_fullest_partition_ratio downloads":          1,
		"keyhole_audit_fullest_partition_ratio refusals":           0.4,
		"keyhole_audit_complete_since_timestamp_seconds downloads": 1_700_000_000.5,
	}
	for series, value := range want {
		if found, has := got[series]; !has || found != value {
			t.Errorf("%s is %v (%t), want %v", series, found, has, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Scrapes read the usage at most once a minute. After a failure there are no series, and the
// next scrape reads again.
func TestAuditUsageIsReadOnceAMinute(t *testing.T) {
	t.Parallel()
	now, reads := time.Unix(1e9, 0), 0
	var failure error
	registry := prometheus.NewPedanticRegistry()
	registerAuditUsage(registry, time.Minute, func() time.Time { return now },
		func(ctx context.Context) ([]redisstore.AuditUsage, error) {
			reads++
			if end, limited := ctx.Deadline(); !limited || time.Until(end) > time.Minute {
				t.Errorf("the read has no limit: %v", end)
			}
			return usedAudit(), failure
		})
	scrape := func(when string, series, wantReads int) {
		t.Helper()
		if n := len(gauges(t, registry)); n != series || reads != wantReads {
			t.Errorf("%s: %d series after %d reads, want %d after %d", when, n, reads, series, wantReads)
		}
	}
	scrape("at first", 8, 1)
	now = now.Add(auditUsageLife - time.Nanosecond)
	scrape("within a minute", 8, 1)
	now = now.Add(time.Nanosecond)
	scrape("after a minute", 8, 2)
	now, failure = now.Add(auditUsageLife), errors.New("redis does not answer")
	scrape("while Redis is away", 0, 3)
	scrape("still", 0, 4)
	failure = nil
	scrape("afterwards", 8, 5)
}

// Scrapes that come while the usage is read wait for that read, also if it fails: with a read
// of its own, each would wait for those before it.
func TestAuditUsageSharesAFailedRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reading, reads := make(chan struct{}), atomic.Int64{}
		u := &auditUsage{
			timeout: time.Minute, now: time.Now,
			read: func(context.Context) ([]redisstore.AuditUsage, error) {
				reads.Add(1)
				<-reading
				return nil, errors.New("redis does not answer")
			},
		}
		const scrapes = 10
		var ended sync.WaitGroup
		for range scrapes {
			ended.Go(func() {
				if usage := u.current(); usage != nil {
					t.Errorf("a failed read has the usage %v", usage)
				}
			})
		}
		synctest.Wait() // until all of them wait
		close(reading)
		ended.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("%d scrapes at the same time read %d times", scrapes, n)
		}
	})
}

// A running service reports its audit.
func TestServerReportsAuditUsage(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	waitForMetrics(t, s, `keyhole_audit_events\{kind="operations"\} 0`,
		`keyhole_audit_events_limit\{kind="downloads"\} 1e\+06`,
		`keyhole_audit_fullest_partition_ratio\{kind="refusals"\} 0`)
}

// waitForMetrics scrapes a server until each pattern matches a line of /metrics. A scrape lacks
// what Redis could not tell in time, on a machine that does much else.
func waitForMetrics(t *testing.T, s *Server, patterns ...string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		page, missing := get(t, "http://"+s.OperatorAddr()+"/metrics").body, ""
		for _, pattern := range patterns {
			if !regexp.MustCompile(`(?m)^` + pattern + `$`).MatchString(page) {
				missing = pattern
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("/metrics lacks %s", missing)
		}
	}
}

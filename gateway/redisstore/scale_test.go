package redisstore_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// BenchmarkScale measures operations with a million links that all end at the same time:
// pages, filters, the number of live links, a revocation of 10,000, and clicks on other
// links during that and when the million expires. Run it with -benchtime=1x -timeout=60m;
// it needs 2 GB.
func BenchmarkScale(b *testing.B) {
	for range b.N {
		node := redistest.StartSingle(b, "appendonly no", "hz 100")
		s := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
		lasting := make([]gateway.ID, 1000)
		each(len(lasting), func(i int) { lasting[i] = create(b, s, newLink(b), 24*time.Hour).ID })

		const million, trial = 1_000_000, 20_000 // the trial run shows how long the full run takes
		begun := time.Now()
		tried := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole:trial"))
		fill(b, tried, trial, begun.Add(time.Hour))
		// The number of live links is a minute late at most: just before a whole one it
		// is right at once.
		end := time.Now().Add(time.Since(begun)*million/trial*2 + time.Minute).Truncate(time.Minute).Add(59 * time.Second)
		empty := used(b, node)
		fill(b, s, million, end)
		b.ReportMetric(float64(used(b, node)-empty)/million, "B/link")

		measureLists(b, s)
		b.ReportMetric(milliseconds(timed(20, func() {
			if n, err := s.Active(b.Context()); err != nil || n != million+int64(len(lasting)) {
				b.Errorf("%d live links, %v", n, err)
			}
		})), "ms/active")

		leaked := gateway.ListQuery{Bucket: "reports", Prefix: "team-13/"}
		// Both stores have clicked and revoked before the measurement.
		clicksDuring(b, s, lasting, func() { revokeAll(b, tried, leaked) })
		// Without other work, any waiting time of clicks comes from the machine.
		took := clicksDuring(b, s, lasting, func() { <-time.After(5 * time.Second) })
		b.ReportMetric(milliseconds(percentile(took, 99)), "ms/click-p99-idle")
		begun = time.Now()
		took = clicksDuring(b, s, lasting, func() {
			revokeAll(b, s, leaked)
			b.ReportMetric(time.Since(begun).Seconds(), "s/revoke-10000")
		})
		b.ReportMetric(milliseconds(percentile(took, 99)), "ms/click-p99-revoking")

		const before = 2 * time.Second
		if time.Until(end) < 2*before {
			b.Fatal("the links expire before everything was measured")
		}
		clicksDuring(b, s, lasting, func() { <-time.After(time.Until(end) - before) })
		took = clicksDuring(b, s, lasting, func() { <-time.After(before + 10*time.Second) })
		b.ReportMetric(milliseconds(percentile(took, 99)), "ms/click-p99-expiring")
		b.ReportMetric(milliseconds(percentile(took, 100)), "ms/click-max-expiring")
		if n, err := s.Active(b.Context()); err != nil || n != int64(len(lasting)) {
			b.Errorf("after the end %d links are live, %v", n, err)
		}
	}
}

// BenchmarkFilters measures pages of links and events by each filter, with 200,000 links and
// with a million. Run it with -benchtime=1x -timeout=60m; it needs 2 GB.
func BenchmarkFilters(b *testing.B) {
	node := redistest.StartSingle(b, "appendonly no")
	s := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	end, have := time.Now().Add(24*time.Hour), 0
	for _, links := range []int{200_000, 1_000_000} {
		if links > have {
			fill(b, s, links-have, end)
			have = links
		}
		b.Run(strconv.Itoa(links), func(b *testing.B) {
			for range b.N {
				measureLists(b, s)
				measureAudit(b, s)
			}
		})
	}
}

// measureLists measures the first page of 50 links by each filter.
func measureLists(b *testing.B, s *redisstore.Store) {
	b.Helper()
	for name, q := range map[string]gateway.ListQuery{
		"all": {}, "bucket": {Bucket: "reports"}, "creator": {CreatedBy: "alice-7"},
		"label":   {Labels: map[string]string{"ticket": "K-4711"}},
		"labels":  {Labels: map[string]string{"ticket": "K-4711", "team": "11"}},
		"prefix":  {Bucket: "reports", Prefix: "team-13/"},
		"state":   {States: []gateway.State{gateway.StateRevoked}},
		"states":  {States: []gateway.State{gateway.StateRevoked, gateway.StateUsedUp}},
		"since":   {Since: time.Now().Add(-time.Second)},
		"unused":  {Unused: true},
		"ends":    {EndsWithin: time.Second},
		"after":   {Remaining: 48 * time.Hour},
		"nothing": {Unused: true, CreatedBy: "alice-7", Labels: map[string]string{"team": "8"}},
	} {
		q.Limit = 50
		b.ReportMetric(milliseconds(timed(20, func() {
			if _, err := s.List(b.Context(), q); err != nil {
				b.Fatalf("list by %s: %v", name, err)
			}
		})), "ms/page:"+name)
	}
}

// BenchmarkLiveLinks measures the counts of live links for a page of 100 keys with a
// million links: of neighbours with one link each, of objects with all their folder's links
// between them, and of one object with 10,000 links. Run it with -benchtime=1x
// -timeout=60m; it needs 2 GB.
func BenchmarkLiveLinks(b *testing.B) {
	node := redistest.StartSingle(b, "appendonly no")
	s := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	end := time.Now().Add(24 * time.Hour)
	fill(b, s, 1_000_000, end)
	each(10_000, func(int) {
		link := newLink(b)
		link.Ref.Key = "popular.pdf"
		create(b, s, link, time.Until(end))
	})
	pages := map[string][]string{"popular": {"popular.pdf"}}
	for i := range 100 {
		pages["neighbours"] = append(pages["neighbours"], scaleKey(13+100*i))
		// The links of one folder, 10,000, are between each two of these objects.
		pages["folders-between"] = append(pages["folders-between"], fmt.Sprintf("team-%02d.csv", i))
		pages["popular"] = append(pages["popular"], fmt.Sprintf("popular-%02d.pdf", i))
	}
	for b.Loop() {
		for name, keys := range pages {
			partial := 0
			b.ReportMetric(milliseconds(timed(20, func() {
				counts, err := s.LiveLinks(b.Context(), "main", "reports", keys)
				if err != nil {
					b.Fatal(err)
				}
				partial = 0
				for _, count := range counts {
					if count.AtLeast {
						partial++
					}
				}
			})), "ms/live:"+name)
			b.ReportMetric(float64(partial), "lower-bounds:"+name)
		}
	}
}

// measureAudit measures the first page of 50 events by each filter, and a search for the
// events of one object to its end. Every link has one event.
func measureAudit(b *testing.B, s *redisstore.Store) {
	b.Helper()
	newest, err := s.List(b.Context(), gateway.ListQuery{Bucket: "reports", Prefix: "team-13/", Limit: 1})
	if err != nil || len(newest.Links) == 0 {
		b.Fatalf("list: %v", err)
	}
	address, err := gateway.ParseAddressFilter("2001:db8::1", nil)
	if err != nil {
		b.Fatal(err)
	}
	object := gateway.AuditQuery{Bucket: "reports", Key: newest.Links[0].Ref.Key}
	for name, q := range map[string]gateway.AuditQuery{
		"all": {}, "object": object, "prefix": {Bucket: "reports", Prefix: "team-13/"}, "bucket": {Bucket: "reports"},
		"label": {Labels: map[string]string{"ticket": "K-4711"}}, "actor": {Actor: "alice-7"},
		"actor-of-nothing": {Actor: "bob"},
		"outcome":          {Outcome: gateway.OutcomeRevoked}, "address-of-nothing": {Address: address},
		"scope-of-nothing": {Match: func(gateway.ObjectRef) bool { return false }},
	} {
		q.Limit = 50
		b.ReportMetric(milliseconds(timed(5, func() {
			if _, err := s.Audit(b.Context(), q); err != nil {
				b.Fatalf("audit by %s: %v", name, err)
			}
		})), "ms/audit:"+name)
	}
	begun, found, searched := time.Now(), 0, 0
	for object.Limit = 50; ; {
		page, err := s.Audit(b.Context(), object)
		if err != nil {
			b.Fatal(err)
		}
		found, searched = found+len(page.Events), searched+page.Searched
		if object.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if found == 0 {
		b.Error("no event of the object")
	}
	b.ReportMetric(milliseconds(time.Since(begun)), "ms/audit-whole:object")
	b.ReportMetric(float64(searched), "events/audit-whole:object")
}

// fill issues links that all end at the same time, a hundredth of them in team-13/.
func fill(b *testing.B, s *redisstore.Store, links int, end time.Time) {
	b.Helper()
	each(links, func(i int) {
		link := newLink(b)
		link.Ref.Key = scaleKey(i)
		link.CreatedBy = "alice-" + strconv.Itoa(i%50)
		link.Filename, link.Note = "", ""
		link.Labels = map[string]string{"team": strconv.Itoa(i % 100), "ticket": "K-" + strconv.Itoa(i%10_000)}
		create(b, s, link, time.Until(end))
	})
}

// scaleKey returns the object key of a link that fill issues.
func scaleKey(i int) string {
	return fmt.Sprintf("team-%02d/quarterly-report-of-the-year-2026-%08d.pdf", i%100, i)
}

// revokeAll revokes the selection q, call after call.
func revokeAll(b *testing.B, s *redisstore.Store, q gateway.ListQuery) {
	b.Helper()
	for done := false; !done; {
		result, err := s.RevokeAll(b.Context(), q, gateway.BulkOptions{Reason: "leak", Budget: 2 * time.Second}, operator())
		if err != nil {
			b.Fatalf("revoke all: %v", err)
		}
		done = result.Done
	}
}

// clicksDuring opens links at 1,000 a second, independent of the answers, while something
// runs. It returns the time of each click since it was due.
func clicksDuring(b *testing.B, s *redisstore.Store, ids []gateway.ID, something func()) []time.Duration {
	b.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var clicking sync.WaitGroup
	over := make(chan struct{})
	go func() {
		defer close(over)
		something()
	}()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	begun, asked := time.Now(), 0
	for {
		select {
		case <-over:
			clicking.Wait()
			slices.Sort(took)
			return took
		case <-ticker.C:
		}
		for ; time.Since(begun) >= time.Duration(asked)*time.Millisecond; asked++ {
			due, id := begun.Add(time.Duration(asked)*time.Millisecond), ids[asked%len(ids)]
			clicking.Go(func() {
				if o := admit(b, s, id, "GET"); o != gateway.OutcomeRedirected {
					b.Errorf("a click was answered %s", o)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(due))
			})
		}
	}
}

// timed returns the median duration of several calls.
func timed(times int, call func()) time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		begun := time.Now()
		call()
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[times/2]
}

// percentile returns a percentile of sorted durations.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[min(len(took)*p/100, len(took)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

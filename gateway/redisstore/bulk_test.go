package redisstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// BenchmarkRevokeAll revokes 10,000 links by prefix among 100,000, call after call. After
// each call it clicks links that the call has ended and links that it has not. Run it
// with -benchtime=1x.
func BenchmarkRevokeAll(b *testing.B) {
	const links, leaked = 100_000, 10_000
	for range b.N {
		b.StopTimer()
		node := redistest.StartSingle(b)
		s := open(b, clientOptions(redisstore.ModeSingle, node.Addr))
		ids := make([]gateway.ID, links)
		each(links, func(i int) {
			link := newLink(b)
			folder := "kept"
			if i < leaked {
				folder = "leaked"
			}
			link.Ref.Key = fmt.Sprintf("%s/%06d.pdf", folder, i)
			ids[i] = create(b, s, link, 24*time.Hour).ID
		})
		b.StartTimer()
		begun := time.Now()
		revoked, calls := 0, 0
		var clicking time.Duration
		for done := false; !done; calls++ {
			result, err := s.RevokeAll(b.Context(), gateway.ListQuery{Bucket: "reports", Prefix: "leaked/"},
				gateway.BulkOptions{Reason: "leak", Budget: 100 * time.Millisecond}, operator())
			if err != nil {
				b.Fatalf("revoke all: %v", err)
			}
			revoked += result.Revoked
			done = result.Done
			clicked := time.Now()
			var ended atomic.Int64
			each(leaked, func(i int) {
				if admit(b, s, ids[i], "HEAD") == gateway.OutcomeRevoked {
					ended.Add(1)
				}
			})
			if int(ended.Load()) != revoked {
				b.Errorf("after call %d %d clicks are refused, and %d links are said to be revoked", calls+1, ended.Load(), revoked)
			}
			clicking += time.Since(clicked)
		}
		b.ReportMetric((time.Since(begun) - clicking).Seconds(), "s/10000")
		b.ReportMetric(float64(calls), "calls")
		if revoked != leaked {
			b.Errorf("%d links were revoked, want %d", revoked, leaked)
		}
		each(100, func(i int) {
			if o := admit(b, s, ids[leaked+i], "GET"); o != gateway.OutcomeRedirected {
				b.Errorf("a link beside them is %s", o)
			}
		})
	}
}

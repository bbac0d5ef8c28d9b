package redisstore_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// The largest memory of a link, by INFO memory over many links.
const (
	bytesPerLink  = 1300 // a key of 60 bytes, two short labels, the event and one click's
	bytesPerClick = 150
)

// BenchmarkMemory measures bytes per link and per further click on a server of its own,
// and fails above the limits. Run it with -benchtime=100000x.
func BenchmarkMemory(b *testing.B) {
	if b.N == 1 {
		return // The first run of every benchmark.
	}
	node := redistest.StartSingle(b)
	s := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	ids := make([]gateway.ID, b.N)
	links := func(i int) {
		link := newLink(b)
		link.Ref = gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: fmt.Sprintf("%060d", i)}
		link.Filename, link.Note = "", ""
		link.Pin, link.Object.VersionID = gateway.PinETag, "" // like most links: the bucket has no versions
		link.Labels = map[string]string{"team": "audit", "ticket": "K-" + strconv.Itoa(i)}
		ids[i] = create(b, s, link, 24*time.Hour).ID
	}
	each(1, func(i int) { links(i); admit(b, s, ids[i], "GET") })
	before := used(b, node)
	b.ResetTimer()
	each(b.N, func(i int) { links(i); admit(b, s, ids[i], "GET") })
	b.StopTimer()
	perLink := (used(b, node) - before) / b.N
	b.ReportMetric(float64(perLink), "B/link")
	if perLink > bytesPerLink {
		b.Errorf("%d bytes a link, more than %d", perLink, bytesPerLink)
	}
	const more = 9
	before = used(b, node)
	each(b.N, func(i int) {
		for range more {
			admit(b, s, ids[i], "GET")
		}
	})
	perClick := (used(b, node) - before) / (b.N * more)
	b.ReportMetric(float64(perClick), "B/click")
	if perClick > bytesPerClick {
		b.Errorf("%d bytes a click, more than %d", perClick, bytesPerClick)
	}
}

// each calls f for 0 to n-1, several at the same time.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := worker; i < n; i += 16 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// used returns the memory of the server's data and bookkeeping, in bytes.
func used(b *testing.B, node *redistest.Server) int {
	b.Helper()
	return number(b, node.MustDo(b, "INFO", "memory"), "\nused_memory:")
}

package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// BenchmarkPages measures each page of the console with a million links in a real Redis: p50
// and p95 of the server's time, and the bytes on the wire of the page and of the page with
// its files. The storage of the bench answers at once. Run it with -benchtime=40x
// -timeout=60m; it needs 2 GB and some minutes. With -short it has 20,000 links.
func BenchmarkPages(b *testing.B) {
	s := newScale(b)
	for _, p := range s.pages(b) {
		b.Run(p.name, func(b *testing.B) { s.measure(b, &p) })
	}
}

// scaleHit is the part of the links that the revocations of the benchmark select, one of a
// hundred.
const scaleHit = "team-13/"

// scale is a console over many links.
type scale struct {
	*bench

	million int // links
	clients map[string]*client
	used    gateway.ID // a link with 200 events
	popular gateway.ID // one of 10,000 live links of one object
	ended   gateway.ID // one of 6,000 revoked links of one object, which has a live one too
	paused  gateway.ID
}

// scaledPage is a page that the benchmark requests.
type scaledPage struct {
	name  string
	path  string
	form  url.Values // of a POST; nil: a GET
	keys  []string   // the objects that the storage lists
	key   string     // of the operator; empty: opsKey
	file  bool       // the answer is a file, and not a page
	other int        // the status of the answer; 0: 200
}

// newScale fills a Redis.
func newScale(b *testing.B) *scale {
	b.Helper()
	store := storetest.OpenRedis(b, "appendonly no")
	s := &scale{million: 1_000_000, clients: map[string]*client{}}
	if testing.Short() {
		s.million = 20_000
	}
	s.bench = newBenchOver(b, store, nil, func(o *Options) {
		o.Health = func(context.Context) (HealthReport, error) { return longReport(), nil }
	})
	s.fill(b)
	for _, key := range []string{opsKey, scopedKey} {
		s.clients[key] = s.signedIn(b, key)
	}
	return s
}

// fill issues links as in the benchmarks of the store, and objects with unusually many of
// them. It uses some links, so that the audit has downloads and refusals too.
func (s *scale) fill(b *testing.B) {
	b.Helper()
	s.ended = s.create(b, "ended.pdf", 0)
	inParallel(6000, func(i int) {
		if _, _, err := s.store.Revoke(b.Context(), s.create(b, "ended.pdf", i), "", gateway.Origin{}); err != nil {
			b.Errorf("revoke: %v", err)
		}
	})
	inParallel(s.million, func(i int) { s.create(b, scaledKey(i), i) })
	inParallel(10_000, func(i int) { s.create(b, "popular.pdf", i) })
	s.popular, s.used, s.paused = s.create(b, "popular.pdf", 0), s.create(b, "used.pdf", 0), s.create(b, "paused.pdf", 0)
	paused := true
	if _, err := s.service.Change(b.Context(), admin(), s.paused, &gateway.ChangeRequest{Paused: &paused}); err != nil {
		b.Fatalf("pause: %v", err)
	}
	for range 200 {
		s.use(b, s.used)
	}
	inParallel(20_000, func(i int) {
		s.use(b, s.popular)
		s.use(b, s.paused)
	})
	s.service.Wait()
}

// create issues a link to an object for a day.
func (s *scale) create(b *testing.B, key string, i int) gateway.ID {
	b.Helper()
	sensitive := true
	link := gateway.Link{
		Ref: gateway.ObjectRef{Storage: "main", Bucket: "reports", Key: key},
		Object: gateway.ObjectInfo{
			Size: 5_000_000_000, ETag: `"d41d8cd98f00b204e9800998ecf8427e"`, VersionID: "v1", ContentType: "application/pdf",
		},
		Preset: gateway.PresetBusiness, Sensitive: &sensitive, CreatedBy: "alice-" + strconv.Itoa(i%50),
		Action: gateway.LinkDownload, Disposition: gateway.DispositionAttachment, Pin: gateway.PinNone,
		Labels: map[string]string{"team": strconv.Itoa(i % 100), "ticket": "K-" + strconv.Itoa(i%10_000)},
	}
	_, _ = rand.Read(link.ID[:]) // It never fails.
	by := gateway.Origin{Actor: link.CreatedBy, Address: "192.0.2.1"}
	created, err := s.store.Create(b.Context(), link, gateway.Secrets{}, 24*time.Hour, by)
	if err != nil {
		b.Fatalf("create: %v", err)
	}
	return created.ID
}

// use clicks on a link, whatever the answer is.
func (s *scale) use(b *testing.B, id gateway.ID) {
	b.Helper()
	_, err := s.service.Click(b.Context(), gateway.Attempt{
		ID: id, Method: http.MethodGet, Address: "203.0.113.9", Client: netip.MustParseAddr("203.0.113.9"),
	})
	if err != nil {
		b.Errorf("click: %v", err)
	}
}

// inParallel calls f with 0 to n-1, several at once.
func inParallel(n int, f func(int)) {
	var working sync.WaitGroup
	for worker := range 16 {
		working.Go(func() {
			for i := worker; i < n; i += 16 {
				f(i)
			}
		})
	}
	working.Wait()
}

// scaledKey returns the object key of a link.
func scaledKey(i int) string {
	return fmt.Sprintf("team-%02d/quarterly-report-of-the-year-2026-%08d.pdf", i%100, i)
}

// measure requests a page b.N times.
func (s *scale) measure(b *testing.B, p *scaledPage) {
	b.Helper()
	c := s.clients[opsKey]
	if p.key != "" {
		c = s.clients[p.key]
	}
	s.storage.mu.Lock()
	s.storage.keys = keysOf(p.keys...)
	s.storage.mu.Unlock()
	var took []time.Duration
	var size int
	for range b.N {
		begun := time.Now()
		status, n := c.load(p)
		took = append(took, time.Since(begun))
		if want := max(p.other, http.StatusOK); status != want {
			b.Fatalf("the answer has the status %d, want %d", status, want)
		}
		size = n
	}
	slices.Sort(took)
	at := func(percent int) float64 { return float64(took[len(took)*percent/100].Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op") // The time includes the client.
	b.ReportMetric(at(50), "ms/p50")
	b.ReportMetric(at(95), "ms/p95")
	b.ReportMetric(float64(size), "B/page")
	if p.file || p.other != 0 {
		return
	}
	total := size + c.filesOf()
	b.ReportMetric(float64(total), "B/with-files")
	if total > budget {
		b.Errorf("%d bytes, the budget is %d", total, budget)
	}
}

// load requests a page as a browser does. It returns the status, and the bytes on the wire
// without the header.
func (c *client) load(p *scaledPage) (status, size int) {
	method, body := http.MethodGet, ""
	if p.form != nil {
		method, body = http.MethodPost, p.form.Encode()
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.b.server.URL+p.path, strings.NewReader(body))
	if err != nil {
		c.t.Fatalf("make a request: %v", err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	if p.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, p.path, err)
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		c.t.Fatalf("read the answer: %v", err)
	}
	return response.StatusCode, int(n)
}

// filesOf returns the bytes on the wire of the files that every page loads.
func (c *client) filesOf() int {
	_, _, files := c.wire("/console/links")
	return files
}

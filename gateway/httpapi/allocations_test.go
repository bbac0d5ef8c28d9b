package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"keyhole/gateway"
)

// discarded is a ResponseWriter that drops everything and allocates nothing.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }
func (d *discarded) WriteHeader(status int)      { d.status = status }

// TestClickAllocations holds a click to what it cannot do without.
func TestClickAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		path   string
		accept []string
		status int
		most   float64
		facts  *gateway.Facts // of a revoked link
	}{
		"redirect": {path: "/" + liveToken, status: http.StatusFound, most: allocationsOfRedirect},
		"no token": {path: "/favicon.ico", status: http.StatusNotFound, most: allocationsOfRefusal},
		"no token, as a page": {
			path: "/favicon.ico?lang=de", accept: []string{"text/html"}, status: http.StatusNotFound, most: allocationsOfRefusal,
		},
		"refused too often, as a page with facts": {
			path: "/" + liveToken, accept: []string{"text/html"}, status: http.StatusTooManyRequests, most: allocationsOfFacts,
			facts: &gateway.Facts{Reference: "01234567", Language: "pl", RevokedAt: time.Now().Add(-5 * time.Hour)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			//nolint:sloglint // The line is made, and counted.
			b := newBench(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
			b.store.pin = gateway.PinNone
			if b.store.facts = test.facts; test.facts != nil {
				b.store.outcome = gateway.OutcomeRevoked
			}
			handler := b.api.Public()
			r := httptest.NewRequest(http.MethodGet, test.path, http.NoBody)
			r.Header["Accept"] = test.accept
			w := &discarded{header: http.Header{}}
			n := testing.AllocsPerRun(500, func() {
				clear(w.header)
				b.store.attempts = b.store.attempts[:0]
				handler.ServeHTTP(w, r)
			})
			if w.status != test.status {
				t.Fatalf("answered %d, want %d", w.status, test.status)
			}
			if n > test.most {
				t.Errorf("%v allocations, want %v at most", n, test.most)
			}
		})
	}
}

// A program gets the bytes of every other link, also if the page of the refusal would
// depend on the request: its refusal allocates nothing.
func TestAllocationsOfRefusalsToPrograms(t *testing.T) { // not parallel: it counts allocations
	a := newBench(t, nil).api
	for _, outcome := range []gateway.Outcome{
		gateway.OutcomeUsedUp, gateway.OutcomeAddressNotAllowed, gateway.OutcomeExpired, gateway.OutcomeNotFound,
	} {
		for _, accept := range [][]string{nil, {"*/*"}, {"application/json"}} {
			r := httptest.NewRequest(http.MethodGet, "/"+liveToken+"?lang=de", http.NoBody)
			r.Header["Accept"], r.Header["Accept-Language"] = accept, []string{"de"}
			r.Header["Cookie"] = []string{downloadedCookie + "=1"}
			attempt := &gateway.Attempt{Client: netip.MustParseAddr("2001:db8::1")}
			// Without an Accept header, the store returns the facts.
			answer := &gateway.Answer{Outcome: outcome, Facts: &gateway.Facts{Reference: "01234567"}}
			n := testing.AllocsPerRun(100, func() {
				if f := a.failureOfClick(a.refusalOf(r, attempt, answer), r); f.body == nil {
					t.Error("there is no body")
				}
			})
			if n != 0 {
				t.Errorf("%s as %q: %v allocations", outcome, accept, n)
			}
		}
	}
}

// BenchmarkRefusals measures refusals in the handler, with a new map of headers for each
// answer as net/http makes it. performance.md has the figures.
func BenchmarkRefusals(b *testing.B) {
	facts := &gateway.Facts{Reference: "01234567", RevokedAt: time.Now().Add(-5 * time.Hour)}
	for name, test := range map[string]struct {
		path   string
		accept []string
		facts  *gateway.Facts
	}{
		"not_found":                          {path: "/favicon.ico"},
		"not_found, as a page":               {path: "/favicon.ico", accept: []string{"text/html"}},
		"rate_limited, as a page with facts": {path: "/" + liveToken, accept: []string{"text/html"}, facts: facts},
	} {
		b.Run(name, func(b *testing.B) {
			//nolint:sloglint // The line is made, and counted.
			bench := newBench(b, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
			bench.store.outcome, bench.store.facts = gateway.OutcomePaused, test.facts
			handler, w := bench.api.Public(), &discarded{}
			r := httptest.NewRequest(http.MethodGet, test.path, http.NoBody)
			r.Header["Accept"], r.Header["Accept-Language"] = test.accept, []string{"de-DE,de;q=0.9,en;q=0.8"}
			b.ReportAllocs()
			for b.Loop() {
				w.header = http.Header{}
				bench.store.attempts = bench.store.attempts[:0]
				handler.ServeHTTP(w, r)
			}
		})
	}
}

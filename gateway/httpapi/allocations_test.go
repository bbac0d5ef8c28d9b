package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

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
		status int
		most   float64
	}{
		"redirect": {"/" + liveToken, http.StatusFound, allocationsOfRedirect},
		"no token": {"/favicon.ico", http.StatusNotFound, allocationsOfRefusal},
	} {
		t.Run(name, func(t *testing.T) {
			//nolint:sloglint // The line is made, and counted.
			b := newBench(t, func(o *Options) { o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) })
			b.store.pin = gateway.PinNone
			handler := b.api.Public()
			r := httptest.NewRequest(http.MethodGet, test.path, http.NoBody)
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

package httpapi

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Each operator has so many requests in a window, says the header of every answer,
// and one too many is refused until the next opens.
func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	r := &rates{limit: 3, now: func() time.Time { return now }}
	asked := func(name, want string, refused bool) {
		t.Helper()
		header := http.Header{}
		err := r.admit(header, name)
		if got := header.Get("RateLimit"); got != `"operator";`+want || (err != nil) != refused {
			t.Errorf("%s: %s, %v; want %s, refused: %v", name, got, err, want, refused)
		}
		if got := header.Get("RateLimit-Policy"); got != `"operator";q=3;w=60` {
			t.Errorf("the policy is %s", got)
		}
	}
	asked("a", "r=2;t=60", false)
	now = now.Add(20*time.Second + time.Millisecond)
	asked("a", "r=1;t=40", false)
	asked("b", "r=2;t=40", false)
	asked("a", "r=0;t=40", false)
	asked("a", "r=0;t=40", true)
	asked("a", "r=0;t=40", true)
	asked("b", "r=1;t=40", false)
	now = now.Add(40 * time.Second)
	asked("a", "r=2;t=60", false)
	now = now.Add(-time.Hour) // the clock was set back
	asked("a", "r=2;t=60", false)
	if len(r.counts) != 1 {
		t.Errorf("%d operators are kept", len(r.counts))
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.RequestsPerMinute = 2 })
	for i, want := range []int{200, 200, 429, 429} {
		a := b.operator(opsKey, "GET", "/api/v1/buckets", "")
		if a.status != want || a.header.Get("RateLimit") == "" {
			t.Fatalf("request %d: got %d %v", i, a.status, a.header)
		}
		if want != 429 {
			continue
		}
		if p := a.problem(t); p.Code != "rate_limited" || a.header.Get("Retry-After") == "" {
			t.Errorf("got %+v, Retry-After %q", p, a.header.Get("Retry-After"))
		}
	}
	if a := b.operator(readKey, "GET", "/api/v1/links", ""); a.status != 200 {
		t.Errorf("another key: %d", a.status)
	}
	if a := b.operator("nobody's", "GET", "/api/v1/links", ""); a.status != 401 || a.header.Get("RateLimit") != "" {
		t.Errorf("no key: %d %s", a.status, a.header.Get("RateLimit"))
	}
	without := newBench(t, nil)
	for range 10 {
		if a := without.operator(opsKey, "GET", "/api/v1/buckets", ""); a.status != 200 || a.header.Get("RateLimit") != "" {
			t.Fatal(fmt.Sprint("without a limit: ", a.status))
		}
	}
}

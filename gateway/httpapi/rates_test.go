package httpapi

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"keyhole/gateway/admission"
)

// The headers have the quota and the remaining requests. Seconds are rounded up.
func TestQuotaHeaders(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	setQuota(header, admission.Quota{
		Limit: 3, Remaining: 1, Reset: 40*time.Second - time.Millisecond,
		Window: time.Minute,
	})
	if got := header.Get("RateLimit"); got != `"operator";r=1;t=40` {
		t.Errorf("the quota is %s", got)
	}
	if got := header.Get("RateLimit-Policy"); got != `"operator";q=3;w=60` {
		t.Errorf("the policy is %s", got)
	}
	header = http.Header{}
	if setQuota(header, admission.Quota{}); len(header) != 0 {
		t.Errorf("without a limit: %v", header)
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.operatorOptions.RequestsPerMinute = 2
	b.api.o.Operators = admission.New(b.operatorOptions)
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

package admission

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// Each operator has the same number of requests in a window. Requests over the limit are
// refused until the next window begins.
func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	r := &rateLimiter{limit: 3, now: func() time.Time { return now }}
	asked := func(name string, remaining int, reset time.Duration, refused bool) {
		t.Helper()
		quota, err := r.take(name)
		want := Quota{Limit: 3, Remaining: remaining, Reset: reset, Window: time.Minute}
		if quota != want || (codeOf(err) == gateway.CodeRateLimited) != refused {
			t.Errorf("%s: %+v, %v; want %+v, refused: %v", name, quota, err, want, refused)
		}
	}
	asked("a", 2, time.Minute, false)
	now = now.Add(20 * time.Second)
	asked("a", 1, 40*time.Second, false)
	asked("b", 2, 40*time.Second, false)
	asked("a", 0, 40*time.Second, false)
	asked("a", 0, 40*time.Second, true)
	asked("a", 0, 40*time.Second, true)
	asked("b", 1, 40*time.Second, false)
	now = now.Add(40 * time.Second)
	asked("a", 2, time.Minute, false)
	now = now.Add(-time.Hour) // the clock was set back
	asked("a", 2, time.Minute, false)
	if len(r.counts) != 1 {
		t.Errorf("%d operators are remembered", len(r.counts))
	}
}

func TestNoRateLimit(t *testing.T) {
	t.Parallel()
	r := &rateLimiter{now: time.Now}
	for range 10 {
		if quota, err := r.take("a"); err != nil || quota != (Quota{}) {
			t.Fatalf("got %+v, %v", quota, err)
		}
	}
}

package admission

import (
	"fmt"
	"sync"
	"time"

	"keyhole/gateway"
)

// rateWindow is the time in which the requests of an operator are counted.
const rateWindow = time.Minute

// Quota is the number of requests that an operator may still send in the current window.
type Quota struct {
	Limit     int           // requests in one window; 0: no limit, and the other fields are 0
	Remaining int           // requests that are left in this window
	Reset     time.Duration // time until the next window begins
	Window    time.Duration // length of a window
}

// rateLimiter counts the requests of each operator in the current window. All operators
// share one window, so the limiter stores nothing about operators who are no longer
// active.
type rateLimiter struct {
	limit int // in one window; 0: no limit
	now   func() time.Time

	mu     sync.Mutex
	opened time.Time      // the begin of the current window
	counts map[string]int // by the operator's name
}

// take counts one request of an operator, or refuses it if none is left in the window.
func (r *rateLimiter) take(name string) (Quota, error) { return r.takeSeveral(name, 1) }

// takeSeveral counts n requests of an operator, or refuses all of them if fewer are left
// in the window.
func (r *rateLimiter) takeSeveral(name string, n int) (Quota, error) {
	if r.limit == 0 {
		return Quota{}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if age := now.Sub(r.opened); age < 0 || age >= rateWindow {
		r.opened, r.counts = now, map[string]int{}
	}
	quota := Quota{Limit: r.limit, Reset: r.opened.Add(rateWindow).Sub(now), Window: rateWindow}
	if r.counts[name]+n > r.limit {
		quota.Remaining = r.limit - r.counts[name]
		message := fmt.Sprintf("more than %d requests in a minute; wait and try again", r.limit)
		return quota, &gateway.Error{Code: gateway.CodeRateLimited, Message: message, Wait: quota.Reset}
	}
	r.counts[name] += n
	quota.Remaining = r.limit - r.counts[name]
	return quota, nil
}

package httpapi

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"keyhole/gateway"
)

// ratesWindow is the time in which an operator's requests are counted.
const ratesWindow = time.Minute

// rates counts the requests of each operator in the window that is open. All of them
// begin anew together, so that nothing is kept of who has not asked since.
type rates struct {
	limit int // in a window; 0: none
	now   func() time.Time

	mu     sync.Mutex
	opened time.Time
	counts map[string]int
}

// take counts one request, and returns how many are left and when the next window
// opens. A negative number says that this one is too many.
func (r *rates) take(name string) (left int, reset time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if age := now.Sub(r.opened); age < 0 || age >= ratesWindow {
		r.opened, r.counts = now, map[string]int{}
	}
	left = r.limit - r.counts[name] - 1
	if left >= 0 {
		r.counts[name]++
	}
	return left, r.opened.Add(ratesWindow).Sub(now)
}

// admit counts a request of an operator, says in the answer's header what is left
// (draft-ietf-httpapi-ratelimit-headers-10), and refuses what is too many.
func (r *rates) admit(header http.Header, name string) error {
	if r.limit == 0 {
		return nil
	}
	left, reset := r.take(name)
	header.Set("RateLimit-Policy", fmt.Sprintf(`"operator";q=%d;w=%d`, r.limit, int(ratesWindow.Seconds())))
	header.Set("RateLimit", fmt.Sprintf(`"operator";r=%d;t=%s`, max(left, 0), secondsOf(reset)))
	if left < 0 {
		return &gateway.Error{Code: gateway.CodeRateLimited, Message: fmt.Sprintf("more than %d requests in a minute; wait and go on", r.limit), Wait: reset}
	}
	return nil
}

package signer

import (
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// appliedSkew is the smallest skew that Clock corrects. A Date header has whole
	// seconds only, so a smaller value may not be a skew.
	appliedSkew = time.Second

	// credibleSkew is the largest skew that Clock accepts. A larger one comes from a
	// broken server or proxy.
	credibleSkew = 24 * time.Hour

	// longestExchange is the longest time between request and answer from which Clock
	// computes the skew. The error is at most half of this time, which is less than
	// backdate.
	longestExchange = 5 * time.Second

	unobserved = math.MinInt64
)

// Clock is a storage's clock: this machine's clock, corrected by the skew in the storage's
// answers. Signatures and credentials use it, because the storage checks them with its own
// clock. It is safe for concurrent use and never blocks.
type Clock struct {
	now  func() time.Time
	skew atomic.Int64 // nanoseconds, storage minus machine
}

// NewClock returns a clock with an unknown skew. now is this machine's clock; nil:
// [time.Now].
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	c := &Clock{now: now}
	c.skew.Store(unobserved)
	return c
}

// Now returns the storage's time. It is this machine's time while the skew is unknown or
// below a second.
func (c *Clock) Now() time.Time { return c.now().Add(c.Ahead()) }

// Ahead returns the difference between Now and this machine's time: the skew if it is at
// least a second, otherwise 0.
func (c *Clock) Ahead() time.Duration {
	skew, _ := c.Skew()
	if skew.Abs() < appliedSkew {
		return 0
	}
	return skew
}

// Skew returns the last observed difference of the storage's time to this machine's time,
// accurate to about half a second, and whether a difference was observed.
func (c *Clock) Skew() (time.Duration, bool) {
	skew := c.skew.Load()
	if skew == unobserved {
		return 0, false
	}
	return time.Duration(skew), true
}

// Observe computes the skew from the Date of an answer and from this machine's times of
// the request and the answer. A Date has whole seconds (RFC 9110 section 5.6.7), so
// Observe adds half a second. The storage wrote the Date between sent and received, so
// Observe compares the Date with the middle of the two. It ignores a skew of more than a
// day, and an exchange of more than five seconds.
func (c *Clock) Observe(date, sent, received time.Time) {
	exchange := received.Sub(sent)
	if date.IsZero() || exchange < 0 || exchange > longestExchange {
		return
	}
	skew := date.Add(time.Second / 2).Sub(sent.Add(exchange / 2))
	if skew.Abs() > credibleSkew {
		return
	}
	c.skew.Store(int64(skew))
}

// Transport returns a transport that passes the Date of every answer to the clock. next
// is the transport below; nil: [http.DefaultTransport]. Refusals count too: if a storage
// refuses a request because of its time, the answer has the right time.
func (c *Clock) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &observer{clock: c, next: next}
}

type observer struct {
	clock *Clock
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := o.clock.now()
	answer, err := o.next.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	// An answer with Age comes from a cache and has an older Date (RFC 9111 section
	// 5.1).
	if answer.Header.Get("Age") == "" {
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			o.clock.Observe(date, sent, o.clock.now())
		}
	}
	return answer, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the transport below.
func (o *observer) CloseIdleConnections() {
	if next, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

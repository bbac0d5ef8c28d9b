package signer

import (
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// appliedSkew is the smallest skew that is corrected. Date tells the
	// second and no more, so less than this may be no skew at all.
	appliedSkew = time.Second

	// credibleSkew bounds what is believed: a Date further off than this is
	// a broken server or proxy, not a clock.
	credibleSkew = 24 * time.Hour

	// longestExchange is the longest time between request and answer that
	// still tells a clock. The error is half of it, and stays below the
	// seconds by which a signature is dated back.
	longestExchange = 5 * time.Second

	unobserved = math.MinInt64
)

// Clock is a storage's clock: this machine's, corrected by the skew seen in
// the storage's answers. Signatures and credentials are judged by it, because
// the storage judges them by its own. It is safe for concurrent use and never
// blocks.
type Clock struct {
	now  func() time.Time
	skew atomic.Int64 // nanoseconds, storage minus machine
}

// NewClock returns a clock without a known skew over now, this machine's
// clock; nil stands for [time.Now].
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	c := &Clock{now: now}
	c.skew.Store(unobserved)
	return c
}

// Now returns the storage's time: this machine's while the skew is unknown or
// under a second.
func (c *Clock) Now() time.Time { return c.now().Add(c.Ahead()) }

// Ahead returns by how much Now differs from this machine's time: the skew from
// a second on, otherwise 0.
func (c *Clock) Ahead() time.Duration {
	skew, _ := c.Skew()
	if skew.Abs() < appliedSkew {
		return 0
	}
	return skew
}

// Skew returns the storage's time minus this machine's as last observed, to
// about half a second, and whether any was observed.
func (c *Clock) Skew() (time.Duration, bool) {
	skew := c.skew.Load()
	if skew == unobserved {
		return 0, false
	}
	return time.Duration(skew), true
}

// Observe learns the skew from an answer's Date and from this machine's times
// of the request and of the answer. Both sides are rounded: Date is cut to its
// second (RFC 9110 section 5.6.7), so it stands for its middle, and the
// storage wrote it at some time between sent and received, so that too counts
// as the middle. A skew beyond a day and an exchange of more than five seconds
// are ignored.
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

// Transport returns next, or [http.DefaultTransport] for nil, with the clock
// looking at every answer's Date; a refusal's too, because a storage that
// refuses a request for its time says in that very answer what time it is.
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
	// An Age says that a cache answered, with the Date of an earlier time
	// (RFC 9111 section 5.1).
	if answer.Header.Get("Age") == "" {
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			o.clock.Observe(date, sent, o.clock.now())
		}
	}
	return answer, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] reach the
// transport beneath.
func (o *observer) CloseIdleConnections() {
	if next, ok := o.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

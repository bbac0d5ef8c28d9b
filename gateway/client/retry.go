package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds the wait that Retry returns.
const maxRetryAfter = 24 * time.Hour

// Retry reports whether the same request may succeed later: after 429 and 5xx, and if no
// complete answer came. wait is the time that the service, or a proxy in front of it, asks
// the client to wait (Retry-After); 0: none. Retry does not tell whether a request that
// changes something was carried out.
func Retry(err error) (wait time.Duration, ok bool) {
	var refused *Error
	var unexpected *unexpectedAnswer
	switch {
	case errors.As(err, &refused):
		return refused.RetryAfter, mayPass(refused.Status)
	case errors.As(err, &unexpected):
		return unexpected.retryAfter, mayPass(unexpected.status)
	}
	return 0, errors.Is(err, ErrUnreachable) || errors.Is(err, ErrBrokeOff)
}

// mayPass reports whether a request with this status may succeed later.
func mayPass(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// unexpectedAnswer is the error for an answer that does not come from Keyhole.
type unexpectedAnswer struct {
	from, text string // the address of the service, and the status line
	status     int
	retryAfter time.Duration
	reason     error // ErrNotKeyhole or ErrProxy
}

// Error returns the address, the status and the reason.
func (e *unexpectedAnswer) Error() string {
	return fmt.Sprintf("%s answers %s: %v", e.from, e.text, e.reason)
}

// Unwrap returns the reason.
func (e *unexpectedAnswer) Unwrap() error { return e.reason }

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), which is a number of seconds or a
// date. It returns 0 for other values. The wait until a date counts from the Date of the
// answer; without a Date, from now.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

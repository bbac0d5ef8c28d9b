package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds how long Retry makes a caller wait.
const maxRetryAfter = 24 * time.Hour

// Retry tells whether the same request may succeed later, and how long the service, or
// a proxy before it, asked to wait (Retry-After; 0 if it named no time). That is so
// after 429 and 5xx, and if no whole answer came. For a request that changes something
// it does not say whether the change was made.
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

// mayPass tells whether a status is about the time of the request, not the request.
func mayPass(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// unexpectedAnswer is the error of an answer that no keyhole gives.
type unexpectedAnswer struct {
	from, text string // the service's address, and the status with its reason
	status     int
	retryAfter time.Duration
	reason     error // ErrNotKeyhole or ErrProxy
}

// Error names the address and the status.
func (e *unexpectedAnswer) Error() string {
	return fmt.Sprintf("%s answers %s: %v", e.from, e.text, e.reason)
}

// Unwrap returns the reason.
func (e *unexpectedAnswer) Unwrap() error { return e.reason }

// retryAfter reads the header of that name, RFC 9110 section 10.2.3: seconds or a date,
// 0 if it has neither. A date counts from the answer's own Date, if there is one.
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

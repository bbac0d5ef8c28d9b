package acme

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/crypto/acme"
)

// errAlreadyDue means that a certificate was due for renewal when it was issued. Without a
// pause, the gateways would order one certificate after the other.
var errAlreadyDue = errors.New("the new certificate is already due for renewal; check the clock of this machine")

// pauseAfter returns the pause after a number of failures in a row. It is at least what the
// authority asks for (Retry-After, RFC 9110 section 10.2.3).
func pauseAfter(err error, failures int, now time.Time) time.Duration {
	first, longest := firstUnreachablePause, maxUnreachablePause
	problem, answered := errors.AsType[*acme.Error](err)
	if answered && problem.StatusCode < 500 || isRefusal(err) {
		first, longest = firstRefusedPause, maxRefusedPause
	}
	return max(min(first<<min(failures-1, 10), longest), askedPause(err, now))
}

// askedPause returns the pause that the authority asks for in its answer, at most
// maxRetryAfter.
func askedPause(err error, now time.Time) time.Duration {
	problem, answered := errors.AsType[*acme.Error](err)
	if !answered {
		return 0
	}
	return min(retryAfter(problem.Header.Get("Retry-After"), now), maxRetryAfter)
}

// isRefusal tells whether the authority, or what it issued, stands in the way, although no
// answer of it had the status of an error.
func isRefusal(err error) bool {
	_, invalid := errors.AsType[*acme.OrderError](err)
	return invalid || isValidation(err) || errors.Is(err, errUnfit) || errors.Is(err, errAlreadyDue)
}

// concernsAll tells whether other gateways would fail for the same reason, or must not
// order: another gateway has nothing to order if this one only could not store its new
// certificate.
func concernsAll(err error) bool {
	_, answered := errors.AsType[*acme.Error](err)
	return answered || isRefusal(err) || errors.Is(err, errNotStored)
}

// retryAfter reads a value of Retry-After, in seconds or as a date; 0 without a valid one.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// The names of calls that Options.Observe receives.
const (
	callAdmit          = "admit"
	callSpend          = "spend"
	callReserveAttempt = "try"
	callReleaseAttempt = "untry"
	callRecordEvent    = "note"
	callReserve        = "reserve"
	callReserved       = "reserved"
	callConfirm        = "confirm"
	callCreate         = "create"
	callGet            = "get"
	callFind           = "find"
	callList           = "list"
	callLiveLinks      = "live_links"
	callChange         = "change"
	callRevoke         = "revoke"
	callBulk           = "revoke_all"
	callEvents         = "events"
	callAudit          = "audit"
	callErase          = "erase"
	callSignIn         = "sign_in"
	callDaily          = "daily"
	callActive         = "active"
	callDropped        = "dropped"
	callAuditUsage     = "audit_usage"
	callCreateSession  = "create_session"
	callSession        = "session"
	callEndSession     = "end_session"
	callSessions       = "sessions"
	callKeepSignIn     = "keep_sign_in"
	callTakeSignIn     = "take_sign_in"
	callACME           = "acme"
	callReady          = "ready"
	callInspect        = "inspect"
)

// Calls returns the name of every call that Options.Observe receives.
func Calls() []string {
	return []string{
		callAdmit, callSpend, callReserveAttempt, callReleaseAttempt, callRecordEvent,
		callReserve, callReserved, callConfirm, callCreate, callGet, callFind, callList, callLiveLinks, callChange,
		callRevoke, callBulk, callEvents, callAudit, callErase, callSignIn, callDaily, callActive, callDropped,
		callAuditUsage, callCreateSession, callSession, callEndSession, callSessions, callKeepSignIn, callTakeSignIn,
		callACME, callReady, callInspect,
	}
}

// The results that Options.Observe receives.
const (
	resultOK          = "ok"
	resultTimeout     = "timeout"
	resultUnavailable = "unavailable"   // Redis refused the call, or there is no connection
	resultUnconfirmed = "not_confirmed" // the change is made, but too few replicas have confirmed it
	resultRecord      = "record"        // a record that this version does not understand
	resultCanceled    = "canceled"      // the caller cancelled the call, which is no failure
)

// Results returns every result that Options.Observe receives.
func Results() []string {
	return []string{resultOK, resultTimeout, resultUnavailable, resultUnconfirmed, resultRecord, resultCanceled}
}

// isAnswer reports whether an error is an answer of the domain, such as a link that does
// not exist or a change over a limit. Then the call to Redis itself succeeded.
func isAnswer(err error) bool {
	for _, answer := range []error{
		gateway.ErrNotFound, gateway.ErrExists, gateway.ErrCursor, gateway.ErrEnded, gateway.ErrChanged,
		gateway.ErrNeverValid,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	var refused *gateway.ChangeError
	return errors.As(err, &refused)
}

// resultOf returns the result of a call.
func resultOf(err error) string {
	var network net.Error
	switch {
	case err == nil, isAnswer(err):
		return resultOK
	case errors.Is(err, gateway.ErrNotConfirmed):
		return resultUnconfirmed
	case errors.Is(err, context.Canceled):
		return resultCanceled
	case errors.Is(err, gateway.ErrRecord):
		return resultRecord
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, redis.ErrPoolTimeout),
		errors.As(err, &network) && network.Timeout():
		return resultTimeout
	}
	return resultUnavailable
}

// observe reports one call. Defer it with the address of the call's error.
func (s *Store) observe(call string, start time.Time, err *error) {
	if s.options.Observe != nil {
		s.options.Observe(call, resultOf(*err), time.Since(start))
	}
}

// unavailable wraps the cause of a failed operation in gateway.ErrUnavailable.
func unavailable(operation string, err error) error {
	return fmt.Errorf("%s: redis %w: %w", operation, gateway.ErrUnavailable, err)
}

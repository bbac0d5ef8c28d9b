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

// The calls that Options.Observe is told of.
const (
	callAdmit    = "admit"
	callSpend    = "spend"
	callTry      = "try"
	callUntry    = "untry"
	callNote     = "note"
	callReserve  = "reserve"
	callReserved = "reserved"
	callConfirm  = "confirm"
	callCreate   = "create"
	callGet      = "get"
	callList     = "list"
	callChange   = "change"
	callRevoke   = "revoke"
	callBulk     = "revoke_all"
	callEvents   = "events"
	callAudit    = "audit"
	callDaily    = "daily"
	callActive   = "active"
	callDropped  = "dropped"
	callReady    = "ready"
	callInspect  = "inspect"
)

// Calls lists every call that Options.Observe is told of.
func Calls() []string {
	return []string{
		callAdmit, callSpend, callTry, callUntry, callNote,
		callReserve, callReserved, callConfirm, callCreate, callGet, callList, callChange, callRevoke, callBulk, callEvents, callAudit,
		callDaily, callActive, callDropped, callReady, callInspect,
	}
}

// The results that Options.Observe is told of.
const (
	resultOK          = "ok"
	resultTimeout     = "timeout"
	resultUnavailable = "unavailable"   // refused, or no connection
	resultUnconfirmed = "not_confirmed" // done, but too few replicas are known to have it
	resultRecord      = "record"        // a record that this version does not understand
	resultCanceled    = "canceled"      // by whoever asked, which is no failure
)

// Results lists every result that Options.Observe is told of.
func Results() []string {
	return []string{resultOK, resultTimeout, resultUnavailable, resultUnconfirmed, resultRecord, resultCanceled}
}

// resultOf classifies how a call went. A link that is not there, a forged cursor or
// a change that cannot be is an answer: Redis did what it was asked.
func resultOf(err error) string {
	var network net.Error
	var refused *gateway.ChangeError
	switch {
	case err == nil, errors.Is(err, gateway.ErrNotFound), errors.Is(err, gateway.ErrExists), errors.Is(err, gateway.ErrCursor),
		errors.Is(err, gateway.ErrEnded), errors.Is(err, gateway.ErrChanged), errors.Is(err, gateway.ErrNeverValid), errors.As(err, &refused):
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

// observe reports one call; it is deferred with the address of its error.
func (s *Store) observe(call string, start time.Time, err *error) {
	if s.options.Observe != nil {
		s.options.Observe(call, resultOf(*err), time.Since(start))
	}
}

// unavailable says that Redis could not do what was asked, and why.
func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: redis %w: %w", doing, gateway.ErrUnavailable, err)
}

// reply reads a script's array of strings and numbers. The first element that
// is not of the type asked for stops it: err is to be asked once, at the end.
type reply struct {
	rest []any
	err  error
}

// replyOf takes a script's reply, which must be an array.
func replyOf(v any) *reply {
	rest, ok := v.([]any)
	if !ok {
		return &reply{err: fmt.Errorf("%w: reply %T", gateway.ErrRecord, v)}
	}
	return &reply{rest: rest}
}

// next returns the next element, nil after the last or an error.
func (r *reply) next() any {
	if r.err != nil || len(r.rest) == 0 {
		r.err = errors.Join(r.err, fmt.Errorf("%w: reply cut short", gateway.ErrRecord))
		return nil
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

// text returns the next element, which must be a string.
func (r *reply) text() string { return element[string](r) }

// number returns the next element, which must be a number.
func (r *reply) number() int64 { return element[int64](r) }

// list returns the next element, which must be an array.
func (r *reply) list() []any { return element[[]any](r) }

// view returns the next three elements as a view of the time now.
func (r *reply) view(now int64) view {
	return view{now: now, history: r.text(), live: r.text(), newest: r.text()}
}

func element[T any](r *reply) T {
	v, ok := r.next().(T)
	if !ok && r.err == nil {
		r.err = fmt.Errorf("%w: reply of %T", gateway.ErrRecord, v)
	}
	return v
}

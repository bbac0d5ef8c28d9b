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

// once is a command that go-redis never sends twice: a reply that was lost may
// have been a click that was counted. Redirections of a cluster are followed
// all the same, since a node that redirects has not executed.
type once struct{ redis.Cmder }

// NoRetry tells go-redis so.
func (once) NoRetry() bool { return true }

// repeatable says whether a script may run again when its reply was lost.
type repeatable bool

// tryAgainPause is the wait before a slot in migration is asked again.
const tryAgainPause = 5 * time.Millisecond

// run executes a script and returns its reply. TRYAGAIN, from a slot in migration,
// means that nothing was executed: it is asked until ctx ends.
func run(ctx context.Context, c redis.UniversalClient, sc script, again repeatable, keys []string, args ...any) (any, error) {
	for {
		reply, err := sc.execute(keys, args, func(command []any) (any, error) { return send(ctx, c, again, command) })
		if !redis.HasErrorPrefix(err, "TRYAGAIN") || !pause(ctx, tryAgainPause) {
			return reply, err
		}
	}
}

// execute sends a script by its digest and, to a server that does not have it,
// whole: NOSCRIPT means that nothing was executed.
func (sc script) execute(keys []string, args []any, send func(command []any) (any, error)) (any, error) {
	reply, err := send(sc.call("evalsha", sc.digest, keys, args))
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = send(sc.call("eval", sc.source, keys, args))
	}
	return reply, err
}

// call builds the arguments of EVAL or EVALSHA.
func (sc script) call(verb, what string, keys []string, args []any) []any {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, verb, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return append(all, args...)
}

// send executes one command.
func send(ctx context.Context, c redis.UniversalClient, again repeatable, args []any) (any, error) {
	cmd := redis.NewCmd(ctx, args...)
	if again {
		_ = c.Process(ctx, cmd) // The error is in the command.
	} else {
		_ = c.Process(ctx, once{cmd}) // The error is in the command.
	}
	return cmd.Result()
}

// pause waits, and reports false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// batch is one execution of a script among several.
type batch struct {
	keys []string
	args []any
}

// runAll executes a script that may run again once for each batch, in one round
// trip to every node that is concerned. A pipeline is not healed one by one:
// all of it is asked again.
func runAll(ctx context.Context, c redis.UniversalClient, sc script, batches []batch) ([]any, error) {
	for {
		replies, err := pipeline(ctx, c, "evalsha", sc.digest, sc, batches)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			replies, err = pipeline(ctx, c, "eval", sc.source, sc, batches)
		}
		if !redis.HasErrorPrefix(err, "TRYAGAIN") || !pause(ctx, tryAgainPause) {
			return replies, err
		}
	}
}

// pipeline sends every batch and returns the replies, or the first error.
func pipeline(ctx context.Context, c redis.UniversalClient, verb, what string, sc script, batches []batch) ([]any, error) {
	pipe := c.Pipeline()
	commands := make([]*redis.Cmd, len(batches))
	for i, b := range batches {
		commands[i] = pipe.Do(ctx, sc.call(verb, what, b.keys, b.args)...)
	}
	_, _ = pipe.Exec(ctx) // The errors are in the commands.
	replies := make([]any, len(batches))
	for i, command := range commands {
		reply, err := command.Result()
		if err != nil {
			return nil, err
		}
		replies[i] = reply
	}
	return replies, nil
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

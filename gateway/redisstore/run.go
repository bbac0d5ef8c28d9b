package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// once is a command that go-redis never sends twice: a reply that was lost may
// have been a click that was counted. Redirections of a cluster are followed
// all the same, since a node that redirects has not executed.
type once struct{ redis.Cmder }

// NoRetry tells go-redis so.
func (once) NoRetry() bool { return true }

// repeatable says whether a script may run again when its reply was lost.
type repeatable bool

// prepared returns a command that go-redis sends again only if it may be.
func (again repeatable) prepared(cmd redis.Cmder) redis.Cmder {
	if again {
		return cmd
	}
	return once{cmd}
}

// tryAgainPause is the wait before a slot in migration is asked again.
const tryAgainPause = 5 * time.Millisecond

// errOtherReply means that a connection returned the reply of another call.
// Replies are matched to calls only by their order, so a reply that was doubled
// or lost on the way would hand one link's object to the recipient of another.
var errOtherReply = fmt.Errorf("%w: the reply belongs to another call", gateway.ErrUnavailable)

// newCallID draws what tells a call from others. It needs to be different, not
// secret.
func newCallID() string {
	return strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // Different is enough.
}

// replyTo returns the reply of a script, without the identifier of its call. That of a
// flat script is a list.
func (sc script) replyTo(callID string, reply any) (any, error) {
	if !sc.flat {
		return replyTo(callID, reply)
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) == 0 || parts[0] != callID {
		return nil, errOtherReply
	}
	return parts[1:], nil
}

// replyTo returns the value of a script's reply, which bears the identifier of
// its call.
func replyTo(callID string, reply any) (any, error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 || parts[0] != callID {
		return nil, errOtherReply
	}
	return parts[1], nil
}

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
	id := newCallID()
	reply, err := send(sc.call("evalsha", sc.digest, id, keys, args))
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = send(sc.call("eval", sc.source, id, keys, args))
	}
	if err != nil {
		return nil, err
	}
	return sc.replyTo(id, reply)
}

// call builds the arguments of EVAL or EVALSHA. The identifier of the call comes
// last; the script returns it beside its reply.
func (sc script) call(verb, what, id string, keys []string, args []any) []any {
	all := make([]any, 0, 4+len(keys)+len(args))
	all = append(all, verb, what, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	all = append(all, args...)
	return append(all, id)
}

// send executes one command.
func send(ctx context.Context, c redis.UniversalClient, again repeatable, args []any) (any, error) {
	cmd := redis.NewCmd(ctx, args...)
	_ = c.Process(ctx, again.prepared(cmd)) // The error is in the command.
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

	whole bool // whether the script is sent whole: its server did not have it
	reply any
	err   error
}

// runAll executes a script once for each batch, in one round trip to every node
// that is concerned, and keeps reply and error of each. Batches that a node
// refused without executing them are sent again, and no others: NOSCRIPT, and
// TRYAGAIN until ctx ends. The error is the first batch's that has one.
func runAll(ctx context.Context, c redis.UniversalClient, sc script, again repeatable, batches []batch) error {
	pending := make([]*batch, len(batches))
	for i := range batches {
		pending[i] = &batches[i]
	}
	for len(pending) > 0 {
		pipeline(ctx, c, sc, again, pending)
		var refused []*batch
		migrating := false
		for _, b := range pending {
			switch {
			case redis.HasErrorPrefix(b.err, "NOSCRIPT"):
				b.whole = true
				refused = append(refused, b)
			case redis.HasErrorPrefix(b.err, "TRYAGAIN"):
				migrating = true
				refused = append(refused, b)
			}
		}
		if migrating && !pause(ctx, tryAgainPause) {
			break
		}
		pending = refused
	}
	return firstError(batches)
}

// firstError returns the error of the first batch that has one.
func firstError(batches []batch) error {
	for i := range batches {
		if batches[i].err != nil {
			return batches[i].err
		}
	}
	return nil
}

// pipeline sends batches and sets the reply or error of each.
func pipeline(ctx context.Context, c redis.UniversalClient, sc script, again repeatable, batches []*batch) {
	pipe := c.Pipeline()
	commands, ids := make([]*redis.Cmd, len(batches)), make([]string, len(batches))
	for i, b := range batches {
		verb, what := "evalsha", sc.digest
		if b.whole {
			verb, what = "eval", sc.source
		}
		ids[i] = newCallID()
		commands[i] = redis.NewCmd(ctx, sc.call(verb, what, ids[i], b.keys, b.args)...)
		_ = pipe.Process(ctx, again.prepared(commands[i])) // It is only queued.
	}
	_, ended := pipe.Exec(ctx)
	for i, b := range batches {
		var v any
		if v, b.err = commands[i].Result(); b.err == nil && v == nil {
			// A connection that was refused, by AUTH for instance, leaves no error in
			// the commands.
			b.err = errors.Join(ended, errNoReply)
		}
		if b.err == nil {
			b.reply, b.err = replyTo(ids[i], v)
		}
	}
}

// errNoReply means that a command of a pipeline was not sent.
var errNoReply = errors.New("no reply")

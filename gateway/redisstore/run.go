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

// once is a command that go-redis never sends twice. If the reply of the first one was
// lost, Redis may have counted the click. go-redis still follows the redirections of a
// cluster, because a node that redirects has executed nothing.
type once struct{ redis.Cmder }

// NoRetry tells go-redis not to send the command again.
func (once) NoRetry() bool { return true }

// repeatable says whether go-redis may send a script again after the reply was lost.
type repeatable bool

// prepare returns the command to pass to go-redis: a once, unless the script is
// repeatable.
func (again repeatable) prepare(cmd redis.Cmder) redis.Cmder {
	if again {
		return cmd
	}
	return once{cmd}
}

// tryAgainPause is the pause before a slot in migration is tried again.
const tryAgainPause = 5 * time.Millisecond

// errOtherReply means that a connection returned the reply of another call. In the
// protocol of Redis only the order assigns replies to calls. Without this check, a
// duplicated or lost reply would give one link's object to the recipient of another link.
var errOtherReply = fmt.Errorf("%w: the reply belongs to another call", gateway.ErrUnavailable)

// newCallID draws an identifier that distinguishes a call from others. It is no secret.
func newCallID() string {
	return strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // It must differ, not be unpredictable.
}

// replyTo returns the reply of a script without the identifier of its call. The reply
// of a flat script is a list.
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

// replyTo returns the value of a reply that carries the identifier of its call.
func replyTo(callID string, reply any) (any, error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 || parts[0] != callID {
		return nil, errOtherReply
	}
	return parts[1], nil
}

// run executes a script and returns its reply. TRYAGAIN, from a slot in migration, means
// that nothing was executed: run repeats the call until ctx ends.
func run(
	ctx context.Context, c redis.UniversalClient, sc script, again repeatable, keys []string, args ...any,
) (any, error) {
	for {
		reply, err := sc.execute(keys, args, func(command []any) (any, error) { return send(ctx, c, again, command) })
		if !redis.HasErrorPrefix(err, "TRYAGAIN") || !pause(ctx, tryAgainPause) {
			return reply, err
		}
	}
}

// execute sends a script by its digest. If the server does not have the script, it has
// executed nothing (NOSCRIPT), and execute sends the source.
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

// call builds the arguments of EVAL or EVALSHA; script is the source or the digest. The
// identifier of the call is the last argument, and the script returns it with its reply.
func (sc script) call(verb, script, id string, keys []string, args []any) []any {
	all := make([]any, 0, 4+len(keys)+len(args))
	all = append(all, verb, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	all = append(all, args...)
	return append(all, id)
}

// send executes one command.
func send(ctx context.Context, c redis.UniversalClient, again repeatable, args []any) (any, error) {
	cmd := redis.NewCmd(ctx, args...)
	_ = c.Process(ctx, again.prepare(cmd)) // The command holds its error.
	return cmd.Result()
}

// pause waits for d, and reports false if ctx ended first.
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

// execution is one execution of a script that runs several times in a pipeline.
type execution struct {
	keys []string
	args []any

	sendSource bool // the server did not have the script
	reply      any
	err        error
}

// runAll executes a script several times, in one round trip to each node that has the
// keys. Each execution holds its reply or error. runAll repeats the executions that a
// node refused without executing them: NOSCRIPT, and TRYAGAIN until ctx ends. It returns
// the first error.
func runAll(
	ctx context.Context, c redis.UniversalClient, sc script, again repeatable, executions []execution,
) error {
	pending := make([]*execution, len(executions))
	for i := range executions {
		pending[i] = &executions[i]
	}
	for len(pending) > 0 {
		pipeline(ctx, c, sc, again, pending)
		var refused []*execution
		migrating := false
		for _, e := range pending {
			switch {
			case redis.HasErrorPrefix(e.err, "NOSCRIPT"):
				e.sendSource = true
				refused = append(refused, e)
			case redis.HasErrorPrefix(e.err, "TRYAGAIN"):
				migrating = true
				refused = append(refused, e)
			}
		}
		if migrating && !pause(ctx, tryAgainPause) {
			break
		}
		pending = refused
	}
	return firstError(executions)
}

// firstError returns the first error of the executions, in their order.
func firstError(executions []execution) error {
	for i := range executions {
		if executions[i].err != nil {
			return executions[i].err
		}
	}
	return nil
}

// pipeline sends executions in one pipeline and sets the reply or error of each.
func pipeline(ctx context.Context, c redis.UniversalClient, sc script, again repeatable, executions []*execution) {
	pipe := c.Pipeline()
	commands, ids := make([]*redis.Cmd, len(executions)), make([]string, len(executions))
	for i, e := range executions {
		verb, script := "evalsha", sc.digest
		if e.sendSource {
			verb, script = "eval", sc.source
		}
		ids[i] = newCallID()
		commands[i] = redis.NewCmd(ctx, sc.call(verb, script, ids[i], e.keys, e.args)...)
		_ = pipe.Process(ctx, again.prepare(commands[i])) // This only queues the command.
	}
	_, pipelineErr := pipe.Exec(ctx)
	for i, e := range executions {
		var v any
		if v, e.err = commands[i].Result(); e.err == nil && v == nil {
			// A connection that Redis refused, by AUTH for example, sets no error in the
			// commands.
			e.err = errors.Join(pipelineErr, errNotSent)
		}
		if e.err == nil {
			e.reply, e.err = replyTo(ids[i], v)
		}
	}
}

// errNotSent means that a command of a pipeline was not sent.
var errNotSent = errors.New("the command was not sent")

package redisstore

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/batch"
	"keyhole/gateway/redisstore/record"
)

// Clicks that arrive at the same time share one call of the script: most of the cost
// of a click is the round trip to Redis and the start of a script.

// click holds the keys and arguments of one click for lua/admit.lua, and the answer of
// the script. Keys and arguments are parts of one string, so that packing a click
// allocates once.
type click struct {
	partition           int
	permission, history string // keys
	attempt, event      string // arguments, as lua/admit.lua describes them
	callID              string // the identifier of the call, in its first click only
	answer              string // of the script
}

// pendingClick is a click on its way to Redis.
type pendingClick = batch.Pending[click]

// errPanicked means that a call panicked.
var errPanicked = errors.New("the call to redis panicked; see the log")

// packClick packs an attempt for the script, in one allocation.
func (s *Store) packClick(c *click, a *gateway.Attempt) error {
	method, err := record.MethodLetter(a.Method)
	if err != nil {
		return err
	}
	c.partition = partition(a.ID)
	var space [256]byte
	b := s.keys.appendPermission(space[:0], a.ID)
	permission := len(b)
	b = s.keys.appendHistory(b, a.ID)
	history := len(b)
	b = append(b, method...)
	b = append(b, confirmationLetter(a)...)
	b = record.AppendClient(b, a.Client)
	attempt := len(b)
	b = append(b, a.ID[:]...)
	b = append(b, 'd')
	b = append(b, method...)
	b = append(b, 'd')
	b = record.AppendAddress(b, a.Address)
	all := string(b)
	c.permission, c.history = all[:permission], all[permission:history]
	c.attempt, c.event = all[history:attempt], all[attempt:]
	return nil
}

// confirmationLetter tells the script how to answer if the link needs confirmation.
func confirmationLetter(a *gateway.Attempt) string {
	switch {
	case a.Method == "POST", a.Grant != "", a.Form != nil:
		return string(record.Undecided)
	case a.Page:
		return "g"
	}
	return "c"
}

// admitCall builds one call of the script for several clicks. verb and script are
// EVALSHA and a digest, or EVAL and a source. Arguments are pointers: strings in an
// interface would each be allocated.
func (s *Store) admitCall(ctx context.Context, verb, script string, clicks []*pendingClick) *redis.StringSliceCmd {
	first := &clicks[0].Item
	first.callID = newCallID()
	args := make([]any, 0, 5+5*len(clicks))
	args = append(args, verb, script, 3*len(clicks))
	for _, p := range clicks {
		args = append(args, &p.Item.permission, &p.Item.history, &s.streams[p.Item.partition])
	}
	args = append(args, s.maxDownloads())
	for _, p := range clicks {
		args = append(args, &p.Item.attempt, &p.Item.event)
	}
	args = append(args, &first.callID)
	return redis.NewStringSliceCmd(ctx, args...)
}

// process makes a call over c. The call holds its error.
func (s *Store) process(ctx context.Context, c redis.UniversalClient, call *redis.StringSliceCmd) {
	call.SetErr(nil)
	if err := s.recoverPanic(func() { _ = c.Process(ctx, once{call}) }); err != nil {
		call.SetErr(err)
	}
}

// recoverPanic turns a panic of call into an error. The goroutines of batches are outside
// every handler, so a panic here would end the process. The value of the panic may hold a
// secret, so recoverPanic logs only the stack.
func (s *Store) recoverPanic(call func()) (err error) {
	defer func() {
		if recover() != nil {
			s.options.Logger.Error("a call to redis panicked", "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	call()
	return nil
}

// sendTogether sends clicks in one call. In a cluster, all of them must be in one slot.
func (s *Store) sendTogether(ctx context.Context, clicks []*pendingClick) {
	call := s.admitCall(ctx, "evalsha", s.scripts.admit.digest, clicks)
	s.process(ctx, s.client.clicks, call)
	if !s.completeCall(ctx, call, clicks) {
		s.sendEach(ctx, clicks)
	}
}

// completeCall completes the clicks of one call. After NOSCRIPT or TRYAGAIN, Redis has
// executed nothing. completeCall repeats the call after NOSCRIPT. It returns false after
// TRYAGAIN: a slot in migration has only some of the links, so the caller must send each
// click separately.
func (s *Store) completeCall(ctx context.Context, call *redis.StringSliceCmd, clicks []*pendingClick) bool {
	answers, err := call.Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		call = s.admitCall(ctx, "eval", s.scripts.admit.source, clicks)
		s.process(ctx, s.client.clicks, call)
		answers, err = call.Result()
	}
	if redis.HasErrorPrefix(err, "TRYAGAIN") {
		return false
	}
	if err == nil && (len(answers) != 1+len(clicks) || answers[0] != clicks[0].Item.callID) {
		err = errOtherReply
	}
	for i, p := range clicks {
		if err == nil {
			p.Item.answer = answers[1+i]
		}
		p.Complete(err)
	}
	return true
}

// sendEach sends each click in a separate call.
func (s *Store) sendEach(ctx context.Context, clicks []*pendingClick) {
	var sending sync.WaitGroup
	for _, p := range clicks {
		sending.Go(func() {
			c := &p.Item
			var v any
			var err error
			panicked := s.recoverPanic(func() {
				v, err = run(ctx, s.client.clicks, s.scripts.admit, false,
					[]string{c.permission, c.history, s.streams[c.partition]}, s.maxDownloads(), c.attempt, c.event)
			})
			r := replyOf(v)
			c.answer = r.text()
			if err = errors.Join(panicked, err); err == nil {
				err = r.err
			}
			p.Complete(err)
		})
	}
	sending.Wait()
}

// newBatcher returns a queue of clicks for one server.
func (s *Store) newBatcher(send func(context.Context, []*pendingClick)) *batch.Batcher[click] {
	return batch.New(batch.Options[click]{
		Timeout: s.client.timeout, MaxSenders: s.client.maxClickConnections, Send: send,
	})
}

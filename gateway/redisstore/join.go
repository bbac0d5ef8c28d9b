package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Clicks that come at the same time are judged by one call of the script: most of
// what a click costs is the way to Redis and back, and the start of a script.
// Nobody waits for others to come: while calls are under way, what comes joins the
// next one.
const (
	// mostJoined is the most clicks of one call.
	mostJoined = 256
	// usualSenders is how many calls of one queue are under way while they are
	// quick: while one is on its way, the other's clicks are gathered. On a single
	// processor nothing is gained by that, and the calls would be smaller.
	usualSenders = 2
	// joinWithin is how long a click waits for a call to end before another is
	// made beside it: then Redis is far away, or slow.
	joinWithin = 5 * time.Millisecond
	// joinSpan is the most between the oldest and the youngest click of one call,
	// which has its end by the oldest, and longer by this, so that the youngest
	// has all of its time too.
	joinSpan = 50 * time.Millisecond
)

// errNoTurn says that a click was not sent: no call has ended within its time.
var errNoTurn = fmt.Errorf("no call to redis ended in time: %w", context.DeadlineExceeded)

// errPanicked is what a call ended with that panicked.
var errPanicked = errors.New("the call panicked")

// joined is one click on its way. Its keys and arguments are parts of one string.
type joined struct {
	partition     int
	link, history string // keys
	asked, event  string // arguments, as lua/admit.lua has them
	begun         time.Time
	callID        string // of the call, if the click is its first

	answer string
	err    error
	done   chan struct{} // is sent to when there is an answer or an error

	batch []*joined // room for those that are sent with it, if it is the first
}

// settle tells whoever waits for the click what became of it.
func (j *joined) settle(answer string, err error) {
	j.answer, j.err = answer, err
	j.done <- struct{}{}
}

// joiner is one queue of clicks, all for one server.
type joiner struct {
	timeout time.Duration
	usual   int // senders
	most    int // senders, while calls are slow
	send    func(context.Context, []*joined)

	mu      sync.Mutex
	waiting []*joined // oldest first
	senders int
	watch   *time.Timer // runs while clicks wait for the calls under way
	watched bool        // whether watch is running
}

// do sends the click with others and returns when it is settled, which takes
// timeout and joinSpan at most: every call ends by then, and its sender turns to
// those who have waited longest. Where another sender is wanted, whoever asks is
// one itself, for the length of one call.
func (q *joiner) do(j *joined) {
	q.mu.Lock()
	q.waiting = append(q.waiting, j)
	more := q.senders < q.usual ||
		q.senders < q.most && j.begun.Sub(q.waiting[0].begun) > joinWithin
	if more {
		q.senders++
	} else {
		q.watchWaiting()
	}
	q.mu.Unlock()
	if more {
		q.sendOnce(j)
	}
	<-j.done
}

// watchWaiting starts the timer that adds a sender when the calls under way are
// slow. Without it the newest click would wait until a call ends: no other click
// comes after it that could notice. The caller holds mu.
func (q *joiner) watchWaiting() {
	if q.watched {
		return
	}
	q.watched = true
	if q.watch == nil {
		q.watch = time.AfterFunc(joinWithin, q.addSender)
		return
	}
	q.watch.Reset(joinWithin)
}

// addSender sends what has waited for joinWithin beside the calls under way, as
// long as there may be another sender, and keeps watching while clicks wait.
func (q *joiner) addSender() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watched = false
	if len(q.waiting) == 0 {
		return
	}
	if q.senders < q.most && time.Since(q.waiting[0].begun) >= joinWithin {
		q.senders++
		go q.run()
	}
	q.watchWaiting()
}

// sendOnce sends what waits, and leaves to a goroutine of their own what has come
// meanwhile: the click that it is called for has been answered by then.
func (q *joiner) sendOnce(j *joined) {
	j.batch = q.next(j.batch[:0])
	if len(j.batch) == 0 {
		return
	}
	q.settle(j.batch)
	clear(j.batch)
	if !q.leave() {
		go q.run()
	}
}

// run sends what waits until nothing does.
func (q *joiner) run() {
	var batch []*joined
	for {
		if batch = q.next(batch[:0]); len(batch) == 0 {
			return
		}
		q.settle(batch)
	}
}

// leave tells whether nothing waits: then there is a sender less.
func (q *joiner) leave() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		return false
	}
	q.senders--
	return true
}

// next takes the clicks of the next call out of the queue. If there are none, the
// sender is not counted any more.
func (q *joiner) next(batch []*joined) []*joined {
	// Whoever is about to ask may do so first, and joins.
	runtime.Gosched()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.senders--
	}
	n := 0
	for n < len(q.waiting) && n < mostJoined && q.waiting[n].begun.Sub(q.waiting[0].begun) <= joinSpan {
		n++
	}
	batch = append(batch, q.waiting[:n]...)
	left := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[left:])
	q.waiting = q.waiting[:left]
	return batch
}

// settle makes one call for a batch. What has waited for all of its time is not
// sent.
func (q *joiner) settle(batch []*joined) {
	now := time.Now()
	for len(batch) > 0 && now.Sub(batch[0].begun) >= q.timeout {
		batch[0].settle("", errNoTurn)
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), batch[0].begun.Add(q.timeout+joinSpan))
	defer cancel()
	q.send(ctx, batch)
}

// joinedCall builds the one call for a batch: EVALSHA and a digest, or EVAL and a
// source. Arguments are given by their addresses: as values each would be
// allocated. The identifier of the call is kept with its first click.
func (s *Store) joinedCall(ctx context.Context, verb, what string, batch []*joined) *redis.StringSliceCmd {
	batch[0].callID = newCallID()
	args := make([]any, 0, 5+5*len(batch))
	args = append(args, verb, what, 3*len(batch))
	for _, j := range batch {
		args = append(args, &j.link, &j.history, &s.streams[j.partition])
	}
	args = append(args, s.mostEvents())
	for _, j := range batch {
		args = append(args, &j.asked, &j.event)
	}
	args = append(args, &batch[0].callID)
	return redis.NewStringSliceCmd(ctx, args...)
}

// process makes a call, whose error is in it.
func (s *Store) process(ctx context.Context, call *redis.StringSliceCmd) {
	if err := s.survive(func() { _ = s.client.clicks.Process(ctx, once{call}) }); err != nil {
		call.SetErr(err)
	}
}

// survive makes a panic of what it calls an error. Here it would not meet the
// handler of one request, but end the process with the requests of all. What it
// panicked with may hold anything, so the place alone is logged.
func (s *Store) survive(call func()) (err error) {
	defer func() {
		if recover() != nil {
			s.options.Logger.Error("a call to redis panicked", "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	call()
	return nil
}

// sendTogether sends a batch as one call: for a server that has all partitions.
func (s *Store) sendTogether(ctx context.Context, batch []*joined) {
	call := s.joinedCall(ctx, "evalsha", s.scripts.admit.digest, batch)
	s.process(ctx, call)
	if !s.settleCall(ctx, call, batch) {
		s.sendAlone(ctx, batch)
	}
}

// sendByPartition sends a batch as one call for each partition, all in one
// pipeline: a script's keys must be in one slot.
func (s *Store) sendByPartition(ctx context.Context, batch []*joined) {
	slices.SortStableFunc(batch, func(a, b *joined) int { return a.partition - b.partition })
	if batch[0].partition == batch[len(batch)-1].partition {
		s.sendTogether(ctx, batch)
		return
	}
	var groups [][]*joined
	for rest := batch; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].partition == rest[0].partition {
			n++
		}
		groups, rest = append(groups, rest[:n]), rest[n:]
	}
	pipe := s.client.clicks.Pipeline()
	calls := make([]*redis.StringSliceCmd, len(groups))
	for i, group := range groups {
		calls[i] = s.joinedCall(ctx, "evalsha", s.scripts.admit.digest, group)
		_ = pipe.Process(ctx, once{calls[i]}) // It is only queued.
	}
	err := s.survive(func() { _, _ = pipe.Exec(ctx) }) // The errors are in the calls.
	var alone []*joined
	for i, group := range groups {
		if err != nil {
			calls[i].SetErr(err)
		}
		if !s.settleCall(ctx, calls[i], group) {
			alone = append(alone, group...)
		}
	}
	s.sendAlone(ctx, alone)
}

// settleCall settles the clicks of one call, and tells whether it did. NOSCRIPT, and
// TRYAGAIN from a slot in migration, mean that nothing was executed. Of a slot that
// moves some links can be asked and others not yet: each click must be sent alone.
func (s *Store) settleCall(ctx context.Context, call *redis.StringSliceCmd, batch []*joined) bool {
	answers, err := call.Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		call = s.joinedCall(ctx, "eval", s.scripts.admit.source, batch)
		s.process(ctx, call)
		answers, err = call.Result()
	}
	if redis.HasErrorPrefix(err, "TRYAGAIN") {
		return false
	}
	if err == nil && (len(answers) != 1+len(batch) || answers[0] != batch[0].callID) {
		err = errOtherReply
	}
	for i, j := range batch {
		if err != nil {
			j.settle("", err)
		} else {
			j.settle(answers[1+i], nil)
		}
	}
	return true
}

// sendAlone sends each click of a batch by itself.
func (s *Store) sendAlone(ctx context.Context, batch []*joined) {
	var sending sync.WaitGroup
	for _, j := range batch {
		sending.Go(func() {
			var v any
			var err error
			panicked := s.survive(func() {
				v, err = run(ctx, s.client.clicks, s.scripts.admit, false,
					[]string{j.link, j.history, s.streams[j.partition]}, s.mostEvents(), j.asked, j.event)
			})
			r := replyOf(v)
			answer := r.text()
			if err = errors.Join(panicked, err); err == nil {
				err = r.err
			}
			j.settle(answer, err)
		})
	}
	sending.Wait()
}

// home is the queue of a partition in a cluster.
type home struct {
	*joiner

	until time.Time // when the partition's master is looked up again
}

// homeLasts is how long a partition is taken to be where it was. go-redis finds
// it wherever it is: clicks would only wait in another's queue.
const homeLasts = time.Second

// queueOf returns the queue of a partition: of the server that has it, so that one
// that does not answer keeps no click for another waiting.
func (s *Store) queueOf(ctx context.Context, p int, now time.Time) (*joiner, error) {
	cluster, ok := s.client.clicks.(*redis.ClusterClient)
	if !ok {
		return s.queue, nil
	}
	if h := s.homes[p].Load(); h != nil && now.Before(h.until) {
		return h.joiner, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	master, err := cluster.MasterForKey(ctx, s.streams[p])
	if err != nil {
		return nil, err
	}
	q, _ := s.queues.LoadOrStore(master.Options().Addr, s.newQueue(s.sendByPartition))
	s.homes[p].Store(&home{q.(*joiner), now.Add(homeLasts)})
	return q.(*joiner), nil
}

func (s *Store) newQueue(send func(context.Context, []*joined)) *joiner {
	return &joiner{
		timeout: s.client.timeout, send: send,
		usual: min(usualSenders, runtime.GOMAXPROCS(0)), most: s.client.mostClicks,
	}
}

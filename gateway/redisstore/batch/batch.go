package batch

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	// MaxItems is the largest number of items in a batch.
	MaxItems = 256
	// MaxAgeSpread is the largest difference in age between two items of a batch. A
	// batch must end Timeout after its oldest item started, plus this spread, so that
	// its youngest item has its full time too.
	MaxAgeSpread = 50 * time.Millisecond
	// fastSenders is how many batches are sent at the same time while sending is fast:
	// items gather for one while the other is on its way. With a single processor a
	// second one would only make batches smaller.
	fastSenders = 2
	// slowAfter is how long an item waits before another batch is sent beside the
	// current ones: then the server is far away, or slow.
	slowAfter = 5 * time.Millisecond
)

// ErrNotSent means that an item waited for its whole time and was never sent,
// because no earlier batch ended. It wraps context.DeadlineExceeded.
var ErrNotSent = fmt.Errorf("no earlier batch ended in time: %w", context.DeadlineExceeded)

// Pending is one item on its way. Reuse it for another item after Submit returned.
type Pending[T any] struct {
	Item T

	started time.Time
	err     error
	done    chan struct{} // receives a value when the item is complete
	batch   []*Pending[T] // reused memory for the batch that this item sends
}

// NewPending returns an empty Pending.
func NewPending[T any]() *Pending[T] {
	return &Pending[T]{done: make(chan struct{}, 1)}
}

// Complete lets Submit return err. A sender calls it exactly once per item and must not
// use the item afterwards.
func (p *Pending[T]) Complete(err error) {
	p.err = err
	p.done <- struct{}{}
}

// Wait returns the error of Complete. Submit calls it, so only tests of a sender do.
func (p *Pending[T]) Wait() error {
	<-p.done
	return p.err
}

// Options configure a Batcher.
type Options[T any] struct {
	// Timeout bounds the time of an item, from its start until it is complete.
	Timeout time.Duration
	// MaxSenders is how many batches may be sent at the same time while the server
	// is slow.
	MaxSenders int
	// Send sends at least one item and completes each before it returns, at the latest
	// when ctx ends. The slice belongs to the Batcher.
	Send func(ctx context.Context, batch []*Pending[T])
}

// Batcher is a queue of items for one server. It may be used concurrently.
type Batcher[T any] struct {
	options     Options[T]
	fastSenders int

	mu         sync.Mutex
	waiting    []*Pending[T] // oldest first
	senders    int
	timer      *time.Timer // fires when an item has waited for slowAfter
	timerArmed bool
}

// New returns a Batcher without items.
func New[T any](o Options[T]) *Batcher[T] {
	return &Batcher[T]{options: o, fastSenders: min(fastSenders, runtime.GOMAXPROCS(0))}
}

// Submit sends the item, together with others, and returns the error that it was
// completed with. It returns within Timeout and MaxAgeSpread from started: every
// batch ends by then, and its sender continues with the oldest waiting items.
//
// If another sender may run, the calling goroutine is that sender for one batch.
func (b *Batcher[T]) Submit(p *Pending[T], started time.Time) error {
	p.started = started
	b.mu.Lock()
	b.waiting = append(b.waiting, p)
	send := b.senders < b.fastSenders ||
		b.senders < b.options.MaxSenders && started.Sub(b.waiting[0].started) > slowAfter
	if send {
		b.senders++
	} else {
		b.armTimer()
	}
	b.mu.Unlock()
	if send {
		b.sendOnce(p)
	}
	return p.Wait()
}

// armTimer starts the timer that adds a sender if sending is slow: no later item may come
// that would notice. The caller holds mu.
func (b *Batcher[T]) armTimer() {
	if b.timerArmed {
		return
	}
	b.timerArmed = true
	if b.timer == nil {
		b.timer = time.AfterFunc(slowAfter, b.addSender)
		return
	}
	b.timer.Reset(slowAfter)
}

// addSender starts another sender if the oldest item has waited for slowAfter and
// MaxSenders allows it. It rearms the timer while items wait.
func (b *Batcher[T]) addSender() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.timerArmed = false
	if len(b.waiting) == 0 {
		return
	}
	if b.senders < b.options.MaxSenders && time.Since(b.waiting[0].started) >= slowAfter {
		b.senders++
		go b.run()
	}
	b.armTimer()
}

// sendOnce sends one batch for the goroutine of p, and hands later items over to a
// goroutine of their own: p is complete by then, so its caller must not wait longer.
func (b *Batcher[T]) sendOnce(p *Pending[T]) {
	p.batch = b.next(p.batch[:0])
	if len(p.batch) == 0 {
		return
	}
	b.send(p.batch)
	clear(p.batch)
	if !b.stopIfIdle() {
		go b.run()
	}
}

// run sends batches until no item waits.
func (b *Batcher[T]) run() {
	var batch []*Pending[T]
	for {
		if batch = b.next(batch[:0]); len(batch) == 0 {
			return
		}
		b.send(batch)
	}
}

// stopIfIdle reports whether no item waits. If so, it has removed a sender.
func (b *Batcher[T]) stopIfIdle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		return false
	}
	b.senders--
	return true
}

// next moves the items of the next batch out of the queue. If there are none, it has
// removed the calling sender.
func (b *Batcher[T]) next(batch []*Pending[T]) []*Pending[T] {
	// Goroutines that are ready to submit an item run first, and join this batch.
	runtime.Gosched()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		b.senders--
	}
	n := 0
	for n < len(b.waiting) && n < MaxItems && b.waiting[n].started.Sub(b.waiting[0].started) <= MaxAgeSpread {
		n++
	}
	batch = append(batch, b.waiting[:n]...)
	left := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[left:])
	b.waiting = b.waiting[:left]
	return batch
}

// send sends a batch. It completes items whose whole time has passed with ErrNotSent
// instead.
func (b *Batcher[T]) send(batch []*Pending[T]) {
	now, late := time.Now(), 0
	for late < len(batch) && now.Sub(batch[late].started) >= b.options.Timeout {
		late++
	}
	for _, p := range batch[:late] {
		p.Complete(ErrNotSent)
	}
	if batch = batch[late:]; len(batch) == 0 {
		return
	}
	deadline := batch[0].started.Add(b.options.Timeout + MaxAgeSpread)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	b.options.Send(ctx, batch)
}

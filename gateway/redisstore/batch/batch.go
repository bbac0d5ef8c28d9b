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
	// MaxAgeSpread is the largest difference in age of two items of a batch. A batch may
	// exceed Timeout by it, so that its youngest item has its full time.
	MaxAgeSpread = 50 * time.Millisecond
	// fastSenders limits the concurrent batches while the server is fast: items gather
	// for one batch while the other is on its way. One processor uses only one.
	fastSenders = 2
	// slowAfter is the waiting time of an item from which the server counts as slow.
	slowAfter = 5 * time.Millisecond
)

// ErrNotSent means that an item was never sent, because earlier batches took all of its
// time. It wraps context.DeadlineExceeded.
var ErrNotSent = fmt.Errorf("no earlier batch ended in time: %w", context.DeadlineExceeded)

// Pending is one item and its result. After Submit it can hold another item.
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

// Complete lets Submit return err. Options.Send calls Complete exactly once per item, and
// must not use the item afterwards.
func (p *Pending[T]) Complete(err error) {
	p.err = err
	p.done <- struct{}{}
}

// Wait returns the error of Complete. Besides Submit, only tests call it.
func (p *Pending[T]) Wait() error {
	<-p.done
	return p.err
}

// Options configure a Batcher.
type Options[T any] struct {
	// Timeout bounds the time of an item, from its start until it is complete.
	Timeout time.Duration
	// MaxSenders limits the concurrent batches while the server is slow.
	MaxSenders int
	// Send sends at least one item and completes each before it returns, at the latest
	// when ctx ends. The slice belongs to the Batcher.
	Send func(ctx context.Context, batch []*Pending[T])
}

// Batcher is a queue of items for one server. It is safe for concurrent use.
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

// Submit sends the item, together with others, and returns the error of its Complete. It
// returns within Timeout plus MaxAgeSpread, counted from started: every batch ends by
// then, and its sender continues with the oldest waiting items.
// If the limits allow another sender, the calling goroutine sends one batch itself.
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

// armTimer starts the timer that adds a sender if the server is slow. Without the timer,
// only the next Submit would notice a slow server. The caller holds mu.
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

// sendOnce sends one batch in the goroutine of p. Then p is complete, and its caller must
// not wait longer, so a new goroutine sends later items.
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

// stopIfIdle removes the calling sender if no item waits, and reports whether it did.
func (b *Batcher[T]) stopIfIdle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 {
		return false
	}
	b.senders--
	return true
}

// next moves the items of the next batch out of the queue. If no item waits, it returns
// none and removes the calling sender.
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

// send sends a batch. An item whose time is over is not sent, and gets ErrNotSent.
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

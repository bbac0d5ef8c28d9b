package batch

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// question is the item of these tests.
type question struct{ text, answer string }

// server receives batches. It holds every batch back until release allows it.
type server struct {
	batches chan []*Pending[question] // one element per batch
	release chan struct{}
}

func newServer() *server {
	return &server{batches: make(chan []*Pending[question], 64), release: make(chan struct{})}
}

// send answers each question with its own text.
func (s *server) send(_ context.Context, batch []*Pending[question]) {
	s.batches <- append([]*Pending[question](nil), batch...)
	<-s.release
	for _, p := range batch {
		p.Item.answer = "to " + p.Item.text
		p.Complete(nil)
	}
}

// newBatcher returns a batcher with one sender, and with most senders while sending is slow.
func newBatcher(most int, send func(context.Context, []*Pending[question])) *Batcher[question] {
	b := New(Options[question]{Timeout: time.Minute, MaxSenders: most, Send: send})
	b.fastSenders = 1
	return b
}

func newQuestion(text string) *Pending[question] {
	p := NewPending[question]()
	p.Item.text = text
	return p
}

// awaitWaiting returns when n items wait for a batch.
func awaitWaiting(b *Batcher[question], n int) {
	for {
		b.mu.Lock()
		waiting := len(b.waiting)
		b.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// TestBatches submits items while a batch is being sent: they form the next batches,
// and each item gets its own answer. A sender returns when its own item is complete, even
// if other items still wait.
func TestBatches(t *testing.T) {
	s := newServer()
	b := newBatcher(1, s.send)
	started := time.Now()
	var submitting sync.WaitGroup
	submit := func(text string) {
		p := newQuestion(text)
		if err := b.Submit(p, started); err != nil || p.Item.answer != "to "+text {
			t.Errorf("the answer to %s is %q, %v", text, p.Item.answer, err)
		}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		submit("first")
	}()
	if first := <-s.batches; len(first) != 1 {
		t.Errorf("the first batch has %d items, want 1", len(first))
	}
	const others = MaxItems + 10
	for i := range others {
		submitting.Go(func() { submit(strconv.Itoa(i)) })
	}
	awaitWaiting(b, others)
	s.release <- struct{}{}
	<-answered
	if second := <-s.batches; len(second) != MaxItems {
		t.Errorf("the second batch has %d items, want %d", len(second), MaxItems)
	}
	close(s.release)
	if third := <-s.batches; len(third) != others-MaxItems {
		t.Errorf("the third batch has %d items, want %d", len(third), others-MaxItems)
	}
	submitting.Wait()
}

// TestSlowBatch lets a batch hang: items that have waited longer than slowAfter are
// sent beside it, by MaxSenders at most.
func TestSlowBatch(t *testing.T) {
	s := newServer()
	b := newBatcher(2, s.send)
	started := time.Now()
	var submitting sync.WaitGroup
	submit := func(text string, at time.Duration) {
		p := newQuestion(text)
		submitting.Go(func() {
			if err := b.Submit(p, started.Add(at)); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		})
	}
	submit("hangs", 0)
	<-s.batches
	submit("waits", time.Millisecond)
	awaitWaiting(b, 1)
	submit("comes too late to wait", 2*time.Millisecond+slowAfter)
	if second := <-s.batches; len(second) != 2 {
		t.Errorf("the second batch has %d items, want 2", len(second))
	}
	submit("finds both senders busy", time.Second)
	submit("finds both senders busy too", 2*time.Second)
	awaitWaiting(b, 2)
	if len(s.batches) > 0 {
		t.Error("a third batch was sent beside two")
	}
	close(s.release)
	submitting.Wait()
}

// TestNewestItem lets a batch hang in front of the newest item: the item is sent beside
// it after slowAfter, although no later item arrives.
func TestNewestItem(t *testing.T) {
	s := newServer()
	b := newBatcher(2, s.send)
	started := time.Now()
	var submitting sync.WaitGroup
	submit := func(text string, started time.Time) {
		submitting.Go(func() {
			if err := b.Submit(newQuestion(text), started); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		})
	}
	submit("hangs", started)
	<-s.batches
	submit("newest", time.Now())
	select {
	case batch := <-s.batches:
		if len(batch) != 1 || batch[0].Item.text != "newest" {
			t.Errorf("the second batch has %d items, want only the newest", len(batch))
		}
	case <-time.After(10 * time.Second):
		t.Error("the newest item was not sent while the other batch hung")
	}
	close(s.release)
	submitting.Wait()
}

// TestAges takes items of different ages out of a queue: an item whose time is over is
// not sent, and the deadline of a batch follows its oldest item.
func TestAges(t *testing.T) {
	const timeout = time.Minute
	now := time.Now()
	var deadlines []time.Time
	var sent []string
	b := newBatcher(1, func(ctx context.Context, batch []*Pending[question]) {
		deadline, _ := ctx.Deadline()
		deadlines = append(deadlines, deadline)
		for _, p := range batch {
			sent = append(sent, p.Item.text)
			p.Complete(nil)
		}
	})
	at := func(text string, started time.Time) *Pending[question] {
		p := newQuestion(text)
		p.started = started
		return p
	}
	late := at("late", now.Add(-timeout))
	old := at("old", now.Add(-timeout/2))
	young := at("young", old.started.Add(MaxAgeSpread))
	younger := at("younger", young.started.Add(1))
	b.waiting = []*Pending[question]{late, old, young, younger}
	b.senders = 1
	b.run()
	if !errors.Is(late.err, ErrNotSent) || !errors.Is(late.err, context.DeadlineExceeded) {
		t.Errorf("an item whose time was over ended with %v", late.err)
	}
	if len(sent) != 3 || old.err != nil || young.err != nil || younger.err != nil {
		t.Errorf("sent %v", sent)
	}
	want := []time.Time{old.started.Add(timeout + MaxAgeSpread), younger.started.Add(timeout + MaxAgeSpread)}
	if len(deadlines) != 2 || !deadlines[0].Equal(want[0]) || !deadlines[1].Equal(want[1]) {
		t.Errorf("the batches end at %v, want %v", deadlines, want)
	}
	if b.senders != 0 {
		t.Errorf("%d senders are left", b.senders)
	}
}

// TestAllLate submits items whose time is over: nothing is sent, and the next item
// finds a sender.
func TestAllLate(t *testing.T) {
	var sent atomic.Int64
	b := newBatcher(1, func(_ context.Context, batch []*Pending[question]) {
		sent.Add(int64(len(batch)))
		for _, p := range batch {
			p.Complete(nil)
		}
	})
	for range 3 {
		if err := b.Submit(newQuestion("late"), time.Now().Add(-time.Hour)); !errors.Is(err, ErrNotSent) {
			t.Errorf("submit: %v, want ErrNotSent", err)
		}
	}
	if n := sent.Load(); n != 0 {
		t.Errorf("%d late items were sent", n)
	}
	if err := b.Submit(newQuestion("in time"), time.Now()); err != nil {
		t.Errorf("submit in time: %v", err)
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("%d items were sent, want 1", n)
	}
}

// TestErrors completes the items of one batch differently: each Submit returns its own
// error, and a Pending can be used again after an error.
func TestErrors(t *testing.T) {
	failed := errors.New("failed")
	b := newBatcher(1, func(_ context.Context, batch []*Pending[question]) {
		for _, p := range batch {
			if p.Item.text == "bad" {
				p.Complete(failed)
				continue
			}
			p.Complete(nil)
		}
	})
	p := NewPending[question]()
	for _, tt := range []struct {
		text string
		want error
	}{{"bad", failed}, {"good", nil}, {"bad", failed}, {"good", nil}} {
		p.Item = question{text: tt.text}
		if err := b.Submit(p, time.Now()); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.text, err, tt.want)
		}
	}
}

// TestManySubmitters lets goroutines submit and reuse items as clicks do: no item is
// lost or sent twice, and no batch exceeds its limits.
func TestManySubmitters(t *testing.T) {
	const goroutines, rounds = 50, 200
	var sent, batches atomic.Int64
	send := func(ctx context.Context, batch []*Pending[question]) {
		if _, limited := ctx.Deadline(); !limited || len(batch) == 0 || len(batch) > MaxItems {
			t.Errorf("a batch has %d items, with a deadline: %v", len(batch), limited)
		}
		batches.Add(1)
		sent.Add(int64(len(batch)))
		for _, p := range batch {
			p.Item.answer = "to " + p.Item.text
			p.Complete(nil)
		}
	}
	b := New(Options[question]{Timeout: time.Minute, MaxSenders: 8, Send: send})
	var submitting sync.WaitGroup
	for g := range goroutines {
		submitting.Go(func() {
			p := NewPending[question]()
			for r := range rounds {
				text := strconv.Itoa(g) + "/" + strconv.Itoa(r)
				p.Item = question{text: text}
				if err := b.Submit(p, time.Now()); err != nil || p.Item.answer != "to "+text {
					t.Errorf("the answer to %s is %q, %v", text, p.Item.answer, err)
				}
			}
		})
	}
	submitting.Wait()
	if sent.Load() != goroutines*rounds {
		t.Errorf("%d items were sent in %d batches, want %d items", sent.Load(), batches.Load(), goroutines*rounds)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) != 0 {
		t.Errorf("%d items still wait", len(b.waiting))
	}
}

// TestSubmitAllocations submits one item after the other: no submission allocates,
// except for the context of its batch.
func TestSubmitAllocations(t *testing.T) {
	b := newBatcher(1, func(_ context.Context, batch []*Pending[question]) {
		for _, p := range batch {
			p.Complete(nil)
		}
	})
	p := NewPending[question]()
	got := testing.AllocsPerRun(1000, func() {
		if err := b.Submit(p, time.Now()); err != nil {
			t.Errorf("submit: %v", err)
		}
	})
	if want := contextAllocations(); got > want {
		t.Errorf("a submission allocates %v times, and its context %v times", got, want)
	}
}

// contextAllocations returns how often the context of a batch allocates.
func contextAllocations() float64 {
	return testing.AllocsPerRun(1000, func() {
		_, cancel := context.WithDeadline(context.Background(), time.Now().Add(time.Minute))
		cancel()
	})
}

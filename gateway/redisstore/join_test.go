package redisstore

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// calls is what a joiner sends to: it keeps every call back until it is let go.
type calls struct {
	made chan []*joined // one element a call
	let  chan struct{}
}

func newCalls() *calls {
	return &calls{made: make(chan []*joined, 64), let: make(chan struct{})}
}

// send settles each click with its own question.
func (c *calls) send(_ context.Context, batch []*joined) {
	c.made <- append([]*joined(nil), batch...)
	<-c.let
	for _, j := range batch {
		j.settle("to "+j.asked, nil)
	}
}

// newJoined returns a click that came at a time.
func newJoined(asked string, begun time.Time) *joined {
	return &joined{asked: asked, begun: begun, done: make(chan struct{}, 1)}
}

// queued waits until so many clicks wait for a call.
func queued(q *joiner, n int) {
	for {
		q.mu.Lock()
		waiting := len(q.waiting)
		q.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// TestJoin lets clicks come while a call is under way: they make one call, and
// each has its own answer. Who has sent for himself goes on when that is answered,
// whatever others still wait for.
func TestJoin(t *testing.T) {
	c := newCalls()
	q := &joiner{timeout: time.Minute, usual: 1, most: 1, send: c.send}
	begun := time.Now()
	var asking sync.WaitGroup
	ask := func(asked string) {
		j := newJoined(asked, begun)
		q.do(j)
		if j.answer != "to "+j.asked || j.err != nil {
			t.Errorf("the click %s was answered %q, %v", j.asked, j.answer, j.err)
		}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ask("first")
	}()
	if first := <-c.made; len(first) != 1 {
		t.Errorf("the first call has %d clicks, want 1", len(first))
	}
	const others = mostJoined + 10
	for i := range others {
		asking.Go(func() { ask(strconv.Itoa(i)) })
	}
	queued(q, others)
	c.let <- struct{}{}
	<-answered
	if second := <-c.made; len(second) != mostJoined {
		t.Errorf("the second call has %d clicks, want %d", len(second), mostJoined)
	}
	close(c.let)
	if third := <-c.made; len(third) != others-mostJoined {
		t.Errorf("the third call has %d clicks, want %d", len(third), others-mostJoined)
	}
	asking.Wait()
}

// TestJoinSlow lets a call hang: who has waited for it longer than joinWithin is
// sent beside it, by as many senders as there may be and no more.
func TestJoinSlow(t *testing.T) {
	c := newCalls()
	q := &joiner{timeout: time.Minute, usual: 1, most: 2, send: c.send}
	begun := time.Now()
	var asking sync.WaitGroup
	ask := func(asked string, at time.Duration) {
		j := newJoined(asked, begun.Add(at))
		asking.Go(func() { q.do(j) })
	}
	ask("hangs", 0)
	<-c.made
	ask("waits", time.Millisecond)
	queued(q, 1)
	ask("comes too late to wait", 2*time.Millisecond+joinWithin)
	if second := <-c.made; len(second) != 2 {
		t.Errorf("the second call has %d clicks, want 2", len(second))
	}
	ask("finds both busy", time.Second)
	ask("finds both busy too", 2*time.Second)
	queued(q, 2)
	if len(c.made) > 0 {
		t.Error("a third call was made beside two")
	}
	close(c.let)
	asking.Wait()
}

// TestJoinNewest lets a call hang that the newest click waits behind: it is sent
// beside the call after joinWithin, although no click comes after it.
func TestJoinNewest(t *testing.T) {
	c := newCalls()
	q := &joiner{timeout: time.Minute, usual: 1, most: 2, send: c.send}
	begun := time.Now()
	var asking sync.WaitGroup
	asking.Go(func() { q.do(newJoined("hangs", begun)) })
	<-c.made
	asking.Go(func() { q.do(newJoined("newest", time.Now())) })
	select {
	case batch := <-c.made:
		if len(batch) != 1 || batch[0].asked != "newest" {
			t.Errorf("the second call has %d clicks, want the newest alone", len(batch))
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody sent the newest click while the other call hung")
	}
	close(c.let)
	asking.Wait()
}

// TestJoinTime takes clicks of different ages out of a queue: what has had all of
// its time is not sent, and a call has its end by the oldest of its clicks.
func TestJoinTime(t *testing.T) {
	const timeout = time.Minute
	now := time.Now()
	var deadlines []time.Time
	var sent []string
	q := &joiner{timeout: timeout, usual: 1, most: 1, send: func(ctx context.Context, batch []*joined) {
		deadline, _ := ctx.Deadline()
		deadlines = append(deadlines, deadline)
		for _, j := range batch {
			sent = append(sent, j.asked)
			j.settle("", nil)
		}
	}}
	late := newJoined("late", now.Add(-timeout))
	old := newJoined("old", now.Add(-timeout/2))
	young := newJoined("young", old.begun.Add(joinSpan))
	younger := newJoined("younger", young.begun.Add(1))
	q.waiting = []*joined{late, old, young, younger}
	q.senders = 1
	q.run()
	if !errors.Is(late.err, errNoTurn) || resultOf(late.err) != resultTimeout {
		t.Errorf("what had had its time ended with %v", late.err)
	}
	if got := len(sent); got != 3 || old.err != nil || young.err != nil || younger.err != nil {
		t.Errorf("sent %v", sent)
	}
	want := []time.Time{old.begun.Add(timeout + joinSpan), younger.begun.Add(timeout + joinSpan)}
	if len(deadlines) != 2 || !deadlines[0].Equal(want[0]) || !deadlines[1].Equal(want[1]) {
		t.Errorf("the calls end at %v, want %v", deadlines, want)
	}
	if q.senders != 0 {
		t.Errorf("%d senders are left", q.senders)
	}
}

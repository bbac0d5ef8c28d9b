//go:build system

package system

import (
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	watchInterval = 10 * time.Millisecond
	// noticeable is the least delay that counts as a stall. Busy machines delay everything by less.
	noticeable = 100 * time.Millisecond
)

// delay is the time from when a check was due until it returned.
type delay struct {
	due  time.Time
	took time.Duration
}

// delays are those of regular checks, in their order.
type delays []delay

// watchDelays calls check every 10 ms until it is stopped, and measures each delay. A check is
// due also during a stall of the machine, so its delay shows the stall.
func watchDelays(check func()) (stop func() delays) {
	done, watched := make(chan struct{}), make(chan delays, 1)
	go func() {
		var all delays
		for due := time.Now(); ; due = time.Now().Add(watchInterval) {
			select {
			case <-done:
				watched <- append(all, delay{due, max(0, time.Since(due))})
				return
			case <-time.After(time.Until(due)):
			}
			check()
			all = append(all, delay{due, time.Since(due)})
		}
	}()
	return sync.OnceValue(func() delays {
		close(done)
		return <-watched
	})
}

// stalled returns for how long the machine stood still in a time that began at begun.
func (all delays) stalled(begun time.Time, lasts time.Duration) (total time.Duration) {
	end := begun.Add(lasts)
	for _, d := range all {
		if d.took < noticeable {
			continue
		}
		from, to := d.due, d.due.Add(d.took)
		if from.Before(begun) {
			from = begun
		}
		if to.After(end) {
			to = end
		}
		total += max(0, to.Sub(from))
	}
	return total
}

// sorted returns the lengths of the delays, the shortest first.
func (all delays) sorted() []time.Duration {
	var took []time.Duration
	for _, d := range all {
		took = append(took, d.took)
	}
	slices.Sort(took)
	return took
}

// unlessStalled runs a scenario whose answers are lost if the machine stands still at the wrong
// moment. It runs the scenario again, five times at most, if it failed and the machine did.
func unlessStalled(t *testing.T, scenario func() error) {
	t.Helper()
	for tries := 1; ; tries++ {
		begun, stop := time.Now(), watchDelays(func() {})
		err := scenario()
		stood := stop().stalled(begun, time.Since(begun))
		if err == nil {
			return
		}
		if tries == 5 || stood < 300*time.Millisecond {
			t.Fatal(err)
		}
		t.Logf("again, because the machine stood still for %s: %v", stood, err)
	}
}

//go:build system

package system

import (
	"slices"
	"sync"
	"time"
)

const (
	watchInterval = 10 * time.Millisecond
	// noticeable is the least delay that counts as a stall. Busy machines delay everything by less.
	noticeable = 100 * time.Millisecond
)

// watchLateness calls check every 10 ms and measures each time from when check was due until
// it returned. So it sees a stall of the machine also between two checks. stop returns the
// times, the shortest first.
func watchLateness(check func()) (stop func() []time.Duration) {
	done, watched := make(chan struct{}), make(chan []time.Duration, 1)
	go func() {
		var all []time.Duration
		for due := time.Now(); ; due = time.Now().Add(watchInterval) {
			select {
			case <-done:
				watched <- append(all, max(0, time.Since(due)))
				return
			case <-time.After(time.Until(due)):
			}
			check()
			all = append(all, time.Since(due))
		}
	}()
	return sync.OnceValue(func() []time.Duration {
		close(done)
		all := <-watched
		slices.Sort(all)
		return all
	})
}

// stalled returns for how long the machine stood still, by the times of watchLateness.
func stalled(late []time.Duration) (total time.Duration) {
	for _, by := range late {
		if by >= noticeable {
			total += by
		}
	}
	return total
}

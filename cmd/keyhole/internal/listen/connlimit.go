package listen

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

const (
	// maxPublicConnections is the most connections of recipients that are open.
	maxPublicConnections = 20_000
	// reservedDescriptors are the file descriptors for operators, Redis, listeners
	// and files; of few, half.
	reservedDescriptors = 256
	// fewConnections is the limit from which on operators are told of it: they
	// probably did not mean to set it so low.
	fewConnections = 1000

	// stalledAfter is how long an answer may take before its connection can be closed
	// in favour of a new one. It is longer than any click takes.
	stalledAfter = 5 * time.Second
	// roomRound is how often a new connection looks for room.
	roomRound = 10 * time.Millisecond
	// victimsAtOnce is how many connections one scan finds.
	victimsAtOnce = 128
	// limitLogged is how often the log says that the limit is reached.
	limitLogged = time.Minute
)

// publicConnections returns how many connections of recipients may be open, in a
// process that may have that many descriptors. A click can need a second descriptor,
// for a connection to the storage.
func publicConnections(descriptors uint64) int {
	files := int(min(descriptors, 1<<20))
	return min(maxPublicConnections, (files-min(files/2, reservedDescriptors))/2)
}

// victim is a connection that may be closed in favour of a new one, as it was when it
// was found.
type victim struct {
	conn  *conn
	since int64
}

// makeRoom returns when another connection may be open beside those that are, or the
// acceptor is closed. At the limit it closes the connection that has waited longest
// for its client to send a request: one that is idle, or whose client sends none or
// only a part. If all connections are being answered, it waits for one of them.
func (a *acceptor) makeRoom() {
	var ticker *time.Ticker
	for {
		full, longest := a.room()
		if !full {
			return
		}
		if longest != nil {
			_ = longest.Close() // its client does not expect anything from it
			continue
		}
		if ticker == nil {
			ticker = time.NewTicker(roomRound)
			defer ticker.Stop()
		}
		<-ticker.C
	}
}

// room tells whether there are as many connections as there may be, and which one can
// be closed then; nil: none.
func (a *acceptor) room() (full bool, longest *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limit == 0 || len(a.open) < a.limit || a.closed {
		return false, nil
	}
	if now := time.Now(); now.Sub(a.logged) >= limitLogged {
		a.logged = now
		a.log.Warn("connection limit reached; closing the longest idle connections",
			"address", a.Addr().String(), "limit", a.limit)
	}
	for {
		for len(a.victims) > 0 {
			v := a.victims[0]
			a.victims = a.victims[1:]
			// A connection that has done something since then is not the longest idle
			// one any more. Those that were not found then are idle for less long.
			if _, open := a.open[v.conn]; open && v.conn.since.Load() == v.since {
				return true, v.conn
			}
		}
		if a.victims = a.findVictims(); len(a.victims) == 0 {
			return true, nil
		}
	}
}

// findVictims returns the connections that have waited longest for their clients, the
// longest first; without any, those whose answers stall. It is called with the lock.
// It looks at all connections, so it finds many at once.
func (a *acceptor) findVictims() []victim {
	var waiting, stalled []victim
	overdue := a.age() - int64(stalledAfter)
	for c := range a.open {
		v := victim{c, c.since.Load()}
		switch {
		case c.state.Load() != int32(http.StateActive):
			waiting = append(waiting, v)
		case v.since < overdue:
			stalled = append(stalled, v)
		}
	}
	if len(waiting) == 0 {
		waiting = stalled
	}
	slices.SortFunc(waiting, func(x, y victim) int { return cmp.Compare(x.since, y.since) })
	return slices.Clone(waiting[:min(len(waiting), victimsAtOnce)])
}

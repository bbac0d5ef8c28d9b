package listen

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

const (
	// maxPublicConnections is the largest number of open connections of recipients.
	maxPublicConnections = 20_000
	// reservedDescriptors is the number of file descriptors for operators, Redis,
	// listeners and files, at most half of all.
	reservedDescriptors = 256
	// fewConnections is the limit below which a warning is logged, because it is
	// probably a mistake.
	fewConnections = 1000

	// stalledAfter is how long an answer may take before its connection can be closed in
	// favour of a new one. No click takes that long.
	stalledAfter = 5 * time.Second
	// roomRound is the interval at which a new connection tries to get a place.
	roomRound = 10 * time.Millisecond
	// victimsAtOnce is the number of connections that one scan returns.
	victimsAtOnce = 128
	// limitLogged is the shortest time between two log lines about the limit.
	limitLogged = time.Minute
)

// publicConnections returns the limit of connections of recipients in a process with a
// limit of descriptors. A click can need a second descriptor, for a connection to the
// storage.
func publicConnections(descriptors uint64) int {
	files := int(min(descriptors, 1<<20))
	return min(maxPublicConnections, (files-min(files/2, reservedDescriptors))/2)
}

// victim is a connection that may be closed in favour of a new one, with its state at the
// time of the scan.
type victim struct {
	conn  *conn
	since int64
}

// makeRoom returns when one more connection may be open, or when the acceptor is closed. At
// the limit it closes the connection that has waited longest for a complete request. If
// all connections are being answered, it waits for one of them.
func (a *acceptor) makeRoom() {
	var ticker *time.Ticker
	for {
		full, longest := a.room()
		if !full {
			return
		}
		if longest != nil {
			_ = longest.Close() // its client expects no answer
			continue
		}
		if ticker == nil {
			ticker = time.NewTicker(roomRound)
			defer ticker.Stop()
		}
		<-ticker.C
	}
}

// room tells whether the limit is reached, and which connection can be closed (nil: none).
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
			// A connection that was used since the scan is no longer the longest idle one.
			// Connections that the scan did not return are idle for a shorter time.
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
// longest first. If no connection waits, it returns those whose answers stall. The caller
// holds the lock. One scan reads all connections, so it returns many.
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

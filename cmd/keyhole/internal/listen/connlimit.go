package listen

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

const (
	// shareOfOne divides the limit: one client may hold a tenth of it.
	shareOfOne = 10
	// minShare and maxShareOfFew are for limits that few file descriptors have lowered: one
	// client may then hold up to 32 connections, but at most a quarter of the limit. A
	// browser opens six connections, and a tenth would be too few for it.
	minShare      = 32
	maxShareOfFew = 4
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

// possibleConnections returns how many connections of recipients a process with a limit of
// descriptors can have. A click can need a second descriptor, for a connection to the
// storage.
func possibleConnections(descriptors uint64) int {
	files := int(min(descriptors, 1<<22))
	return (files - min(files/2, reservedDescriptors)) / 2
}

// shares returns the limit of connections of a listener, and the share of one client. The
// share is never more than a tenth of what the configuration allows.
func shares(configured, possible int) (limit, share int) {
	limit = min(configured, possible)
	few := min(minShare, limit/maxShareOfFew, configured/shareOfOne)
	return limit, max(limit/shareOfOne, few, 1)
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
	return true, a.longestWaiting(a.age())
}

// longestWaiting returns the connection of the group that can be closed, nil if there is
// none. age is the age of the acceptor. The caller holds the acceptor's lock.
func (g *group) longestWaiting(age int64) *conn {
	for {
		for len(g.victims) > 0 {
			v := g.victims[0]
			g.victims = g.victims[1:]
			// A connection that was used since the scan is no longer the longest idle one.
			// Connections that the scan did not return are idle for a shorter time.
			if _, open := g.open[v.conn]; open && v.conn.since.Load() == v.since {
				return v.conn
			}
		}
		if g.victims = g.findVictims(age); len(g.victims) == 0 {
			return nil
		}
	}
}

// findVictims returns the connections that have waited longest for their clients, the
// longest first. If no connection waits, it returns those whose answers stall. One scan
// reads all connections, so it returns many.
func (g *group) findVictims(age int64) []victim {
	var waiting, stalled []victim
	overdue := age - int64(stalledAfter)
	for c := range g.open {
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

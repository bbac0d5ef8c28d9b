package listen

import (
	"cmp"
	"net/http"
	"net/netip"
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
	// fewConnections is the limit below which a warning is logged: it is probably a mistake.
	fewConnections = 1000

	// operatorConnections is the limit of listeners without Options.MaxConnections. It is
	// lower if the process may open few files: one sixteenth of them.
	operatorConnections = 1000
	operatorsPartOfFew  = 16
	minOperators        = 4

	// stalledAfter is how long an answer may take before its connection can be closed in
	// favour of a new one. No click takes that long.
	stalledAfter = 5 * time.Second
	// operatorsStalledAfter is the same for listeners without Options.MaxConnections. Few
	// requests of operators take that long; with more, strangers could lock out operators.
	operatorsStalledAfter = 10 * time.Second
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

// operatorShares returns the limit and the share of a listener without Options.MaxConnections.
// A client may hold half, because a proxy in front of all operators must have enough.
func operatorShares(descriptors uint64) (limit, share int) {
	limit = int(max(min(descriptors/operatorsPartOfFew, operatorConnections), minOperators))
	return limit, limit / 2
}

// victim is a connection that may be closed in favour of a new one, with its state at the
// time of the scan.
type victim struct {
	conn   *conn
	since  int64
	weight int // of its client, see weight
}

// weight ranks clients by the connections that they hold. Clients with a usual number have
// the weight 0, so that a browser, or a small office behind one address, is not taken for an
// attacker. A proxy stands for many clients and has no weight.
func (g *group) weight() int {
	if g == nil || g.usual == 0 {
		return 0
	}
	return len(g.open) / g.usual
}

// usualConnections returns the number of connections from which a client has a weight.
func usualConnections(share int) int { return min(minShare, max(share/2, 1)) }

// makeRoom returns true when the client may open one more connection, or when the acceptor
// is closed. At the limit it closes a connection that waits for its client, see
// findVictims. It returns false if the client holds many connections, and more than the
// client that would lose one. If all connections are being answered, a client with few
// connections waits for one of them.
func (a *acceptor) makeRoom(client netip.Prefix) bool {
	var ticker *time.Ticker
	for {
		full, longest, weight := a.room(client)
		switch {
		case !full:
			return true
		case longest == nil && weight > 0, longest != nil && weight > longest.weight:
			return false
		case longest != nil:
			a.closeForOther(longest.conn) // its client expects no answer
			continue
		}
		if ticker == nil {
			ticker = time.NewTicker(roomRound)
			defer ticker.Stop()
		}
		<-ticker.C
	}
}

// Limited counts what the limits of a listener did to its clients.
type Limited struct {
	ConnectionsClosed  uint64 // to make room for another connection or request
	ConnectionsRefused uint64 // right after they were opened
	RequestsRefused    uint64 // of HTTP/2, with 503
}

// closeForOther closes a connection in favour of another one.
func (a *acceptor) closeForOther(c *conn) {
	_ = c.Close() // Its client loses the connection in any case.
	a.count(&a.limited.ConnectionsClosed)
}

// count adds one to a number of limited.
func (a *acceptor) count(n *uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*n++
}

// room tells whether the limit is reached, which connection can be closed (nil: none), and
// the weight of the client.
func (a *acceptor) room(client netip.Prefix) (full bool, longest *victim, weight int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limit == 0 || len(a.open) < a.limit || a.closed {
		return false, nil, 0
	}
	if now := time.Now(); now.Sub(a.logged) >= limitLogged {
		a.logged = now
		a.log.Warn("connection limit reached; closing waiting connections",
			"address", a.Addr().String(), "limit", a.limit)
	}
	return true, a.longestWaiting(a.age(), a.answerTimeout), a.clients[client].weight()
}

// longestWaiting returns the connection of the group that can be closed, nil if there is
// none. age is the age of the acceptor. The caller holds the acceptor's lock.
func (g *group) longestWaiting(age int64, answerTimeout time.Duration) *victim {
	for {
		for len(g.victims) > 0 {
			v := g.victims[0]
			g.victims = g.victims[1:]
			// A connection that was used since the scan is no longer the longest idle one.
			// Connections that the scan did not return are idle for a shorter time.
			if _, open := g.open[v.conn]; open && v.conn.since.Load() == v.since {
				return &v
			}
		}
		if age < g.rescan {
			return nil
		}
		if g.victims = g.findVictims(age - int64(answerTimeout)); len(g.victims) == 0 {
			g.rescan = age + int64(roomRound) // A scan reads all connections.
			return nil
		}
	}
}

// findVictims returns the connections that can be closed, the first ones first: those of
// the clients with the greatest weight, and of these the ones that have waited longest. A
// connection waits for its client if no request is complete, or if its answer takes since
// before overdue. One scan reads all connections, so it returns many.
func (g *group) findVictims(overdue int64) []victim {
	var found []victim
	for c := range g.open {
		v := victim{conn: c, since: c.since.Load(), weight: c.held.weight()}
		if c.state.Load() == int32(http.StateActive) && v.since >= overdue {
			continue
		}
		found = append(found, v)
	}
	slices.SortFunc(found, func(x, y victim) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.since, y.since))
	})
	return slices.Clone(found[:min(len(found), victimsAtOnce)])
}

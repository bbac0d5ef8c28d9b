package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"
)

// The limits of HTTP/2. Without them, each connection could take megabytes from the server
// with a few bytes: net/http accepts frames of 1 MiB, for which it reserves memory before
// they arrive, holds up to 1 MiB of unread bodies, and waits without end for a client that
// takes no answers.
const (
	// maxFrame is the largest payload of a frame. Every server must accept it (RFC 9113
	// section 4.2).
	maxFrame = 16 << 10
	// maxUnread is the number of bytes of bodies that a client may send before a handler
	// reads them: the initial window of RFC 9113 section 6.9.2.
	maxUnread = 64<<10 - 1
	// writeByteTimeout ends a connection that takes no byte for so long.
	writeByteTimeout = 30 * time.Second
)

// limitsOfHTTP2 returns the limits for net/http.
func limitsOfHTTP2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame, WriteByteTimeout: writeByteTimeout,
		MaxReceiveBufferPerConnection: maxUnread, MaxReceiveBufferPerStream: maxUnread,
	}
}

// connKey is the key of a request's conn in its context.
type connKey struct{}

// withConn is the server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connOf(c))
}

// connOf returns the conn below a connection of net/http.
func connOf(c net.Conn) *conn {
	if encrypted, ok := c.(*tls.Conn); ok {
		c = encrypted.NetConn()
	}
	return c.(*conn)
}

// limitRequests limits the requests of HTTP/2 before handler. A request needs as much memory
// as a connection of HTTP/1 and can take as long, because its client decides when the body of
// the answer may be sent (RFC 9113 section 5.2). So requests have the same limits as
// connections: one for the listener, and one for each client.
func limitRequests(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c *conn
		if r.ProtoMajor == 2 { // Other requests must cost nothing here.
			c, _ = r.Context().Value(connKey{}).(*conn)
		}
		if c == nil {
			handler.ServeHTTP(w, r)
			return
		}
		// Stop ends the contexts too, but its requests still get an answer.
		if r.Context().Err() != nil && !errors.Is(context.Cause(r.Context()), ErrStopping) {
			return // The client reset the request before it began, as in floods of resets.
		}
		begun, victim, admitted := c.from.beginRequest(c)
		if victim != nil {
			c.from.closeForOther(victim) // Its client takes no answer, or holds far more than others.
		}
		if !admitted {
			refuse(w)
			return
		}
		defer c.from.endRequest(c, begun)
		handler.ServeHTTP(w, r)
		if c.begun.Load() > unflushed {
			_ = http.NewResponseController(w).Flush() // It fails if the client has hung up.
		}
	})
}

// refuse answers a request that the limits refuse. The handlers, which set headers of every
// answer, do not know of it, so the headers for recipients are repeated here.
func refuse(w http.ResponseWriter) {
	h := w.Header()
	for _, field := range [][2]string{
		{"Cache-Control", "no-store, no-transform"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Robots-Tag", "noindex, nofollow"},
		{"Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"},
		{"Content-Length", "0"},
		{"Retry-After", "1"},
	} {
		h.Set(field[0], field[1])
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// unflushed is the number of requests of a connection, since it was last idle, after which
// answers are sent before they count as ended. net/http sends a short answer, which may
// wait for its client, only after the handler has ended; and if the handler sends it, the
// answer has no Content-Length. So the first answers are left to net/http.
const unflushed = 4

// beginRequest counts a request of a connection, and returns when it began. If the client or
// the listener has as many requests as it may have, beginRequest returns a connection whose
// requests make room: one that stalls, or, for the listener, one of the client with the most
// requests. If there is none, the request is not admitted.
func (a *acceptor) beginRequest(c *conn) (begun int64, victim *conn, admitted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	begun = a.age()
	if full := fullGroup(c.held, a.share); full != nil {
		victim = full.longestStalled(begun, a.answerTimeout, c)
		admitted = victim != nil
	} else if full := fullGroup(&a.group, a.limit); full != nil {
		if victim = full.longestStalled(begun, a.answerTimeout, c); victim == nil {
			victim = a.busiest(begun, c.held)
		}
		admitted = victim != nil
	} else {
		admitted = true
	}
	if !admitted {
		a.limited.RequestsRefused++
		if now := time.Now(); now.Sub(a.loggedRequests) >= limitLogged {
			a.loggedRequests = now
			a.log.Warn("limit of HTTP/2 requests reached; refusing requests with 503",
				"address", a.Addr().String(), "limit", a.limit, "share", a.share)
		}
		return 0, nil, false
	}
	c.begun.Add(1)
	if c.running = append(c.running, begun); len(c.running) == 1 {
		c.since.Store(begun)
	}
	a.addRequests(c, 1)
	return begun, victim, true
}

// longestStalled returns the connection of the group whose requests have been answered for
// the longest time, nil if none takes longer than answerTimeout. It is never the connection
// that asks, because the answer to its new request would be lost. The caller holds the
// acceptor's lock.
func (g *group) longestStalled(age int64, answerTimeout time.Duration, asking *conn) (longest *conn) {
	if age < g.rescanStalled {
		return nil
	}
	since := age - int64(answerTimeout)
	for c := range g.open {
		at := c.since.Load()
		if c != asking && len(c.running) > 0 && at < since && c.state.Load() == int32(http.StateActive) {
			longest, since = c, at
		}
	}
	if longest == nil {
		g.rescanStalled = age + int64(roomRound) // A scan reads all connections.
	}
	return longest
}

// busiest returns a connection of the client with the most requests, if it has more than a
// usual number and more than twice as many as the client that asks for a place, otherwise
// nil. Clients that renew their requests never stall, so a few addresses could lock out all
// others. A proxy stands for many clients and is never chosen. The caller holds the
// acceptor's lock.
func (a *acceptor) busiest(age int64, asking *group) (found *conn) {
	most := usualConnections(a.share)
	if asking != nil {
		most = max(most, 2*asking.requests)
	}
	if age < a.rescanBusiest && most >= a.mostRequests {
		return nil
	}
	var client *group
	a.mostRequests = 0
	for _, held := range a.clients {
		if a.mostRequests = max(a.mostRequests, held.requests); held.requests > most {
			client, most = held, held.requests
		}
	}
	a.rescanBusiest = age + int64(roomRound) // A scan reads all clients.
	if client == nil {
		return nil
	}
	for c := range client.open {
		if found == nil || len(c.running) > len(found.running) {
			found = c
		}
	}
	return found
}

// fullGroup returns the group if it has as many requests as it may have, otherwise nil.
func fullGroup(g *group, limit int) *group {
	if g == nil || limit == 0 || g.requests < limit {
		return nil
	}
	return g
}

// endRequest forgets a request of a connection, which began at the age begun. Those of a
// closed connection are forgotten already.
func (a *acceptor) endRequest(c *conn, begun int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, runs := slices.BinarySearch(c.running, begun)
	if !runs {
		return
	}
	c.running = slices.Delete(c.running, i, i+1)
	if len(c.running) > 0 && i == 0 {
		// net/http tells only when a connection is idle. Without this, one on which requests
		// overlap would count as stalled although each answer is fast.
		c.since.Store(c.running[0])
	}
	a.addRequests(c, -1)
}

// addRequests changes the number of requests of the listener and of a client. The caller
// holds the acceptor's lock.
func (a *acceptor) addRequests(c *conn, n int) {
	a.requests += n
	if c.held != nil {
		c.held.requests += n
	}
}

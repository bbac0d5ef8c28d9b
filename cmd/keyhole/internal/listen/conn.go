package listen

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// acceptor wraps the connections of a listener in conn, and knows which are open.
type acceptor struct {
	net.Listener

	noBackgroundRead bool        // net/http's background read finds nothing at once
	encrypted        bool        // see conn.Read
	readsEnded       atomic.Bool // see endReads

	log   *slog.Logger
	begun time.Time
	limit int // of open connections; 0: none. See makeRoom
	// share is the limit of connections of one client; 0: none. exempt tells which
	// addresses have no such limit; nil: none. See admit.
	share  int
	exempt func(netip.Addr) bool
	// answerTimeout is how long an answer may take before its connection can be closed in favour
	// of another one.
	answerTimeout time.Duration

	mu             sync.Mutex
	group                                  // all open connections
	clients        map[netip.Prefix]*group // those of each client with a share
	opened         int                     // ever
	closed         bool
	logged         time.Time // when the limit was
	loggedShare    time.Time // when a share was
	loggedRequests time.Time // when the limit of HTTP/2 requests was
	limited        Limited

	// mostRequests are those of the client with the most, when they were counted. Before the
	// age rescanBusiest they are not counted again in vain.
	mostRequests  int
	rescanBusiest int64
}

// group is a set of open connections.
type group struct {
	open     map[*conn]struct{}
	usual    int      // see weight
	requests int      // of HTTP/2 that are being answered, see beginRequest
	victims  []victim // see longestWaiting
	// The ages of the acceptor before which another scan finds nothing.
	rescan, rescanStalled int64
}

// newAcceptor returns an acceptor of a listener's connections.
func newAcceptor(l net.Listener, log *slog.Logger) *acceptor {
	return &acceptor{
		Listener: l, log: log, begun: time.Now(),
		group: group{open: map[*conn]struct{}{}}, clients: map[netip.Prefix]*group{}, answerTimeout: stalledAfter,
	}
}

// age returns the age of the acceptor in nanoseconds: a clock that nobody sets.
func (a *acceptor) age() int64 { return int64(time.Since(a.begun)) }

// Accept waits for the next connection.
func (a *acceptor) Accept() (net.Conn, error) {
	for {
		accepted, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := a.client(accepted)
		if !a.admit(client) || !a.makeRoom(client) {
			_ = accepted.Close() // other clients need the place, or none is free
			a.count(&a.limited.ConnectionsRefused)
			continue
		}
		c := &conn{Conn: accepted, from: a, client: client, accepted: time.Now()}
		c.since.Store(a.age())
		a.add(c)
		return c, nil
	}
}

// Close closes the listener. Its connections stay open.
func (a *acceptor) Close() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	return a.Listener.Close()
}

// everOpened returns how many connections were accepted.
func (a *acceptor) everOpened() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.opened
}

// busy returns how many connections are not idle between two requests.
func (a *acceptor) busy() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for c := range a.open {
		if !c.isIdle() {
			n++
		}
	}
	return n
}

// endReads ends all present and future reads that wait for a client to send a request, or
// the rest of one. It does not end background reads.
func (a *acceptor) endReads() {
	a.readsEnded.Store(true)
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.open {
		c.endRead()
	}
}

// track is the server's ConnState.
func (a *acceptor) track(c net.Conn, state http.ConnState) {
	changed := connOf(c)
	if state == http.StateActive || state == http.StateIdle {
		changed.since.Store(a.age())
		changed.begun.Store(0)
	}
	changed.state.Store(int32(state)) //nolint:gosec // There are five states.
}

// isIdle tells whether the connection waits for its next request.
func (c *conn) isIdle() bool { return c.state.Load() == int32(http.StateIdle) }

// conn is a connection of a client. It avoids two costs of net/http that together exceed
// the cost of a click.
//
// First, net/http moves the deadlines of a connection about seven times for each request,
// and each move changes the runtime's heap of timers. conn only records a deadline that
// is later than the timer. When the timer fires early, conn sets it again.
//
// Second, while a handler runs, net/http reads one byte in the background to notice that
// the client has hung up. This takes a goroutine, a read that finds nothing, and a
// deadline that ends it. A click is not undone when its client hangs up, so an acceptor
// with noBackgroundRead answers this read at once.
//
// The tests in nethttp_test.go fail if a Go release changes this behaviour.
type conn struct {
	net.Conn

	from     *acceptor
	client   netip.Prefix // the zero value: a client without a share
	held     *group       // the connections of the client; nil: a client without a share
	accepted time.Time
	state    atomic.Int32 // an http.ConnState
	// since is when the state began; of a new connection, when it was accepted; of requests of
	// HTTP/2, when the oldest one that runs began. See age.
	since atomic.Int64

	running     []int64      // when each running request of HTTP/2 began, in order; the lock of from guards it
	begun       atomic.Int32 // requests of HTTP/2 since the connection was idle
	writing     sync.Mutex   // held during Write, see Read
	mu          sync.Mutex
	read, write deadline
}

// deadline is the deadline of one direction.
type deadline struct {
	wanted time.Time // zero: none
	set    time.Time // when the timer fires, never after wanted; zero: never
}

// want records the deadline t, and tells whether the timer must be set for it.
func (d *deadline) want(t time.Time) bool {
	d.wanted = t
	if t.IsZero() || !d.set.IsZero() && !t.Before(d.set) {
		return false
	}
	d.set = t
	return true
}

// early tells, after the timer has fired, whether it fired before the deadline. Then the
// timer must be set for the deadline.
func (d *deadline) early() bool {
	if !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return false
	}
	d.set = d.wanted
	return true
}

// SetReadDeadline implements net.Conn. net/http ends its background read with a deadline
// long ago, which is ignored if there is no such read.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.from.noBackgroundRead && !t.IsZero() && t.Before(c.accepted) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !t.IsZero() && c.from.readsEnded.Load() {
		t = longAgo()
	}
	if !c.read.want(t) {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// longAgo returns a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }

// endRead ends a read that waits for the client. A background read has no deadline and is
// left alone, because net/http would take its end for a hang-up and cancel the request.
func (c *conn) endRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.read.wanted.IsZero() && c.read.want(longAgo()) {
		_ = c.Conn.SetReadDeadline(longAgo()) // fails if the connection is closed
	}
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.write.want(t) {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Read implements net.Conn. Only net/http's background read reads one byte without a
// deadline. It gets nothing, which does not say whether the client has hung up.
//
// net/http reads HTTP/2 while it writes. A client that takes no answers, but sends frames
// that need one, would fill the server's memory with them. So Read waits for Write.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 1 && c.from.noBackgroundRead && c.inBackground() {
		return 0, nil
	}
	if c.isIdle() {
		// Let other goroutines run first. Meanwhile the next request may arrive, which
		// saves a read that finds nothing and a wait.
		runtime.Gosched()
	}
	if c.from.encrypted {
		c.writing.Lock()
		c.writing.Unlock() //nolint:staticcheck // The lock is only waited for.
	}
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.again(&c.read, c.Conn.SetReadDeadline) {
			return n, err
		}
	}
}

// inBackground tells whether there is no read deadline.
func (c *conn) inBackground() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read.wanted.IsZero()
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.from.encrypted {
		c.writing.Lock()
		defer c.writing.Unlock()
	}
	written := 0
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.again(&c.write, c.Conn.SetWriteDeadline) {
			return written, err
		}
	}
}

// again sets a timer that fired too early, and tells whether it did.
func (c *conn) again(d *deadline, set func(time.Time) error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.early() && set(d.set) == nil
}

// CloseWrite lets net/http end the answer before it closes the connection.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.from.remove(c)
	return c.Conn.Close()
}

package listen

import (
	"context"
	"errors"
	"net"
	"time"
)

// The times of Stop, counted from its call.
const (
	// requestsTimeout is how long clients have to send the rest of a request.
	requestsTimeout = 2 * time.Second
	// InterruptAfter is when Stop interrupts requests that are still running. They
	// are answered with 503, and some time is left to send these answers.
	InterruptAfter = 4 * time.Second
	// answersTimeout is when Stop cuts connections. A click takes redis.timeout twice
	// and storage.timeout, 4 s by default.
	answersTimeout = 4500 * time.Millisecond
)

// ErrStopping is the cause that cancels the requests which a shutdown interrupts.
var ErrStopping = errors.New("the service is stopping")

// Drain makes each further answer close its connection, so that when the listener
// closes, hardly any client is about to reuse one.
func (l *Listener) Drain() { l.draining.Store(true) }

// Stop closes the listener, waits for running requests, and closes all other
// connections. It does not wait for stalled clients: after requestsTimeout it reads
// no further requests, and after answersTimeout, or when ctx ends, it cuts
// connections that have not taken their answer.
//
// The order matters. Closing a listener resets connections that are not accepted
// yet, so answers are held back until no client connects any more: a client that
// waits for its answer opens no new connection. After Shutdown is called, net/http
// drops a request that it has just read from a fresh connection, so Shutdown is
// called when no such connection is left.
func (l *Listener) Stop(ctx context.Context) error {
	defer l.endRequests(ErrStopping)
	defer l.endBodies()
	l.Drain()
	waiting, cancel := context.WithTimeout(ctx, answersTimeout)
	defer cancel()
	requests := time.AfterFunc(requestsTimeout, l.endReads)
	defer requests.Stop()
	// Clicks do not end with this context.
	operators := time.AfterFunc(InterruptAfter, func() { l.endRequests(ErrStopping) })
	defer operators.Stop()

	held := make(chan struct{})
	l.held.Store(&held)
	l.waitQuiet(waiting)
	failed := ignoreClosed(l.acceptor.Close())
	close(held)
	l.waitIdle(waiting)
	// Shutdown closes the listener too, if Serve has not noticed yet.
	switch err := l.server.Shutdown(waiting); {
	case err == nil || errors.Is(err, net.ErrClosed):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		l.log.Warn("cutting connections of slow clients", "address", l.Addr(), "connections", l.acceptor.busy())
		failed = errors.Join(failed, ignoreClosed(l.server.Close()))
	default:
		failed = errors.Join(failed, err, ignoreClosed(l.server.Close()))
	}
	return failed
}

// ignoreClosed drops the error of a listener that is closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// endReads stops waiting for clients that have not sent their whole request.
func (l *Listener) endReads() {
	l.endBodies()
	l.acceptor.endReads()
}

// A listener closes when no client has connected for quietTime. It is tried
// quietRounds times.
const (
	quietTime   = 20 * time.Millisecond
	quietRounds = 10
)

// waitQuiet returns when no client has connected for quietTime, or when clients
// keep connecting.
func (l *Listener) waitQuiet(ctx context.Context) {
	ticker := time.NewTicker(quietTime)
	defer ticker.Stop()
	before := l.acceptor.everOpened()
	for range quietRounds {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := l.acceptor.everOpened()
		if now == before {
			return
		}
		before = now
	}
}

// idleRound is the interval at which waitIdle counts busy connections.
const idleRound = 2 * time.Millisecond

// waitIdle returns when no connection is busy, or ctx ends. An open connection on
// which the client has sent nothing counts as busy until endReads, because browsers
// open connections ahead of need.
func (l *Listener) waitIdle(ctx context.Context) {
	ticker := time.NewTicker(idleRound)
	defer ticker.Stop()
	for l.acceptor.busy() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

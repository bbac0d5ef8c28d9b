package main

import (
	"context"
	"errors"
	"net"
	"time"
)

// The times of a shutdown. docker stop kills 10 s after SIGTERM, so everything
// together takes at most 8 s. All but drainFor are counted from the end of the drain.
const (
	// drainFor is how long serve goes on answering after it was told to stop, not
	// ready any more: load balancers and clients with open connections turn away.
	drainFor = time.Second
	// reloadWithin is how long a reload may take after the drain.
	reloadWithin = 100 * time.Millisecond
	// requestsWithin is how long clients have to send the rest of a request.
	requestsWithin = 2 * time.Second
	// interruptAfter is when the requests that are still under way are interrupted: they
	// are answered with 503, and the answers have some time to be sent.
	interruptAfter = 4 * time.Second
	// answersWithin is when connections are cut. A click takes redis.timeout twice and
	// storage.timeout, 4 s by default.
	answersWithin = 4500 * time.Millisecond
	// stopWithin bounds all steps of the shutdown. What is left after answersWithin
	// is for the events of the last clicks.
	stopWithin = 5500 * time.Millisecond
	// logWithin is how long the last lines of the log may take.
	logWithin = 500 * time.Millisecond
)

// errStopping is the cause of the end of the requests that a shutdown interrupts.
var errStopping = errors.New("the service is stopping")

// drain lets clients go in peace: each answer from now on closes its connection,
// so that by the time the listener closes nobody is about to use one again.
func (l *listener) drain() { l.draining.Store(true) }

// stop closes the listener, waits for the requests under way, and closes what is
// left. It does not wait for clients that stall: it reads nothing that they have not
// sent within requestsWithin, and cuts those that have not taken their answer within
// answersWithin, or when ctx ends.
//
// The order matters. A listener that is closed resets the connections that nobody has
// accepted yet, so answers are held back until no client connects any more: one that
// waits for its answer opens no new connection. And once Shutdown has been called,
// net/http drops a request that it has just read from a fresh connection, so Shutdown
// comes when there is none.
func (l *listener) stop(ctx context.Context) error {
	defer l.endRequests(errStopping)
	defer l.endBodies()
	l.drain()
	waiting, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	requests := time.AfterFunc(requestsWithin, l.endReads)
	defer requests.Stop()
	// Clicks do not end with this context.
	operators := time.AfterFunc(interruptAfter, func() { l.endRequests(errStopping) })
	defer operators.Stop()

	held := make(chan struct{})
	l.held.Store(&held)
	l.quiet(waiting)
	failed := l.net.Close()
	if errors.Is(failed, net.ErrClosed) {
		failed = nil
	}
	close(held)
	l.wait(waiting)
	// Shutdown closes the listener too, where Serve has not noticed yet.
	switch err := l.server.Shutdown(waiting); {
	case err == nil || errors.Is(err, net.ErrClosed):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		l.log.Warn("cutting off connections whose clients are too slow", "address", l.address(), "connections", l.net.busy())
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

// endReads stops waiting for clients that have not sent the whole request.
func (l *listener) endReads() {
	l.endBodies()
	l.net.endReads()
}

// quietFor is how long no client may have connected before a listener closes,
// and quietRounds how often that is tried.
const (
	quietFor    = 20 * time.Millisecond
	quietRounds = 10
)

// quiet returns when no client has connected for a while, or clients keep coming.
func (l *listener) quiet(ctx context.Context) {
	ticker := time.NewTicker(quietFor)
	defer ticker.Stop()
	before := l.net.everOpened()
	for range quietRounds {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := l.net.everOpened()
		if now == before {
			return
		}
		before = now
	}
}

// busyRound is how often it is looked whether a connection is still busy.
const busyRound = 2 * time.Millisecond

// wait returns when no connection is busy, or ctx ends. A connection that is open
// and silent is busy until endReads: a browser opens some ahead of need.
func (l *listener) wait(ctx context.Context) {
	ticker := time.NewTicker(busyRound)
	defer ticker.Stop()
	for l.net.busy() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

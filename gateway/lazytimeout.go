package gateway

import (
	"context"
	"time"
)

// lazyTimeout is a context whose timeout starts when a caller first waits for it. A click
// whose data is all cached does not wait, so it sets no timer. Only one goroutine at a
// time may use a lazyTimeout.
type lazyTimeout struct {
	context.Context //nolint:containedctx // It is a context.

	timeout time.Duration
	started context.Context //nolint:containedctx // The context with the timeout, nil before the start.
	cancel  context.CancelFunc
}

// start returns the context with the timeout. The first call starts the timeout.
func (l *lazyTimeout) start() context.Context {
	if l.started == nil {
		l.started, l.cancel = context.WithTimeout(l.Context, l.timeout)
	}
	return l.started
}

// Done implements context.Context.
func (l *lazyTimeout) Done() <-chan struct{} { return l.start().Done() }

// Err implements context.Context.
func (l *lazyTimeout) Err() error { return l.start().Err() }

// Deadline implements context.Context.
func (l *lazyTimeout) Deadline() (time.Time, bool) { return l.start().Deadline() }

// end releases the timer.
func (l *lazyTimeout) end() {
	if l.cancel != nil {
		l.cancel()
	}
}

package gateway

import (
	"context"
	"time"
)

// patience is a context that ends some time after somebody first waits for it: a
// click that asks nobody, because what it needs is at hand, sets no timer. It is for
// one goroutine at a time.
type patience struct {
	context.Context //nolint:containedctx // It is one.

	most    time.Duration
	started context.Context //nolint:containedctx // What it turns into.
	cancel  context.CancelFunc
}

// start turns it into a context with a deadline.
func (p *patience) start() context.Context {
	if p.started == nil {
		p.started, p.cancel = context.WithTimeout(p.Context, p.most)
	}
	return p.started
}

// Done implements context.Context.
func (p *patience) Done() <-chan struct{} { return p.start().Done() }

// Err implements context.Context.
func (p *patience) Err() error { return p.start().Err() }

// Deadline implements context.Context.
func (p *patience) Deadline() (time.Time, bool) { return p.start().Deadline() }

// end releases what was started.
func (p *patience) end() {
	if p.cancel != nil {
		p.cancel()
	}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// cleanups stop what was started: last in, first out, so that no part stops before those
// that use it.
type cleanups struct {
	log   *slog.Logger
	steps []cleanup
}

// cleanup stops one thing.
type cleanup struct {
	name string
	stop func(context.Context) error
}

// add registers the cleanup of the part that was just started.
func (c *cleanups) add(name string, stop func(context.Context) error) {
	c.steps = append(c.steps, cleanup{name, stop})
}

// run stops everything and joins the errors. It does not wait for a step beyond ctx,
// because the process is about to end; it logs the step's name.
func (c *cleanups) run(ctx context.Context) error {
	var failed error
	for i := len(c.steps) - 1; i >= 0; i-- {
		step := c.steps[i]
		var err error
		if !waitFor(ctx, func() { err = step.stop(ctx) }) {
			c.log.Warn("stopping took too long; not waiting for it", "part", step.name)
			continue
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("stop %s: %w", step.name, err))
		}
		c.log.Debug("stopped", "part", step.name)
	}
	return failed
}

// waitFor calls wait, and tells whether it returned before ctx ended. After that, wait goes
// on in its goroutine until the process ends.
func waitFor(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// Parts stop last in, first out, and a part that fails does not keep the others running.
func TestCleanups(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := &cleanups{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	var order []string
	broken := errors.New("broken")
	for _, part := range []struct {
		name string
		err  error
	}{{"redis", nil}, {"background", broken}, {"listeners", nil}} {
		c.add(part.name, func(context.Context) error {
			order = append(order, part.name)
			return part.err
		})
	}
	err := c.run(t.Context())
	if !slices.Equal(order, []string{"listeners", "background", "redis"}) {
		t.Errorf("stopped in the order %q", order)
	}
	if !errors.Is(err, broken) || err.Error() != "stop background: broken" {
		t.Errorf("got %v", err)
	}
	if strings.Count(log.String(), "msg=stopped") != 3 {
		t.Errorf("the log says %s", log.String())
	}
	if err := (&cleanups{log: slog.New(slog.DiscardHandler)}).run(t.Context()); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// When the time is over, each part is still told to stop, and none is waited for.
func TestCleanupsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := &cleanups{log: slog.New(slog.NewTextHandler(&log, nil))}
	release, told := make(chan struct{}), make(chan string, 2)
	t.Cleanup(func() { close(release) })
	for _, name := range []string{"redis", "events of clicks"} {
		c.add(name, func(context.Context) error {
			told <- name
			<-release
			return errors.New("too late")
		})
	}
	if err := c.run(ended(t)); err != nil {
		t.Errorf("got %v", err)
	}
	for range 2 {
		name := <-told
		if !strings.Contains(log.String(), name) {
			t.Errorf("the log does not name %q: %s", name, log.String())
		}
	}
}

// waitFor tells whether its function returned in time.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	if !waitFor(t.Context(), func() {}) {
		t.Error("a function that returns is not waited for")
	}
	release := make(chan struct{})
	defer close(release)
	if waitFor(ended(t), func() { <-release }) {
		t.Error("a function that hangs has returned")
	}
}

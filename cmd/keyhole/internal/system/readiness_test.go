//go:build system

package system

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestOutageIsLoggedOnce probes the readiness while Redis is away: the log says so when
// it begins and when it ends, and not at each probe.
func TestOutageIsLoggedOnce(t *testing.T) {
	in := install(t, "appendonly yes")
	g := in.start()
	in.redis.Kill(t)
	const failed, passed = `"readiness probe failed"`, `"readiness probe passes again"`
	count := func(text string) int { return strings.Count(g.process.output.String(), text) }
	for range 5 {
		if r, err := g.client.Ready(t.Context()); err != nil || r.Ready {
			t.Fatalf("without Redis: %+v, %v", r, err)
		}
	}
	in.redis.Start(t)
	eventually(t, "the service to be ready", func() error {
		if r, err := g.client.Ready(t.Context()); err != nil || !r.Ready {
			return fmt.Errorf("%+v, %w", r, errors.Join(err, g.process.exited()))
		}
		return nil
	})
	for range 3 {
		if _, err := g.client.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the log to say that it is ready", func() error {
		if count(passed) == 0 {
			return errors.New(g.process.output.Tail(1 << 10))
		}
		return nil
	})
	if count(failed) != 1 || count(passed) != 1 {
		t.Errorf("the log says %d times that it is not ready and %d times that it is again: %s", count(failed),
			count(passed), g.process.output.String())
	}
}

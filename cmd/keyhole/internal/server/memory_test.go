package server

import (
	"context"
	"errors"
	"io"
	"testing"

	"keyhole/gateway"
)

// A value that Redis does not report is unknown, and a 0 would be wrong.
func TestKnown(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		value     float64
		err, want error
	}{{5, nil, nil}, {0, nil, gateway.ErrUnavailable}, {0, broken, broken}} {
		value, err := failIfZero(func(context.Context) (float64, error) { return tt.value, tt.err })(t.Context())
		if value != tt.value || !errors.Is(err, tt.want) {
			t.Errorf("of %v, %v: got %v, %v", tt.value, tt.err, value, err)
		}
	}
}

// The memory of the in-process Redis, which the demo uses, is a number that it really uses.
func TestMemoryOfInProcessRedis(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	// Prometheus writes numbers from a million on with an exponent.
	waitForMetrics(t, s, `keyhole_redis_memory_used_bytes [1-9]\.\d+e\+\d+`)
}

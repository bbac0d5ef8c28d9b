package cli

import (
	"context"
	"fmt"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/client"
)

// outlast repeats a request of a command that follows until it succeeds, ctx ends or
// it fails for good. It waits as long as the service, or a proxy before it, asks for,
// and says once why nothing is shown.
func outlast(ctx context.Context, env *command.Env, request func() error) error {
	for said := false; ; said = true {
		err := request()
		wait, transient := client.Retry(err)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !transient {
			return err
		}
		if !said {
			fmt.Fprintf(env.Stderr, "keyhole: %s\n  still following: retrying until the service answers\n", term.Plain(err.Error()))
		}
		if !pause(ctx, max(wait, followEvery)) {
			return nil
		}
	}
}

// pause waits, and tells whether ctx has not ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

package cli

import (
	"context"
	"fmt"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/client"
)

// retryUntilDone repeats a request of a command with --follow until it succeeds, ctx
// ends or it fails for good. It waits as long as the service, or a proxy in front of it,
// asks for, and prints the first failure.
func retryUntilDone(ctx context.Context, env *command.Env, request func() error) error {
	for reported := false; ; reported = true {
		err := request()
		// ctx ends by Ctrl-C, which is how following ends without an error.
		wait, transient := client.Retry(err)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !transient {
			return err
		}
		// Later failures are not printed: during an outage they would fill the terminal.
		if !reported {
			fmt.Fprintf(env.Stderr, "keyhole: %s\n  still following: retrying until the service responds\n",
				term.Plain(err.Error()))
		}
		// A wait of zero would send requests without a break while the service is down.
		if !pause(ctx, max(wait, followInterval)) {
			return nil
		}
	}
}

// pause waits for d. It returns false if ctx ends before.
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

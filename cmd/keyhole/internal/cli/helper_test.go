package cli

import (
	"context"

	"keyhole/cmd/keyhole/internal/command"
)

// runCLI runs one command of package cli and returns its exit code.
func runCLI(ctx context.Context, args []string, env command.Env) int {
	return Run(ctx, NewRoot(&env), args, &env)
}

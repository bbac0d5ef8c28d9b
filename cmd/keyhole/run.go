package main

import (
	"context"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/demo"
	"keyhole/cmd/keyhole/internal/doctor"
	"keyhole/cmd/keyhole/internal/move"
	"keyhole/cmd/keyhole/internal/preview"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/cmd/keyhole/internal/setup"
)

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string, env command.Env) int {
	return cli.Run(ctx, newRoot(&env), args, &env)
}

// newRoot builds the tree of commands.
func newRoot(env *command.Env) *cobra.Command {
	root := cli.NewRoot(env)
	root.AddCommand(server.NewCommand(env, doctor.Examine), demo.NewCommand(env, doctor.Examine),
		doctor.NewCommand(env, cli.NewClientCheck(env)),
		preview.NewCommand(env), setup.NewCommand(env), move.NewCommand(env))
	return root
}

package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"keyhole/cmd/keyhole/internal/command"
)

// newMan builds keyhole man.
func newMan(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "Write a manual page for each command",
		Example: `  keyhole man ~/.local/share/man/man1`,
		Args:    command.ExactArgs(1, "a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // Manuals are for everybody.
				return unwritable(err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true                         // who made the pages is no command's history
			released, _, _ := strings.Cut(env.Build.Version, "-") // a footer is short
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "keyhole " + released, Manual: "Keyhole"}, args[0]); err != nil {
				return unwritable(err)
			}
			return nil
		},
	}
}

// unwritable is what is said where the pages cannot be written.
func unwritable(err error) error {
	return &command.Error{Err: fmt.Errorf("the manual cannot be written: %w", err), Hint: "give a directory that can be written", Code: command.ExitFailed}
}

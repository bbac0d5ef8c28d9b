package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"keyhole/cmd/keyhole/internal/command"
)

// newMan builds keyhole man. Packages call it when they are built, so the pages depend only
// on the version.
func newMan(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "Write a manual page for each command",
		Example: `  keyhole man ~/.local/share/man/man1`,
		Args:    command.ExactArgs(1, "one directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // Everyone may read the manual.
				return unwritable(err)
			}
			// cobra writes a page for each command below the one it is given.
			// The root has also the commands that the caller of NewRoot added, such as serve.
			root := cmd.Root()
			root.DisableAutoGenTag = true                         // no date in the pages, so that they do not change
			released, _, _ := strings.Cut(env.Build.Version, "-") // a footer is short
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "keyhole " + released, Manual: "Keyhole"},
				args[0]); err != nil {
				return unwritable(err)
			}
			return nil
		},
	}
}

// unwritable returns the error of pages that cannot be written.
func unwritable(err error) error {
	return &command.Error{
		Err: fmt.Errorf("cannot write the manual: %w", err), Hint: "name a writable directory",
		Code: command.ExitFailed,
	}
}

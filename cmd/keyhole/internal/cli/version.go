package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// newVersion builds keyhole version. --version prints only the version; this prints
// everything that identifies the binary.
func newVersion(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, revision and Go version",
		Args:  command.ExactArgs(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			// One value on each line, for bug reports and scripts.
			b := env.Build
			_, err := fmt.Fprintf(env.Stdout, "keyhole %s\nrevision %s\n%s\n", b.Version, b.Revision, b.GoVersion)
			return err
		},
	}
}

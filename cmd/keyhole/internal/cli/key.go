package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// newKey builds keyhole key.
func newKey(env *command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Create operator keys",
		Args:  groupArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyNew(env))
	return cmd
}

// newKeyNew builds keyhole key new. The secret and its configuration go to different
// streams, so that one can be piped into a password store and the other into the file.
func newKeyNew(env *command.Env) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "new --name NAME",
		Short: "Create an operator key: print the secret to standard output and its configuration to standard error",
		Args:  command.ExactArgs(0, "only --name"),
		RunE: func(*cobra.Command, []string) error {
			if name == "" {
				return command.Usage("--name is missing", "name the key, such as --name ci; links and the audit show the name")
			}
			if !config.ValidKeyName(name) {
				return command.Usage("the name of a key has 1 to 63 letters, digits, dots, underscores and hyphens",
					"name the key, such as --name ci")
			}
			// No service is asked: the key is valid once the configuration contains its hash.
			secret := operatorkey.New()
			fmt.Fprint(env.Stderr, "# Add this to operator.keys in the service's configuration; it is applied within seconds:\n")
			if err := writeKeyStanza(env.Stderr, name, secret); err != nil {
				return err
			}
			_, err := fmt.Fprintln(env.Stdout, secret)
			return err
		},
	}
	// The flag has no default, because the audit needs a name that tells operators apart.
	cmd.Flags().StringVar(&name, "name", "", "name of the key; links and the audit show it")
	return cmd
}

// writeKeyStanza writes the configuration that admits a key, indented as in the file that
// the manual shows. It contains only the hash.
func writeKeyStanza(w io.Writer, name, secret string) error {
	_, err := fmt.Fprintf(w, `    - name: %s
      sha256: "%s"
      can: [issue, read, revoke, browse]
`, name, operatorkey.Hash(secret))
	return err
}

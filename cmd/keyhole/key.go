package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"keyhole/config"
)

// keyPrefix lets scanners for leaked secrets recognise an operator key.
const keyPrefix = "khk_"

// newKey builds keyhole key.
func newKey(world *surroundings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make operator keys",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyNew(world))
	return cmd
}

// newKeyNew builds keyhole key new.
func newKeyNew(world *surroundings) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "new --name NAME",
		Short: "Make an operator key: the secret on standard output, once; its configuration on standard error",
		Args:  exactly(0, "--name alone"),
		RunE: func(*cobra.Command, []string) error {
			if !config.ValidKeyName(name) {
				return usage("a key needs a name of 1 to 63 letters, digits, dots, underscores and hyphens", "give one by --name, such as --name ci")
			}
			secret := newOperatorKey()
			fmt.Fprint(world.stderr, "# Add this to the service's configuration, under operator.keys; it is taken up within seconds:\n")
			if err := writeKeyStanza(world.stderr, name, secret); err != nil {
				return err
			}
			_, err := fmt.Fprintln(world.stdout, secret)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose key it is: links and audit show this name")
	return cmd
}

// newOperatorKey draws a key of 130 bits or more. rand.Text cannot fail.
func newOperatorKey() string { return keyPrefix + rand.Text() }

// keyHash is what the configuration knows of a key.
func keyHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// writeKeyStanza writes the configuration that admits a key.
func writeKeyStanza(w io.Writer, name, secret string) error {
	_, err := fmt.Fprintf(w, `    - name: %s
      sha256: "%s"
      can: [issue, read, revoke, browse]
`, name, keyHash(secret))
	return err
}

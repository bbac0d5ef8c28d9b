package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway"
)

// newKey builds keyhole key.
func newKey(env *command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "key",
		Aliases: []string{"keys"},
		Short:   "Create operator keys, and check what a key may do",
		Args:    groupArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeyNew(env), newKeyCheck(env))
	return cmd
}

// keyFlagSet are the flags of key new.
type keyFlagSet struct {
	entry     config.OperatorKey // without its hash
	maxExpiry string
}

// newKeyNew builds keyhole key new. The secret and its configuration go to different
// streams, so that one can be piped into a password store and the other into the file.
func newKeyNew(env *command.Env) *cobra.Command {
	f := &keyFlagSet{}
	cmd := &cobra.Command{
		Use:        "new --name NAME",
		SuggestFor: []string{"create", "add", "generate", "make"},
		Short:      "Create an operator key: print the secret to standard output and its configuration to standard error",
		Example: `  keyhole key new --name ci
  keyhole key new --name web --can issue,read --objects 'reports/*' --max-expiry 24h`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(*cobra.Command, []string) error { return f.run(env) },
	}
	flags := cmd.Flags()
	// The flag has no default, because the audit needs a name that tells operators apart.
	flags.StringVar(&f.entry.Name, "name", "", "name of the key; links and the audit show it")
	flags.StringVar(&f.entry.DisplayName, "display-name", "", "the sender of links for recipients (default: the name)")
	flags.StringSliceVar(&f.entry.Can, "can", nil,
		"what the key may do: issue, read, revoke, browse; separated by commas (default all)")
	// A pattern may contain commas, so one flag has one pattern.
	flags.StringArrayVar(&f.entry.Objects, "objects", nil,
		"a pattern for the objects of the key, such as 'reports/*'; may be repeated (default all objects)")
	flags.StringVar(&f.maxExpiry, "max-expiry", "",
		"the longest life of its links, such as 24h (default: the policy decides)")
	completeNames(cmd, "can", actions())
	return cmd
}

// actions returns the values of --can.
func actions() []string {
	return command.Convert[string]([]gateway.Action{
		gateway.ActionIssue, gateway.ActionRead, gateway.ActionRevoke, gateway.ActionBrowse,
	})
}

// run creates a key. It asks no service: the key is valid once the configuration contains
// its hash. Everything is checked before the secret is printed, because a secret without a
// valid entry is useless. The secret is printed last, so that nobody keeps a key whose
// entry could not be printed.
func (f *keyFlagSet) run(env *command.Env) error {
	if f.entry.Name == "" {
		return command.Usage("--name is missing", "name the key, such as --name ci; links and the audit show the name")
	}
	if f.maxExpiry != "" {
		life, err := gateway.ParseLife(f.maxExpiry)
		if err != nil {
			return command.Usage("--max-expiry: "+err.Error(), "write it as 15m, 24h or 7d")
		}
		f.entry.MaxExpiry = life
	}
	secret := operatorkey.New()
	f.entry.SHA256 = operatorkey.Hash(secret)
	if err := checkEntry(f.entry); err != nil {
		return err
	}
	for _, pattern := range f.entry.Objects {
		if strings.Contains(pattern, ",") {
			fmt.Fprintf(env.Stderr, "note: --objects %s is one pattern with a comma; repeat --objects for several patterns\n",
				term.Plain(term.ShellWord(pattern)))
		}
	}
	fmt.Fprint(env.Stderr, "# Add this to operator.keys in the service's configuration; it is applied within seconds:\n")
	if err := writeKeyStanza(env.Stderr, &f.entry, f.maxExpiry); err != nil {
		return err
	}
	_, err := fmt.Fprintln(env.Stdout, secret)
	return err
}

// checkEntry refuses an entry that serve would refuse, by the names of the flags.
func checkEntry(entry config.OperatorKey) error {
	if len(entry.Can) == 0 {
		entry.Can = actions()
	}
	if len(entry.Objects) == 0 {
		entry.Objects = []string{"*"}
	}
	var problems config.Problems
	if !errors.As(config.CheckOperatorKey(entry), &problems) {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		// can[1] becomes --can: the flag has no numbers.
		name, _, _ := strings.Cut(p.Path, "[")
		lines[i] = "--" + strings.ReplaceAll(name, "_", "-") + " " + p.Message
	}
	return command.Usage(strings.Join(lines, "\n"), "see: keyhole key new --help")
}

// writeKeyStanza writes the configuration that admits a key, indented as in the file that
// the manual shows. It contains only the hash. Properties with their default are omitted. can has
// no default.
func writeKeyStanza(w io.Writer, entry *config.OperatorKey, maxExpiry string) error {
	var b strings.Builder
	name, err := yaml.Marshal(entry.Name) // with quotes where YAML needs them: null and - are valid names
	if err != nil {
		return fmt.Errorf("write the name of the key: %w", err)
	}
	fmt.Fprintf(&b, "    - name: %s", name) // name ends with a line break
	if entry.DisplayName != "" {
		fmt.Fprintf(&b, "      display_name: %q\n", entry.DisplayName)
	}
	can := entry.Can
	if len(can) == 0 {
		can = actions()
	}
	fmt.Fprintf(&b, "      sha256: %q\n      can: [%s]\n", entry.SHA256, strings.Join(can, ", "))
	if len(entry.Objects) > 0 {
		// YAML's double quotes have the escapes of Go's.
		quoted := make([]string, len(entry.Objects))
		for i, pattern := range entry.Objects {
			quoted[i] = strconv.Quote(pattern)
		}
		fmt.Fprintf(&b, "      objects: [%s]\n", strings.Join(quoted, ", "))
	}
	if maxExpiry != "" {
		fmt.Fprintf(&b, "      max_expiry: %s\n", maxExpiry)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

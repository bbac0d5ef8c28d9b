package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/contexts"
)

// contextItem is a context in the output of context list --json. It has no key.
type contextItem struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	KeyFile string `json:"key_file,omitempty"` // empty: the key is in the configuration
	Current bool   `json:"current"`
}

// newContextList builds keyhole context list. It prints the place of a key, never the key. A
// saved address may contain a password, so only its host is printed. With --json there is
// no warning about variables, because scripts set them on purpose.
func newContextList(env *command.Env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:        "list",
		SuggestFor: []string{"ls", "show", "get", "current"},
		Short:      "List the contexts; a star marks the current one",
		Args:       command.ExactArgs(0, "only flags"),
		RunE: func(*cobra.Command, []string) error {
			path, err := contexts.Path(env.Getenv)
			if err != nil {
				return contextError(err, nil, "")
			}
			all, err := contexts.Load(path)
			if err != nil {
				return contextError(err, nil, "")
			}
			items := []contextItem{} // not nil: JSON has an empty list
			for _, c := range all.Contexts {
				items = append(items, contextItem{c.Name, hostOnly(c.URL), c.KeyFile, c.Name == all.Current})
			}
			if asJSON {
				return term.PrintJSON(env.Stdout, map[string]any{"items": items})
			}
			warnOfVariables(env)
			return printContexts(env, items)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printContexts prints contexts as a table.
func printContexts(env *command.Env, items []contextItem) error {
	rows := [][]string{{"CURRENT", "NAME", "URL", "KEY"}}
	for _, c := range items {
		mark, key := "", c.KeyFile
		if c.Current {
			mark = "*"
		}
		// The column says where the key is. The key itself is never printed.
		if key == "" {
			key = "saved"
		}
		rows = append(rows, []string{mark, c.Name, c.URL, key})
	}
	return printRows(env, rows, "No contexts yet. Add one: keyhole context add NAME --url URL")
}

// warnOfVariables says that variables take precedence over the current context. Otherwise
// a person would wonder why another service answers.
func warnOfVariables(env *command.Env) {
	var set []string
	for _, name := range []string{"KEYHOLE_OPERATOR_URL", "KEYHOLE_KEY"} {
		if env.Getenv(name) != "" {
			set = append(set, name)
		}
	}
	name := env.Getenv("KEYHOLE_CONTEXT")
	switch {
	// The same order as in chosenContext: address and key win over KEYHOLE_CONTEXT.
	case len(set) > 0:
		fmt.Fprintf(env.Stderr, "note: commands use the set %s instead of the current context\n", strings.Join(set, " and "))
	case name != "":
		fmt.Fprintf(env.Stderr, "note: commands use the context %s while KEYHOLE_CONTEXT is set\n", term.Plain(name))
	}
}

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// newKeyCheck builds keyhole key check.
func newKeyCheck(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:        "check",
		SuggestFor: []string{"show", "test", "whoami", "info", "verify", "list"},
		Short:      "Ask the service what your key may do",
		Args:       command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The client does not know the sources of its address and key, but the service does.
			s, err := operator.service(env)
			if err != nil {
				return err
			}
			c, err := s.client(env)
			if err != nil {
				return err
			}
			o, err := c.Operator(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return term.PrintJSON(env.Stdout, o)
			}
			return printOperator(env, &s, &o)
		},
	}
	operator.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printOperator prints the operator to whom the key belongs and the rights of the operator,
// one property on each line.
func printOperator(env *command.Env, s *service, o *api.Operator) error {
	// An empty line would look like a fault of the command.
	may := strings.Join(o.Can, ", ")
	if may == "" {
		may = "nothing: the token matches no grant"
	}
	// Address and key come first with their sources, because most mistakes are a wrong
	// service or a wrong key.
	rows := [][]string{
		{"service", hostOnly(s.url) + " (" + o.Version + "), from " + s.urlFrom},
		{"key", "from " + s.keyFrom},
		{"operator", o.Name + ", " + admittedBy(o)},
	}
	if o.DisplayName != "" {
		rows = append(rows, []string{"sender", o.DisplayName + " (for recipients)"})
	}
	rows = append(rows, []string{"may", may}, []string{"objects", scopeOf(o)},
		[]string{"links", "at most " + o.Caps.Sensitive + " for sensitive objects, " + o.Caps.NotStated +
			" if sensitivity is not stated, " + o.Caps.NotSensitive + " for objects that are not sensitive"})
	// This name is the one in the configuration, where an administrator would change it.
	if o.MaxExpiry != nil {
		rows = append(rows, []string{"max_expiry", *o.MaxExpiry})
	}
	for _, p := range o.Presets {
		rows = append(rows, []string{"preset", p.Name + " " + p.ExpiresIn})
	}
	return term.PrintTable(env.Stdout, rows)
}

// admittedBy describes how the service admitted an operator.
func admittedBy(o *api.Operator) string {
	switch {
	case o.AdmittedBy == api.AdmittedByKey:
		return "an operator key"
	case o.Grant != "":
		return "a token with the grant " + o.Grant
	}
	return "a token without a grant"
}

// scopeOf describes the objects that an operator may act on.
func scopeOf(o *api.Operator) string {
	switch {
	case len(o.Objects) == 0:
		return "none"
	case len(o.Objects) == 1 && o.Objects[0] == "*":
		return "all"
	}
	return strings.Join(o.Objects, " ")
}

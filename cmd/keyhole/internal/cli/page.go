package cli

import (
	"fmt"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// printPage prints a listing as JSON, or as the table that people read, and says
// where it was cut at limit.
func printPage(env *command.Env, page any, asJSON, cut bool, limit int, table func() error) error {
	if asJSON {
		return term.PrintJSON(env.Stdout, page)
	}
	if cut {
		defer fmt.Fprintf(env.Stderr, "There are more: --limit %[1]d shows up to %[1]d, --limit 0 all.\n", 2*limit)
	}
	return table()
}

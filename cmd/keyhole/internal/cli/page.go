package cli

import (
	"fmt"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// printRows prints a table whose first row has the names of the columns. Without other
// rows it prints only nothing, such as "No links found.", to standard error: standard
// output stays empty, so that a script reads no row.
func printRows(env *command.Env, rows [][]string, nothing string) error {
	if len(rows) == 1 {
		_, err := fmt.Fprintln(env.Stderr, nothing)
		return err
	}
	return term.PrintTable(env.Stdout, rows)
}

// sayFound shows how far a search is. Services of earlier versions do not say how many
// entries they have searched.
func sayFound(p *term.Progress, found, searched int, what string) {
	if searched == 0 {
		p.Say("%d found, searching", found)
		return
	}
	p.Say("%d found, searched %d %s so far", found, searched, what)
}

// printCut prints a list. If it was cut at limit, it says so afterwards, where a person who
// reads to its end sees it.
func printCut(env *command.Env, cut bool, limit int, list func() error) error {
	if cut {
		defer fmt.Fprintf(env.Stderr, "There are more: use --limit %d, or --limit 0 for all.\n", 2*limit)
	}
	return list()
}

package cli

import (
	"fmt"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// printRows prints a table whose first row has the names of the columns. Without other
// rows, it prints the text nothing, such as "No links found.", to standard error. Standard
// output stays empty, so that a script reads no row.
func printRows(env *command.Env, rows [][]string, nothing string) error {
	if len(rows) == 1 {
		_, err := fmt.Fprintln(env.Stderr, nothing)
		return err
	}
	return term.PrintTable(env.Stdout, rows)
}

// sayFound shows the progress of a search. Services of earlier versions do not report how
// many entries they have searched.
func sayFound(p *term.Progress, found, searched int, what string) {
	if searched == 0 {
		p.Say("%d found, searching", found)
		return
	}
	p.Say("%d found, searched %d %s so far", found, searched, what)
}

// printCut prints a list. If the list was cut at limit, printCut says so after the list,
// where a person who has read the list sees it.
func printCut(env *command.Env, cut bool, limit int, list func() error) error {
	if cut {
		defer fmt.Fprintf(env.Stderr, "There are more: use --limit %d, or --limit 0 for all.\n", 2*limit)
	}
	return list()
}

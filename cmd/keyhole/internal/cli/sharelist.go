package cli

import (
	"fmt"
	"io"
	"time"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/explain"
)

// printSharings prints a table of objects.
func printSharings(w io.Writer, all []*sharing) error {
	rows := [][]string{{"SIZE", "MODIFIED", "SENSITIVE", "OBJECT"}}
	for _, s := range all {
		rows = append(rows, []string{
			term.OrDash(explain.Size(s.link.Object.Size)), term.OrDash(explain.Timestamp(s.link.Object.LastModified)),
			explain.Sensitivity(s.link.Sensitive), s.object.String(),
		})
	}
	return term.PrintTable(w, rows)
}

// checklistOfAll prints what is about to be shared: the objects, what all links have in
// common, and the warnings of each.
func (f *shareFlags) checklistOfAll(env *command.Env, all []*sharing) {
	w := env.Stderr
	row := func(name, value string) { fmt.Fprintf(w, "  %-9s %s\n", name, term.Plain(value)) }
	fmt.Fprintf(w, "Sharing   %s\n", explain.Plural(len(all), "object"))
	if !f.asked {
		// The objects were not listed with the question.
		if err := printSharings(w, all); err != nil {
			return // nobody reads standard error
		}
	}
	// What is the same for several objects is said once.
	said := map[string]bool{}
	for _, s := range all {
		// The policy may decide about some objects only.
		end := fmt.Sprintf("in %s (%s)", gateway.SpellLife(s.link.ExpiresAt.Sub(s.link.CreatedAt)),
			explain.ExpiryReason(&s.request, &s.link))
		if !said[end] {
			said[end] = true
			row("expires", onClock(s.link.ExpiresAt, time.Local)+", "+end)
		}
	}
	row("for", explain.Audience(&all[0].link))
	for _, line := range explain.Restrictions(&all[0].link) {
		row(line[0], line[1])
	}
	f.warningsOfAll(row, all)
	if !f.asked {
		f.tellNotAsked(env, &all[0].link)
	}
}

// warningsOfAll prints the warnings of each object, once if all objects have the same, and
// each note once, because its words are the same for every object.
func (f *shareFlags) warningsOfAll(row func(name, value string), all []*sharing) {
	said, objects := map[string]bool{}, map[string]int{}
	for _, s := range all {
		for _, warning := range s.link.Warnings {
			objects[warning.Message+warning.Code]++
		}
	}
	for _, s := range all {
		for _, warning := range s.link.Warnings {
			of, key := s.object.String(), warning.Message+warning.Code
			if objects[key] == len(all) && len(all) > 1 {
				if said[key] {
					continue
				}
				said[key], of = true, "all objects"
			}
			row("warning", fmt.Sprintf("%s: %s (%s)", of, warning.Message, warning.Code))
		}
	}
	for _, s := range all {
		for _, note := range s.link.Notes {
			if !said[note.Code] {
				said[note.Code] = true
				row("notice", fmt.Sprintf("%s (%s)", note.Message, note.Code))
			}
		}
	}
}

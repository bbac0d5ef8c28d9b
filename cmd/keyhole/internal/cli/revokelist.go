package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

const (
	// firstShown is how many links the question of revoke shows. A longer list would scroll
	// the filters off the screen.
	firstShown = 10
	// mostShown is how many links the table of --dry-run has; JSON has all of them.
	mostShown = 50
)

// revocationItems is what --dry-run prints as JSON: the numbers, and the links.
type revocationItems struct {
	api.Revocation
	Items []api.Link `json:"items,omitempty"`
}

// revokedState returns the state of a link after its revocation, and says if an earlier
// revocation ended it.
func revokedState(link *api.Link) string {
	before := slices.ContainsFunc(link.Notes, func(n api.Note) bool { return n.Code == gateway.NoteEndedBefore })
	if before && link.State == string(gateway.StateRevoked) {
		return "already revoked"
	}
	return link.State
}

// selection returns the filters of the revocation as those of a list. Without --state only
// live links are listed, because the others are not revoked.
func (f *revokeFlags) selection() client.ListOptions {
	options := f.filter.listOptions()
	if options.State == "" {
		options.State = strings.Join(command.Convert[string](liveStates()), ",")
	}
	return options
}

// preview prints the links that would be revoked, and their number. Without the right to
// read links, a key can only count them.
func (f *revokeFlags) preview(ctx context.Context, env *command.Env, c *client.Client, total *api.Revocation) error {
	limit := mostShown
	if f.output.json || f.output.ndjson {
		limit = 0
	}
	var found []api.Link
	p := term.NewProgress(env.Stderr)
	next, err := eachLinkPage(ctx, p, c, f.selection(), limit, func(page []api.Link) error {
		if f.output.ndjson {
			p.Clear()
			return printLines(env, page)
		}
		found = append(found, page...)
		return nil
	})
	if err != nil {
		tellUnlisted(env, err)
	}
	if f.output.json {
		return term.PrintJSON(env.Stdout, revocationItems{*total, found})
	}
	if !f.output.ndjson && !f.quiet && len(found) > 0 {
		if err := printLinks(env, found); err != nil {
			return err
		}
		if next != "" {
			defer fmt.Fprintf(env.Stderr, "Only the first %d are listed: keyhole list with the same filters lists all.\n",
				len(found))
		}
	}
	return f.print(env, total)
}

// showFirst prints the first links that the question is about to standard error.
func (f *revokeFlags) showFirst(ctx context.Context, env *command.Env, c *client.Client) {
	var found []api.Link
	_, err := eachLinkPage(ctx, term.NewProgress(env.Stderr), c, f.selection(), firstShown, func(page []api.Link) error {
		found = append(found, page...)
		return nil
	})
	if err != nil {
		tellUnlisted(env, err)
		return
	}
	if len(found) > 0 {
		screen := *env
		screen.Stdout = env.Stderr
		_ = printLinks(&screen, found) // nobody reads the question either if it fails
	}
}

// tellUnlisted says that the links are counted but not listed. The key may lack the right to
// read links, and the revocation must not depend on it.
func tellUnlisted(env *command.Env, err error) {
	fmt.Fprintf(env.Stderr, "note: the links cannot be listed: %s\n", term.Plain(inFilters(err).Error()))
}

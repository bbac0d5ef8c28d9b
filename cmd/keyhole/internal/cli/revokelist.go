package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
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
	if endedBefore(link) && link.State == string(gateway.StateRevoked) {
		return "already revoked"
	}
	return link.State
}

// endedBefore tells whether a revocation of the link changed nothing.
func endedBefore(link *api.Link) bool {
	return slices.ContainsFunc(link.Notes, func(n api.Note) bool { return n.Code == gateway.NoteEndedBefore })
}

// grantsEnded says what the revocation of a used-up link has changed, because its state
// stays the same.
func grantsEnded(link *api.Link) string {
	if link.State != string(gateway.StateUsedUp) || endedBefore(link) {
		return ""
	}
	return " (its downloads can no longer be resumed)"
}

// amongThem says the same of the used-up links among those that were revoked.
func amongThem(usedUp int) string {
	if usedUp == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them used up before: the downloads can no longer be resumed", usedUp)
}

// notListed counts the used-up links that would be revoked. The list has used-up links whose
// downloads have ended too and cannot tell the two apart, so it shows neither. The text
// follows the listed links, if there are some.
func notListed(listed bool, usedUp int) string {
	if usedUp == 0 {
		return ""
	}
	text, downloads := "", "whose downloads"
	if listed {
		text = "and "
	}
	if usedUp == 1 {
		downloads = "whose download"
	}
	return fmt.Sprintf("%s%s %s can still be resumed\n", text, explain.Plural(usedUp, "used-up link"), downloads)
}

// selection returns the filters of the revocation as those of a list. Only live links are
// listed: expired and revoked ones cannot be revoked, and see notListed. ok is false if the
// filters select no live links.
func (f *revokeFlags) selection() (options client.ListOptions, ok bool) {
	options = f.filter.listOptions()
	var states []string
	for _, state := range liveStates() {
		if len(f.filter.states) == 0 || slices.Contains(f.filter.states, string(state)) {
			states = append(states, string(state))
		}
	}
	options.State = strings.Join(states, ",")
	return options, len(states) > 0
}

// eachSelected is eachLinkPage for the live links that would be revoked.
func (f *revokeFlags) eachSelected(ctx context.Context, p *term.Progress, c *client.Client, limit int,
	each func([]api.Link) error,
) (next string, err error) {
	options, ok := f.selection()
	if !ok {
		return "", nil
	}
	return eachLinkPage(ctx, p, c, options, limit, each)
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
	next, err := f.eachSelected(ctx, p, c, limit, func(page []api.Link) error {
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
	if !f.output.ndjson && !f.quiet {
		if _, err := io.WriteString(env.Stdout, notListed(len(found) > 0, total.UsedUp)); err != nil {
			return err
		}
	}
	return f.print(env, total)
}

// showFirst prints the first links that the question is about to standard error, and the
// number of those that are used up.
func (f *revokeFlags) showFirst(ctx context.Context, env *command.Env, c *client.Client, usedUp int) {
	var found []api.Link
	_, err := f.eachSelected(ctx, term.NewProgress(env.Stderr), c, firstShown, func(page []api.Link) error {
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
	fmt.Fprint(env.Stderr, notListed(len(found) > 0, usedUp))
}

// tellUnlisted says that the links are counted but not listed. The key may lack the right to
// read links, and the revocation must not depend on it.
func tellUnlisted(env *command.Env, err error) {
	fmt.Fprintf(env.Stderr, "note: the links cannot be listed: %s\n", term.Plain(inFilters(err).Error()))
}

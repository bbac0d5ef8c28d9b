package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// newShow builds keyhole show. It never prints the URL: the service stores only its hash.
func newShow(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:        "show ID|URL|REFERENCE",
		SuggestFor: []string{"get", "info", "describe"},
		Short:      "Show one link",
		Args:       command.ExactArgs(1, "one link, by ID, URL or reference"),
		RunE: func(cmd *cobra.Command, args []string) error {
			// A reference is enough here, because showing the wrong link does no harm.
			id, err := parseLinkOrPrefix(args[0])
			if err != nil {
				return err
			}
			s, err := operator.service(env)
			if err != nil {
				return err
			}
			c, err := s.client(env)
			if err != nil {
				return err
			}
			link, err := c.Show(cmd.Context(), id)
			if err != nil {
				return unknownLink(id, err)
			}
			if asJSON {
				return term.PrintJSON(env.Stdout, link)
			}
			rows := append(linkRows(&link), []string{"console", s.consoleURL(&link)})
			return term.PrintTable(env.Stdout, append(rows, refusalRows(cmd.Context(), c, &link)...))
		},
	}
	operator.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	// Ended links are offered too: people ask why a link has stopped working.
	cmd.ValidArgsFunction = asking(env, &operator, completeLinks())
	return cmd
}

// lastUse returns the time of the last download of a link.
func lastUse(l *api.Link) string {
	if l.LastUsedAt == nil {
		return "never"
	}
	return explain.Moment(*l.LastUsedAt)
}

// refusalRows returns when and why the service refused a click on the link last, because
// people ask for a link that does not work, and the command for all events. Without an
// answer, show prints the link alone.
func refusalRows(ctx context.Context, c *client.Client, l *api.Link) [][]string {
	page, err := c.Events(ctx, l.ID, "", api.MaxLimit)
	if err != nil {
		return nil
	}
	for _, e := range page.Events { // the newest first
		if e.Kind == string(gateway.EventRefused) || e.Kind == string(gateway.EventFailed) {
			from := ""
			if e.Address != "" {
				from = ", from " + e.Address
			}
			return [][]string{
				{"refused", explain.Moment(e.Time) + from + ": " + explain.Outcome(e.Outcome)},
				{"events", "keyhole events " + l.ID},
			}
		}
	}
	return nil
}

// linkRows returns one link, one property in each row. Properties that most links do not
// have are left out, so that the others are seen.
func linkRows(l *api.Link) [][]string {
	rows := [][]string{
		{"id", l.ID},
		{"state", l.State},
		{"object", "s3://" + l.Bucket + "/" + l.Key},
		{"storage", l.Storage},
		{"size", term.OrDash(explain.Size(l.Object.Size))},
		{"type", term.OrDash(l.Object.ContentType)},
		{"modified", term.OrDash(explain.Timestamp(l.Object.LastModified))},
		{"pinned to", explain.Pin(l)},
		{"saved as", l.Filename + " (" + l.Disposition + ")"},
		{"created", explain.Moment(l.CreatedAt) + " by " + l.CreatedBy},
		{"expires", explain.Moment(l.ExpiresAt) + " (" + l.Preset + ")"},
		{"sensitive", explain.Sensitivity(l.Sensitive)},
		{"clicks", strconv.FormatInt(l.Clicks, 10)},
		{"last used", lastUse(l)},
	}
	// Passphrase, networks, start and limit of clicks, if the link has them.
	// The same words as in the checklist of share, because both come from explain.
	rows = append(rows, explain.Restrictions(l)...)
	if l.Language != "" {
		rows = append(rows, []string{"language", explain.Language(l.Language)})
	}
	if l.Note != "" {
		rows = append(rows, []string{"note", l.Note})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		rows = append(rows, []string{"label", name + "=" + l.Labels[name]})
	}
	// After a revocation the first questions are who did it, when and why.
	if l.RevokedAt != nil {
		rows = append(rows, []string{"revoked", explain.Moment(*l.RevokedAt) + " by " + l.RevokedBy})
		if l.RevokeReason != "" {
			rows = append(rows, []string{"reason", l.RevokeReason})
		}
	}
	return rows
}

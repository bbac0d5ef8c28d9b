package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// newEvents builds keyhole events.
func newEvents(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		limit    int
		follow   bool
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "events ID|URL",
		Short: "Show what happened to one link, newest first; follow it",
		Args:  command.ExactArgs(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return command.Usage(fmt.Sprintf("--limit is 1 to %d, not %d", api.MaxLimit, limit),
					fmt.Sprintf("give up to %d, or leave it out for 100", api.MaxLimit))
			}
			if follow && cmd.Flags().Changed("limit") {
				return command.Usage("--follow has no end, so --limit contradicts it", "leave one of them out")
			}
			c, id, err := operator.open(env, args[0])
			if err != nil {
				return err
			}
			if follow {
				err := outlast(cmd.Context(), env, func() error {
					_, err := c.Show(cmd.Context(), id)
					return err
				})
				if err != nil {
					return err
				}
				feed := auditFlags{filter: client.AuditOptions{Link: id, FromNow: true}, json: asJSON}
				return feed.followFeed(cmd.Context(), env, c)
			}
			page, err := c.Events(cmd.Context(), id, "", limit)
			if err != nil {
				return err
			}
			if asJSON {
				return term.PrintJSON(env.Stdout, page)
			}
			rows := [][]string{eventHeader()}
			for i := range page.Events {
				rows = append(rows, eventRow(&page.Events[i]))
			}
			if page.Next != "" && limit < api.MaxLimit {
				defer fmt.Fprintf(env.Stderr, "There are more: --limit %[1]d shows up to %[1]d.\n", api.MaxLimit)
			}
			return term.PrintTable(env.Stdout, rows)
		},
	}
	operator.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("how many events at most, up to %d", api.MaxLimit))
	cmd.Flags().BoolVar(&follow, "follow", false, "show what happens from now on, until stopped; with --json a line for each event")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(env, &operator, completeLinks())
	return cmd
}

// eventHeader names the columns of eventRow.
func eventHeader() []string { return []string{"TIME", "EVENT", "OUTCOME", "METHOD", "WHO", "FROM"} }

// eventRow writes one event for people.
func eventRow(e *api.Event) []string {
	return []string{
		e.Time.Format(time.RFC3339), e.Kind, term.OrDash(e.Outcome), term.OrDash(e.Method), term.OrDash(e.Actor), term.OrDash(e.Address),
	}
}

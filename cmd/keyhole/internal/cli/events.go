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

// newEvents builds keyhole events. --follow uses the feed of all links, filtered to this
// one, because only the feed has a cursor behind which new events appear.
func newEvents(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		limit    int
		follow   bool
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "events ID|URL",
		Short: "Show the events of one link, newest first, or follow them",
		Args:  command.ExactArgs(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return command.Usage(fmt.Sprintf("--limit is %d; it must be 1 to %d", limit, api.MaxLimit), "omit it for 100")
			}
			if follow && cmd.Flags().Changed("limit") {
				return command.Usage("--follow and --limit cannot be combined, because --follow has no end", "omit one of them")
			}
			c, id, err := operator.open(env, args[0])
			if err != nil {
				return err
			}
			if follow {
				// An unknown link ends the command now; its feed would stay empty for ever.
				err := retryUntilDone(cmd.Context(), env, func() error {
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
				defer fmt.Fprintf(env.Stderr, "There are more events: use --limit %d.\n", api.MaxLimit)
			}
			return term.PrintTable(env.Stdout, rows)
		},
	}
	operator.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("show at most this many events, up to %d", api.MaxLimit))
	cmd.Flags().BoolVar(&follow, "follow", false, "show new events until stopped; with --json one line for each")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(env, &operator, completeLinks())
	return cmd
}

// eventHeader returns the names of eventRow's columns.
func eventHeader() []string { return []string{"TIME", "EVENT", "OUTCOME", "METHOD", "WHO", "FROM"} }

// eventRow returns one event as a row of a table. Operators' events have no outcome, method
// or address; clicks have no actor.
func eventRow(e *api.Event) []string {
	return []string{
		e.Time.Format(time.RFC3339), e.Kind, term.OrDash(e.Outcome), term.OrDash(e.Method), term.OrDash(e.Actor),
		term.OrDash(e.Address),
	}
}

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// newEvents builds keyhole events.
func newEvents(world *surroundings) *cobra.Command {
	var (
		operator operatorFlags
		limit    int
		follow   bool
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "events ID|URL",
		Short: "Show what happened to one link, newest first; follow it",
		Args:  exactly(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return usage(fmt.Sprintf("--limit is 1 to %d, not %d", api.MaxLimit, limit),
					fmt.Sprintf("give up to %d, or leave it out for 100", api.MaxLimit))
			}
			if follow && cmd.Flags().Changed("limit") {
				return usage("--follow has no end, so --limit contradicts it", "leave one of them out")
			}
			c, id, err := operator.open(world, args[0])
			if err != nil {
				return err
			}
			if follow {
				err := outlast(cmd.Context(), world, func() error {
					_, err := c.Show(cmd.Context(), id)
					return err
				})
				if err != nil {
					return err
				}
				feed := auditFlags{filter: client.AuditOptions{Link: id, FromNow: true}, json: asJSON}
				return feed.followFeed(cmd.Context(), world, c)
			}
			page, err := c.Events(cmd.Context(), id, "", limit)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(world.stdout, page)
			}
			rows := [][]string{eventHeader()}
			for i := range page.Events {
				rows = append(rows, eventRow(&page.Events[i]))
			}
			if page.Next != "" && limit < api.MaxLimit {
				defer fmt.Fprintf(world.stderr, "There are more: --limit %[1]d shows up to %[1]d.\n", api.MaxLimit)
			}
			return printTable(world.stdout, rows)
		},
	}
	operator.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("how many events at most, up to %d", api.MaxLimit))
	cmd.Flags().BoolVar(&follow, "follow", false, "show what happens from now on, until stopped; with --json a line for each event")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(world, &operator, completeLinks())
	return cmd
}

// eventHeader names the columns of eventRow.
func eventHeader() []string { return []string{"TIME", "EVENT", "OUTCOME", "METHOD", "WHO", "FROM"} }

// eventRow writes one event for people.
func eventRow(e *api.Event) []string {
	return []string{
		e.Time.Format(time.RFC3339), e.Kind, orDash(e.Outcome), orDash(e.Method), orDash(e.Actor), orDash(e.Address),
	}
}

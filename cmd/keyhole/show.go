package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// newShow builds keyhole show.
func newShow(world *surroundings) *cobra.Command {
	var (
		operator operatorFlags
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "show ID|URL",
		Short: "Show one link",
		Args:  exactly(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, id, err := operator.open(world, args[0])
			if err != nil {
				return err
			}
			link, err := c.Show(cmd.Context(), id)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(world.stdout, link)
			}
			return printLink(world.stdout, &link)
		},
	}
	operator.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printLink prints one link, a line for each thing known of it.
func printLink(w io.Writer, l *api.Link) error {
	rows := [][]string{
		{"id", l.ID},
		{"state", l.State},
		{"object", "s3://" + l.Bucket + "/" + l.Key},
		{"storage", l.Storage},
		{"size", size(l.Object.Size)},
		{"type", orDash(l.Object.ContentType)},
		{"modified", l.Object.LastModified.Format(time.RFC3339)},
		{"pinned to", pinnedTo(l)},
		{"saved as", l.Filename + " (" + l.Disposition + ")"},
		{"created", l.CreatedAt.Format(time.RFC3339) + " by " + l.CreatedBy},
		{"expires", l.ExpiresAt.Format(time.RFC3339) + " (" + l.Preset + ")"},
		{"sensitive", sensitivity(l.Sensitive)},
		{"clicks", strconv.FormatInt(l.Clicks, 10)},
	}
	if l.Note != "" {
		rows = append(rows, []string{"note", l.Note})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		rows = append(rows, []string{"label", name + "=" + l.Labels[name]})
	}
	if l.RevokedAt != nil {
		rows = append(rows, []string{"revoked", l.RevokedAt.Format(time.RFC3339) + " by " + l.RevokedBy})
		if l.RevokeReason != "" {
			rows = append(rows, []string{"reason", l.RevokeReason})
		}
	}
	return printTable(w, rows)
}

// pinnedTo writes what a click must find.
func pinnedTo(l *api.Link) string {
	switch l.Pin {
	case gateway.PinVersion:
		return "version " + l.Object.VersionID
	case gateway.PinETag:
		return "ETag " + l.Object.ETag
	}
	return "nothing: recipients get what lies under the key"
}

// sensitivity writes what was stated of the content.
func sensitivity(stated *bool) string {
	if stated == nil {
		return "not stated"
	}
	if *stated {
		return "yes"
	}
	return "no"
}

// newEvents builds keyhole events.
func newEvents(world *surroundings) *cobra.Command {
	var (
		operator operatorFlags
		limit    int
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "events ID|URL",
		Short: "Show what happened to one link, newest first",
		Args:  exactly(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > api.MaxLimit {
				return usage(fmt.Sprintf("--limit is 1 to %d, not %d", api.MaxLimit, limit),
					fmt.Sprintf("give up to %d, or leave it out for 100", api.MaxLimit))
			}
			c, id, err := operator.open(world, args[0])
			if err != nil {
				return err
			}
			page, err := c.Events(cmd.Context(), id, "", limit)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(world.stdout, page)
			}
			rows := [][]string{{"TIME", "EVENT", "OUTCOME", "METHOD", "WHO", "FROM"}}
			for _, e := range page.Events {
				rows = append(rows, []string{
					e.Time.Format(time.RFC3339), e.Kind, orDash(e.Outcome), orDash(e.Method), orDash(e.Actor), orDash(e.Address),
				})
			}
			if page.Next != "" && limit < api.MaxLimit {
				defer fmt.Fprintf(world.stderr, "There are more: --limit %[1]d shows up to %[1]d.\n", api.MaxLimit)
			}
			return printTable(world.stdout, rows)
		},
	}
	operator.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("how many events at most, up to %d", api.MaxLimit))
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

package main

import (
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
		Use:        "show ID|URL",
		SuggestFor: []string{"get", "info", "describe"},
		Short:      "Show one link",
		Args:       exactly(1, "one link, by id or URL"),
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
	cmd.ValidArgsFunction = asking(world, &operator, completeLinks())
	return cmd
}

// printLink prints one link, a line for each thing known of it.
func printLink(w io.Writer, l *api.Link) error {
	rows := [][]string{
		{"id", l.ID},
		{"state", l.State},
		{"object", "s3://" + l.Bucket + "/" + l.Key},
		{"storage", l.Storage},
		{"size", orDash(size(l.Object.Size))},
		{"type", orDash(l.Object.ContentType)},
		{"modified", orDash(timestamp(l.Object.LastModified))},
		{"pinned to", pinnedTo(l)},
		{"saved as", l.Filename + " (" + l.Disposition + ")"},
		{"created", l.CreatedAt.Format(time.RFC3339) + " by " + l.CreatedBy},
		{"expires", l.ExpiresAt.Format(time.RFC3339) + " (" + l.Preset + ")"},
		{"sensitive", sensitivity(l.Sensitive)},
		{"clicks", strconv.FormatInt(l.Clicks, 10)},
	}
	rows = append(rows, restrictions(l)...)
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

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// newList builds keyhole list.
func newList(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		filter   client.ListOptions
		limit    int
		quiet    bool
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:        "list",
		SuggestFor: []string{"ls", "links"},
		Short:      "List links, newest first; with --prefix or --key ordered by key",
		Example: `  keyhole list --state active
  keyhole list --bucket reports --prefix exports/ --json`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			if err := errors.Join(oneOf("state", filter.State, command.Convert[string](gateway.States())),
				checkFilters(filter.Bucket, filter.Prefix, filter.Key, filter.Label, false)); err != nil {
				return err
			}
			c, err := operator.client(env)
			if err != nil {
				return err
			}
			page, err := listLinks(cmd.Context(), term.NewProgress(env.Stderr), c, filter, limit)
			if err != nil {
				return err
			}
			if len(page.Links) == 0 {
				if err := noSuchBucket(cmd.Context(), c, filter.Bucket); err != nil {
					return err
				}
				if !quiet && !asJSON {
					fmt.Fprintln(env.Stderr, "No links found.")
				}
			}
			return printPage(env, page, asJSON, page.Next != "", limit, func() error {
				if quiet {
					return printIDs(env, page.Links)
				}
				return printLinks(env, page.Links)
			})
		},
	}
	operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&filter.State, "state", "",
		"only links in this state: active, paused, not_yet, expired, revoked or used_up")
	flags.StringVar(&filter.Bucket, "bucket", "", "only links to objects in this bucket")
	flags.StringVar(&filter.Prefix, "prefix", "",
		"only links to objects whose key begins with this text, byte for byte: end a folder with a slash")
	flags.StringVar(&filter.Key, "key", "", "only links to the object with this key")
	flags.StringVar(&filter.CreatedBy, "created-by", "", "only links that the operator with this name issued")
	flags.StringVar(&filter.Label, "label", "", "only links with this label, name=value")
	flags.IntVar(&limit, "limit", 50, "show at most this many links; 0 means all")
	flags.BoolVar(&quiet, "quiet", false, "print only IDs, for other commands")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	completeNames(cmd, "state", command.Convert[string](gateway.States()))
	completeFlag(cmd, "bucket", asking(env, &operator, completeBuckets))
	return cmd
}

// listLinks requests pages until it has limit links (0 for any number) or all. The cursor
// of the last page stays in the result, for scripts that go on by themselves.
func listLinks(ctx context.Context, p *term.Progress, c *client.Client, filter client.ListOptions,
	limit int,
) (api.LinkPage, error) {
	// A filter may match few links of many, so a page can be empty and have a successor.
	all := api.LinkPage{Links: []api.Link{}}
	defer p.Clear()
	for {
		filter.Limit = nextLimit(limit, len(all.Links))
		page, err := c.List(ctx, filter)
		if err != nil {
			return all, err
		}
		all.Links = append(all.Links, page.Links...)
		all.Next = page.Next
		if page.Next == "" || limit > 0 && len(all.Links) >= limit {
			return all, nil
		}
		p.Say("%d found, searching", len(all.Links))
		filter.Cursor = page.Next
	}
}

// printIDs prints IDs, one on each line, in the form that revoke and change take.
func printIDs(env *command.Env, links []api.Link) error {
	// One write: a reader such as head may close the pipe between two.
	var b strings.Builder
	for i := range links {
		b.WriteString(links[i].ID + "\n")
	}
	_, err := io.WriteString(env.Stdout, b.String())
	return err
}

// printLinks prints links as a table. The object comes last, because only it can be longer
// than a terminal is wide.
func printLinks(env *command.Env, links []api.Link) error {
	rows := [][]string{{"ID", "STATE", "EXPIRES", "CLICKS", "BY", "OBJECT"}}
	for i := range links {
		l := &links[i]
		rows = append(rows, []string{
			l.ID, l.State, l.ExpiresAt.Format(time.RFC3339), strconv.FormatInt(l.Clicks, 10),
			l.CreatedBy, "s3://" + l.Bucket + "/" + l.Key,
		})
	}
	return term.PrintTable(env.Stdout, rows)
}

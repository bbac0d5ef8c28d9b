package cli

import (
	"context"
	"errors"
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

// listFlags are the flags of list.
type listFlags struct {
	operator operatorFlags
	// filter is what the service is asked for, with its cursor and page size.
	filter client.ListOptions
	// limit is the number of links over all pages; 0 means all.
	limit       int
	quiet, json bool
}

// newList builds keyhole list. Its filters are those of revoke, so that a person can list
// the links before revoking them.
func newList(env *command.Env) *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:        "list",
		SuggestFor: []string{"ls", "links"},
		Short:      "List links, newest first; with --prefix or --key ordered by key",
		Example: `  keyhole list --state active
  keyhole list --bucket reports --prefix exports/ --json`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), env) },
	}
	f.operator.add(cmd)
	f.add(cmd)
	// A closed set is completed without the service, so it also works without a key.
	completeNames(cmd, "state", command.Convert[string](gateway.States()))
	completeFlag(cmd, "bucket", asking(env, &f.operator, completeBuckets))
	completeSelections(cmd, env, &f.operator)
	return cmd
}

// add adds the flags other than those of operatorFlags to a command.
func (f *listFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.filter.State, "state", "",
		"only links in this state: active, paused, not_yet, expired, revoked or used_up")
	flags.StringVar(&f.filter.Bucket, "bucket", "", "only links to objects in this bucket")
	flags.StringVar(&f.filter.Prefix, "prefix", "",
		"only links to objects whose key begins with this text, byte for byte: end a folder with a slash")
	flags.StringVar(&f.filter.Key, "key", "", "only links to the object with this key")
	flags.StringVar(&f.filter.CreatedBy, "created-by", "", "only links that the operator with this name issued")
	flags.StringVar(&f.filter.Label, "label", "", "only links with this label, name=value")
	flags.IntVar(&f.limit, "limit", 50, "show at most this many links; 0 means all")
	flags.BoolVar(&f.quiet, "quiet", false, "print only IDs, for other commands")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// run prints the links that match the filters. It checks the flags before it needs a key,
// so that a mistyped flag is reported first.
func (f *listFlags) run(ctx context.Context, env *command.Env) error {
	if err := checkLimit(f.limit); err != nil {
		return err
	}
	q := f.filter
	if err := errors.Join(oneOf("state", q.State, command.Convert[string](gateway.States())),
		checkFilters(q.Bucket, q.Prefix, q.Key, q.Label, false)); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	page, err := listLinks(ctx, term.NewProgress(env.Stderr), c, q, f.limit)
	if err != nil {
		return err
	}
	if len(page.Links) == 0 {
		// The service returns an empty list for a bucket that does not exist, too.
		if err := noSuchBucket(ctx, c, q.Bucket); err != nil {
			return err
		}
	}
	return printPage(env, page, f.json, page.Next != "", f.limit, func() error { return f.print(env, page.Links) })
}

// print prints the links as IDs or as a table.
func (f *listFlags) print(env *command.Env, links []api.Link) error {
	if f.quiet {
		return printIDs(env, links)
	}
	return printLinks(env, links)
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
	return printRows(env, rows, "No links found.")
}

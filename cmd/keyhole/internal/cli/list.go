package cli

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// listFlags are the flags of list.
type listFlags struct {
	operator operatorFlags
	filter   filterFlags
	output   outputFlags
	// limit is the number of links over all pages; 0 means all.
	limit       int
	quiet, wide bool
}

// newList builds keyhole list. Its filters are those of revoke, so that a person can list
// the links before revoking them.
func newList(env *command.Env) *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:        "list [s3://BUCKET/KEY | s3://BUCKET/PREFIX/]",
		SuggestFor: []string{"ls", "links"},
		Short:      "List links, newest first; with --prefix or --key ordered by key",
		Example: `  keyhole list --state active,paused --wide
  keyhole list --used never --ends-within 24h
  keyhole list s3://reports/exports/ --json`,
		Args: maybeS3,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if err := f.filter.takeS3(args[0]); err != nil {
					return err
				}
			}
			return f.run(cmd.Context(), env)
		},
	}
	f.operator.add(cmd)
	f.add(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeObjects)
	completeFlag(cmd, "bucket", asking(env, &f.operator, completeBuckets))
	completeSelections(cmd, env, &f.operator)
	return cmd
}

// add adds the flags other than those of operatorFlags to a command.
func (f *listFlags) add(cmd *cobra.Command) {
	f.filter.add(cmd, gateway.States(), false)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 50, "show at most this many links; 0 means all")
	flags.BoolVar(&f.wide, "wide", false, "also show when links were issued and last used, their limits, labels and notes")
	flags.BoolVar(&f.quiet, "quiet", false, "print only IDs, for other commands")
	f.output.add(cmd)
}

// run prints the links that match the filters. It checks the flags before it needs a key,
// so that a mistyped flag is reported first.
func (f *listFlags) run(ctx context.Context, env *command.Env) error {
	if err := checkLimit(f.limit); err != nil {
		return err
	}
	if err := f.filter.check(false); err != nil {
		return err
	}
	if err := f.output.check(); err != nil {
		return err
	}
	// --quiet prints less than the table, and --wide prints more.
	if f.quiet && f.wide {
		return command.Usage("--quiet and --wide cannot be combined", "use one of them")
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// Lines are printed page by page, because a long list can be larger than memory. A table
	// needs all rows first, for the widths of its columns.
	found, links := 0, []api.Link{}
	p := term.NewProgress(env.Stderr)
	next, err := eachLinkPage(ctx, p, c, f.filter.listOptions(), f.limit,
		func(page []api.Link) error {
			found += len(page)
			if f.output.ndjson {
				p.Clear()
				return printLines(env, page)
			}
			links = append(links, page...)
			return nil
		})
	if err != nil {
		return err
	}
	if found == 0 {
		// The service returns an empty list for a bucket that does not exist, too.
		if err := noSuchBucket(ctx, c, f.filter.bucket); err != nil {
			return err
		}
		defer f.filter.tellFolder(env)
	}
	if f.output.json {
		return printDocument(env, links, next)
	}
	return printCut(env, next != "", f.limit, func() error { return f.print(env, links) })
}

// print prints the links as IDs or as a table. Lines were printed already.
func (f *listFlags) print(env *command.Env, links []api.Link) error {
	switch {
	case f.output.ndjson:
		return nil
	case f.quiet:
		return printIDs(env, links)
	case f.wide:
		return printWide(env, links)
	}
	return printLinks(env, links)
}

// eachLinkPage calls each with the links of each page, until it has limit links (0: all
// links). It returns the cursor of the next page, so that scripts can continue.
func eachLinkPage(ctx context.Context, p *term.Progress, c *client.Client, filter client.ListOptions, limit int,
	each func([]api.Link) error,
) (next string, err error) {
	// A filter may match few links of many, so a page can be empty and have a successor.
	defer p.Clear()
	// searched is larger than found if the service filters; it shows that the search goes on.
	found, searched := 0, 0
	for {
		filter.Limit = nextLimit(limit, found)
		page, err := c.List(ctx, filter)
		if err != nil {
			return "", err
		}
		if err := each(page.Links); err != nil {
			return "", err
		}
		found, searched = found+len(page.Links), searched+page.Searched
		if page.Next == "" || limit > 0 && found >= limit {
			return page.Next, nil
		}
		sayFound(p, found, searched, "links")
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

// noLinks is printed for an empty list.
const noLinks = "No links found."

// printLinks prints links as a table. The object comes last, because only it can be longer
// than a terminal is wide.
func printLinks(env *command.Env, links []api.Link) error {
	rows := [][]string{{"ID", "STATE", "EXPIRES", "CLICKS", "BY", "OBJECT"}}
	for i := range links {
		l := &links[i]
		rows = append(rows, []string{
			l.ID, l.State, explain.Moment(l.ExpiresAt), strconv.FormatInt(l.Clicks, 10),
			l.CreatedBy, "s3://" + l.Bucket + "/" + l.Key,
		})
	}
	return printRows(env, rows, noLinks)
}

// printWide prints links as a table with more columns.
func printWide(env *command.Env, links []api.Link) error {
	rows := [][]string{{"ID", "STATE", "ISSUED", "EXPIRES", "LAST USED", "CLICKS", "BY", "LABELS", "NOTE", "OBJECT"}}
	for i := range links {
		l := &links[i]
		clicks := strconv.FormatInt(l.Clicks, 10)
		// The limit stands behind the number, as 2/3, so that no further column is needed.
		if l.MaxClicks != nil {
			clicks += "/" + strconv.FormatInt(*l.MaxClicks, 10)
		}
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
			labels = append(labels, name+"="+l.Labels[name])
		}
		rows = append(rows, []string{
			l.ID, l.State, explain.Moment(l.CreatedAt), explain.Moment(l.ExpiresAt), lastUse(l), clicks,
			l.CreatedBy, cmp.Or(strings.Join(labels, " "), "-"), term.OrDash(l.Note), "s3://" + l.Bucket + "/" + l.Key,
		})
	}
	return printRows(env, rows, noLinks)
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// newObjects builds keyhole objects.
func newObjects(env *command.Env) *cobra.Command {
	var (
		operator operatorFlags
		asked    client.ObjectsOptions
		limit    int
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:        "objects [s3://BUCKET[/PREFIX]]",
		SuggestFor: []string{"browse", "search", "buckets", "find"},
		Short:      "Find the object to share: list buckets, browse or search one",
		Long: `Without an argument, lists the buckets that links may be issued from. With one,
lists the folders and objects right behind the prefix or, with --search, every
object behind it that has the text in the rest of its key.

PREFIX is taken literally: without a slash at its end, s3://reports/2026 lists
what begins with 2026, 2026-plan.pdf too.`,
		Example: `  keyhole objects
  keyhole objects s3://reports/2026/
  keyhole objects s3://reports --search invoice`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usage("one bucket at a time", "see: keyhole objects --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if asked.Search != "" || asked.Storage != "" {
					return command.Usage("--search and --storage are for one bucket", "name it: keyhole objects s3://BUCKET")
				}
				return listBuckets(cmd, env, &operator, asJSON)
			}
			if err := checkLimit(limit); err != nil {
				return err
			}
			var err error
			if asked.Bucket, asked.Prefix, err = parseBucket(args[0]); err != nil {
				return err
			}
			c, err := operator.client(env)
			if err != nil {
				return err
			}
			page, err := listObjects(cmd.Context(), term.NewProgress(env.Stderr), c, asked, limit)
			if err != nil {
				return nearBucket(cmd.Context(), c, asked.Bucket, err)
			}
			if len(page.Folders)+len(page.Objects) == 0 && !asJSON {
				fmt.Fprintln(env.Stderr, "There are none.")
			}
			return printPage(env, page, asJSON, page.Next != "", limit, func() error { return printObjects(env, &page) })
		},
	}
	operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&asked.Storage, "storage", "", "the storage, where several have the bucket")
	flags.StringVar(&asked.Search, "search", "", "text anywhere in the key behind the prefix, in upper or lower case")
	flags.IntVar(&limit, "limit", 50, "how many entries at most, 0: all")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(env, &operator, completeObjects)
	return cmd
}

// parseBucket splits s3://BUCKET[/PREFIX]. The prefix is everything behind the
// bucket's slash, as it stands.
func parseBucket(arg string) (bucket, prefix string, err error) {
	if bucket, prefix = splitS3(arg); bucket == "" {
		return "", "", notS3(arg, "a bucket", "s3://BUCKET or s3://BUCKET/PREFIX")
	}
	return bucket, prefix, nil
}

// listBuckets prints the buckets.
func listBuckets(cmd *cobra.Command, env *command.Env, operator *operatorFlags, asJSON bool) error {
	c, err := operator.client(env)
	if err != nil {
		return err
	}
	list, err := c.Buckets(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return term.PrintJSON(env.Stdout, list)
	}
	rows := [][]string{{"STORAGE", "BUCKET"}}
	for _, b := range list.Buckets {
		rows = append(rows, []string{b.Storage, "s3://" + b.Bucket})
	}
	return term.PrintTable(env.Stdout, rows)
}

// listObjects asks for pages until there are limit entries, 0 for any number, or no more.
func listObjects(ctx context.Context, p *term.Progress, c *client.Client, asked client.ObjectsOptions, limit int) (api.ObjectPage, error) {
	all := api.ObjectPage{Folders: []string{}, Objects: []api.ObjectEntry{}}
	defer p.Clear()
	for {
		asked.Limit = nextLimit(limit, len(all.Folders)+len(all.Objects))
		page, err := c.Objects(ctx, asked)
		if err != nil {
			return all, err
		}
		all.Storage, all.Bucket, all.Next = page.Storage, page.Bucket, page.Next
		all.Folders = append(all.Folders, page.Folders...)
		all.Objects = append(all.Objects, page.Objects...)
		if page.Next == "" || limit > 0 && len(all.Folders)+len(all.Objects) >= limit {
			return all, nil
		}
		p.Say("%d found, looking further", len(all.Folders)+len(all.Objects))
		asked.Cursor = page.Next
	}
}

// printObjects prints folders and objects as a table, named so that they can be
// given to share and to objects again.
func printObjects(env *command.Env, page *api.ObjectPage) error {
	rows := [][]string{{"SIZE", "MODIFIED", "OBJECT"}}
	for _, folder := range page.Folders {
		rows = append(rows, []string{"-", "-", "s3://" + page.Bucket + "/" + folder})
	}
	for i := range page.Objects {
		o := &page.Objects[i]
		short, _, _ := strings.Cut(explain.Size(o.Size), " (")
		modified := term.OrDash(explain.Timestamp(o.LastModified))
		rows = append(rows, []string{term.OrDash(short), modified, "s3://" + page.Bucket + "/" + o.Key})
	}
	return term.PrintTable(env.Stdout, rows)
}

package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// objectsFlags are the flags of objects.
type objectsFlags struct {
	operator operatorFlags
	// filter is what the service is asked for, with its cursor and page size.
	filter client.ObjectsOptions
	// limit is the number of folders and objects over all pages; 0 means all.
	limit  int
	output outputFlags
}

// newObjects builds keyhole objects. Its output has the form that share takes, so that a
// line can be copied.
func newObjects(env *command.Env) *cobra.Command {
	f := &objectsFlags{}
	cmd := &cobra.Command{
		Use:        "objects [s3://BUCKET[/PREFIX]]",
		SuggestFor: []string{"browse", "search", "buckets", "find"},
		Short:      "List buckets, or browse or search one, to find an object to share",
		Long: `Without an argument, lists the buckets whose objects can be shared. With a bucket, lists
the folders and objects at PREFIX. With --search, lists every object below PREFIX whose
remaining key contains the text, and without a bucket the objects of all buckets.

PREFIX is taken literally: s3://reports/2026 without a slash at its end lists all keys
that begin with 2026, also 2026-plan.pdf.`,
		Example: `  keyhole objects
  keyhole objects s3://reports/2026/
  keyhole objects s3://reports --search invoice
  keyhole objects --search invoice`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usage("only one bucket at a time", "see: keyhole objects --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(f.limit); err != nil {
				return err
			}
			if err := f.output.check(); err != nil {
				return err
			}
			if len(args) == 0 && f.filter.Search != "" {
				return f.searchAll(cmd.Context(), env)
			}
			if len(args) == 0 {
				return f.listBuckets(cmd.Context(), env)
			}
			return f.run(cmd.Context(), env, args[0])
		},
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.filter.Storage, "storage", "", "the storage, if several have this bucket")
	flags.StringVar(&f.filter.Search, "search", "",
		"a text in the key behind the prefix, without patterns such as *; case is ignored")
	flags.IntVar(&f.limit, "limit", 50, "show at most this many entries; 0 means all")
	f.output.add(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeObjects)
	return cmd
}

// run prints the folders and objects of one bucket.
func (f *objectsFlags) run(ctx context.Context, env *command.Env, arg string) error {
	var err error
	if f.filter.Bucket, f.filter.Prefix, err = parseBucket(arg); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	page, err := listObjects(ctx, term.NewProgress(env.Stderr), c, f.filter, f.limit)
	if err != nil {
		// The service does not say which buckets exist, so they are asked for separately.
		return nearBucket(ctx, c, f.filter.Bucket, f.filter.Prefix, err)
	}
	if f.output.json {
		return printDocument(env, objectItems(&page), page.Next)
	}
	return printCut(env, page.Next != "", f.limit, func() error {
		if f.output.ndjson {
			return printLines(env, objectItems(&page))
		}
		return f.printObjects(env, page)
	})
}

// parseBucket splits s3://BUCKET[/PREFIX]. The prefix is everything behind the
// bucket's slash, without unescaping.
func parseBucket(arg string) (bucket, prefix string, err error) {
	if bucket, prefix = splitS3(arg); bucket == "" {
		return "", "", orSearch(arg, notS3(arg, "a bucket", "s3://BUCKET or s3://BUCKET/PREFIX"))
	}
	return bucket, prefix, nil
}

// listBuckets prints the buckets whose objects the key may share. They come from the
// configuration of the service, so no storage is asked.
func (f *objectsFlags) listBuckets(ctx context.Context, env *command.Env) error {
	// Without a bucket the flag would be ignored, and the list would look complete.
	if f.filter.Storage != "" {
		return command.Usage("--storage needs a bucket or --search", "name it: keyhole objects s3://BUCKET")
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	list, err := c.Buckets(ctx)
	if err != nil {
		return err
	}
	items := bucketItems(list.Buckets)
	if f.output.json {
		return printDocument(env, items, "")
	}
	if f.output.ndjson {
		return printLines(env, items)
	}
	rows := [][]string{{"STORAGE", "BUCKET"}}
	for _, b := range list.Buckets {
		rows = append(rows, []string{b.Storage, "s3://" + b.Bucket})
	}
	return printRows(env, rows, "No buckets found.")
}

// listObjects requests pages until it has limit entries (0 for any number) or all.
func listObjects(ctx context.Context, p *term.Progress, c *client.Client, asked client.ObjectsOptions,
	limit int,
) (api.ObjectPage, error) {
	all := api.ObjectPage{Folders: []string{}, Objects: []api.ObjectEntry{}}
	defer p.Clear()
	for {
		asked.Limit = nextLimit(limit, len(all.Folders)+len(all.Objects))
		page, err := c.Objects(ctx, asked)
		if err != nil {
			return all, err
		}
		// The service says which storage it has found for the bucket.
		all.Storage, all.Bucket, all.Next = page.Storage, page.Bucket, page.Next
		all.Folders = append(all.Folders, page.Folders...)
		all.Objects = append(all.Objects, page.Objects...)
		if page.Next == "" || limit > 0 && len(all.Folders)+len(all.Objects) >= limit {
			return all, nil
		}
		p.Say("%d found, searching", len(all.Folders)+len(all.Objects))
		asked.Cursor = page.Next
	}
}

// printObjects prints folders and objects as a table, in the form that share and objects
// take.
func (f *objectsFlags) printObjects(env *command.Env, pages ...api.ObjectPage) error {
	rows := [][]string{{"SIZE", "MODIFIED", "OBJECT"}}
	for i := range pages {
		rows = append(rows, objectRows(&pages[i])...)
	}
	nothing := "No objects found."
	if f.filter.Search != "" {
		nothing = "No objects found. --search takes its text literally, without patterns, and ignores case."
	}
	return printRows(env, rows, nothing)
}

// objectRows returns the folders and objects of a page as rows of a table.
func objectRows(page *api.ObjectPage) [][]string {
	var rows [][]string
	// A folder is only a part of keys: storages know neither its size nor its time.
	for _, folder := range page.Folders {
		rows = append(rows, []string{"-", "-", "s3://" + page.Bucket + "/" + folder})
	}
	for i := range page.Objects {
		o := &page.Objects[i]
		// A column has no room for the exact number of bytes, which stands in brackets.
		short, _, _ := strings.Cut(explain.Size(o.Size), " (")
		modified := term.OrDash(explain.Timestamp(o.LastModified))
		rows = append(rows, []string{term.OrDash(short), modified, "s3://" + page.Bucket + "/" + o.Key})
	}
	return rows
}

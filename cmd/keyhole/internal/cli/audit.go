package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// followInterval is the time between two requests for new events.
const followInterval = time.Second

// auditFlags are the flags of audit.
type auditFlags struct {
	operator operatorFlags
	output   outputFlags
	// filter is what the service is asked for, with its cursor and page size.
	filter client.AuditOptions
	// object is s3://BUCKET/KEY as typed. run parses it into filter.
	object string
	// since and until are as typed: a time or an age. run parses them into filter.
	since, until string
	// limit is the number of events over all pages; 0 means all.
	limit  int
	follow bool
}

// newAudit builds keyhole audit.
func newAudit(env *command.Env) *cobra.Command {
	f := &auditFlags{}
	cmd := &cobra.Command{
		Use:        "audit [s3://BUCKET/KEY | s3://BUCKET/PREFIX/]",
		SuggestFor: []string{"log", "history", "downloads"},
		Short:      "Show, follow or export the events of all links",
		Long: `Shows the events of all links that the operator key may see, newest first: who
issued, changed, revoked or opened a link, when, from where, and with which outcome. An
event must match every filter.

With --ndjson each event is one line, for jq and for archives. With --oldest the oldest
event comes first. --follow shows new events, from now on or from --since, until it is
stopped.

The kind redirected means that the recipient was sent to the file, so the download
started; page, that a page was shown; refused, that the link did not work.`,
		Example: `  keyhole audit s3://reports/q3.pdf --kind redirected
  keyhole audit --since 24h --kind refused
  keyhole audit --since 2026-11-01T00:00:00Z --oldest --limit 0 --ndjson > november.ndjson
  keyhole audit --follow`,
		Args: func(cmd *cobra.Command, args []string) error {
			// audit has one command below it and runs itself, so cobra passes a typo as an argument.
			if len(args) > 0 && len(cmd.SuggestionsFor(args[0])) > 0 {
				return unknownCommand(cmd, args)
			}
			return maybeS3(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				var err error
				f.filter.Bucket, f.filter.Prefix, f.filter.Key, err = readS3(args[0], f.object, f.filter.Bucket, f.filter.Prefix)
				if err != nil {
					return err
				}
			}
			return f.run(cmd, env)
		},
	}
	f.operator.add(cmd)
	f.addFilters(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.filter.Oldest, "oldest", false, "show the oldest event first")
	flags.BoolVar(&f.follow, "follow", false, "show new events until stopped; with --json one line for each")
	flags.IntVar(&f.limit, "limit", 50, "show at most this many events; 0 means all")
	f.output.add(cmd)
	completeFlag(cmd, "bucket", asking(env, &f.operator, completeBuckets))
	completeFlag(cmd, "object", asking(env, &f.operator, completeObjects))
	cmd.AddCommand(newErase(env))
	return cmd
}

// addFilters adds the flags that select events.
func (f *auditFlags) addFilters(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "",
		"only events since a time, such as 2026-11-25T08:00:00Z, or an age, such as 24h or 7d")
	flags.StringVar(&f.until, "until", "", "only events before a time or an age")
	flags.StringVar(&f.filter.Kind, "kind", "",
		"only events of this kind: issued, changed, paused, resumed, revoked, erased, signed_in, signed_out, redirected, "+
			"page, refused or failed")
	flags.StringVar(&f.object, "object", "", "only events of links to this object, s3://BUCKET/KEY")
	flags.StringVar(&f.filter.Bucket, "bucket", "", "only events of links to objects in this bucket")
	flags.StringVar(&f.filter.Prefix, "prefix", "",
		"only events of links to objects whose key begins with this text, byte for byte: end a folder with a slash")
	flags.StringArrayVar(&f.filter.Labels, "label", nil,
		"only events of links with this label, name=value; repeat it for several labels")
	flags.StringVar(&f.filter.Actor, "actor", "", "only changes by the operator with this name")
	flags.StringVar(&f.filter.Outcome, "outcome", "", "only clicks with this outcome, such as redirected or expired")
	flags.StringVar(&f.filter.Address, "address", "",
		"only events from this address, such as 192.0.2.7, or network, such as 192.0.2.0/24")
	completeNames(cmd, "kind", command.Convert[string](gateway.EventKinds()))
	completeNames(cmd, "outcome", command.Convert[string](gateway.Outcomes()))
}

// run prints the feed. It refuses contradictory flags before it sends a request, so that a
// script fails at its first use. --follow without --since begins now, because past events
// would fill the terminal first.
func (f *auditFlags) run(cmd *cobra.Command, env *command.Env) error {
	now := time.Now()
	var err error
	if f.filter.Since, err = momentOf("since", f.since, now); err != nil {
		return err
	}
	if f.filter.Until, err = momentOf("until", f.until, now); err != nil {
		return err
	}
	if err := checkLimit(f.limit); err != nil {
		return err
	}
	if f.follow && (f.until != "" || cmd.Flags().Changed("limit")) {
		return command.Usage("--follow cannot be combined with --until or --limit, because --follow has no end", "omit them")
	}
	if err := f.checkFilters(); err != nil {
		return err
	}
	if err := f.output.check(); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	if f.follow {
		f.filter.FromNow = f.since == ""
		return f.followFeed(cmd.Context(), env, c)
	}
	return f.print(cmd.Context(), env, c)
}

// checkFilters refuses filters that no service accepts, and splits --object into bucket and
// key.
func (f *auditFlags) checkFilters() error {
	if err := oneOf("kind", f.filter.Kind, command.Convert[string](gateway.EventKinds())); err != nil {
		return err
	}
	if err := oneOf("outcome", f.filter.Outcome, command.Convert[string](gateway.Outcomes())); err != nil {
		return err
	}
	if f.object != "" {
		if f.filter.Bucket+f.filter.Prefix != "" {
			return command.Usage("--object cannot be combined with --bucket or --prefix", "use one of them")
		}
		bucket, key := splitS3(f.object)
		if bucket == "" || key == "" {
			return notS3(f.object, "an object", "s3://BUCKET/KEY, or use --bucket or --prefix")
		}
		f.filter.Bucket, f.filter.Key = bucket, key
	}
	if err := checkFilters(f.filter.Bucket, f.filter.Prefix, "", "", false); err != nil {
		return err
	}
	if _, err := parseLabels(f.filter.Labels); err != nil {
		return err
	}
	if f.filter.Address != "" {
		if _, err := gateway.ParseAddressFilter(f.filter.Address, nil); err != nil {
			return command.Usage("--address: "+err.Error(), "write it as 192.0.2.7, 192.0.2.0/24 or as the audit shows it")
		}
	}
	query := gateway.AuditQuery{
		Kind: gateway.EventKind(f.filter.Kind), Actor: f.filter.Actor, Outcome: gateway.Outcome(f.filter.Outcome),
	}
	// The service refuses this too, but its message does not name the flags.
	if query.Contradictory() {
		return command.Usage("no event matches --kind, --actor and --outcome together",
			"clicks have no actor, and events of operators have no outcome; omit one of the flags")
	}
	return nil
}

// print prints up to limit events. Lines are printed page by page, because an export can be
// larger than memory. A table needs all rows first, for the widths of its columns.
func (f *auditFlags) print(ctx context.Context, env *command.Env, c *client.Client) error {
	rows, events := [][]string{auditHeader()}, []api.Event{}
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	found := 0
	next, err := f.eachPage(ctx, c, func(page []api.Event) error {
		found += len(page)
		switch {
		case f.output.ndjson:
			p.Clear()
			return printLines(env, page)
		case f.output.json:
			events = append(events, page...)
			return nil
		}
		for i := range page {
			rows = append(rows, auditRow(&page[i]))
		}
		return nil
	}, func(searched int) { sayFound(p, found, searched, "events") })
	if err != nil {
		return err
	}
	p.Clear()
	if f.output.json {
		return printDocument(env, events, next)
	}
	if next != "" {
		// After the table, where a person who reads to its end sees it.
		defer fmt.Fprintf(env.Stderr, "There may be more events: use --limit %d, or --limit 0 for all.\n", 2*f.limit)
	}
	if f.output.ndjson {
		return nil
	}
	return printRows(env, rows, "No events found.")
}

// eachPage calls page with the events of each page, until it has limit events or all events.
// Before each further request, it calls again with the number of events that the service
// has examined. It returns the cursor of the next page, or "" at the end.
func (f *auditFlags) eachPage(ctx context.Context, c *client.Client, page func([]api.Event) error,
	again func(searched int),
) (next string, err error) {
	searched := 0
	for left := f.limit; ; again(searched) {
		// The last page is requested no larger than needed, so that no event is thrown away.
		f.filter.Limit = nextLimit(f.limit, f.limit-left)
		got, err := c.Audit(ctx, f.filter)
		if err != nil {
			return "", err
		}
		if err := page(got.Events); err != nil {
			return "", err
		}
		left -= len(got.Events)
		searched += got.Searched
		// With the oldest first the cursor never ends, because new events may follow.
		if f.filter.Oldest && !got.More {
			return "", nil
		}
		if got.Next == "" || f.limit > 0 && left <= 0 {
			return got.Next, nil
		}
		f.filter.Cursor = got.Next
	}
}

// followFeed prints new events until ctx ends, oldest first. It requests a page each second.
// While the service has more events, it requests the next page immediately. A feed has no
// end, so --json prints lines too.
func (f *auditFlags) followFeed(ctx context.Context, env *command.Env, c *client.Client) error {
	f.filter.Oldest, f.filter.Limit = true, api.MaxLimit
	if !f.output.json && !f.output.ndjson {
		if _, err := fmt.Fprintln(env.Stdout, feedLine(auditHeader())); err != nil {
			return err
		}
	}
	// The cursor of a page points to the next event, so no event is lost or repeated, even
	// if the service restarts.
	for {
		var page api.EventPage
		err := retryUntilDone(ctx, env, func() (err error) {
			page, err = c.Audit(ctx, f.filter)
			return err
		})
		if err != nil {
			return err
		}
		f.filter.Cursor = page.Next
		if err := f.printNew(env, page.Events); err != nil {
			return err
		}
		if !page.More && !pause(ctx, followInterval) || ctx.Err() != nil {
			return nil
		}
	}
}

// printNew prints events of a feed that is followed. A table is not possible, because the
// widths of later rows are unknown.
func (f *auditFlags) printNew(env *command.Env, events []api.Event) error {
	if f.output.json || f.output.ndjson {
		return printLines(env, events)
	}
	for i := range events {
		if _, err := fmt.Fprintln(env.Stdout, feedLine(auditRow(&events[i]))); err != nil {
			return err
		}
	}
	return nil
}

// feedLine lays out one line of a feed that is followed, with the usual widths.
func feedLine(cells []string) string {
	// The widths of time, kind, outcome, method, actor, address and ID. Longer cells push
	// the rest of their line to the right.
	widths := [...]int{20, 10, 20, 6, 12, 15, 26}
	var b strings.Builder
	for i, cell := range cells {
		cell = term.Plain(cell)
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(widths[i]-term.Columns(cell), 0)+term.Gap))
		}
	}
	return b.String()
}

// auditHeader returns the names of auditRow's columns.
func auditHeader() []string { return append(eventHeader(), "LINK", "OBJECT") }

// auditRow returns one event of the feed as a row.
func auditRow(e *api.Event) []string {
	object := "-"
	if e.Bucket != "" {
		object = "s3://" + e.Bucket + "/" + e.Key
	}
	return append(eventRow(e), term.OrDash(e.Link), object)
}

// momentOf parses a time or an age before now. It returns zero for an empty text. An age
// is converted here, by the clock of this machine, because the API takes only times.
func momentOf(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	age, err := gateway.ParseLife(text)
	if err != nil {
		return time.Time{}, command.Usage(fmt.Sprintf("--%s is %q, which is neither a time nor an age", flag, text),
			"write it as 2026-11-25T08:00:00Z, 2026-11-25 (UTC), 24h or 7d")
	}
	return now.Add(-age), nil
}

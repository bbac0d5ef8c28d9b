package cli

import (
	"context"
	"encoding/json"
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
	// filter is what the service is asked for, with its cursor and page size.
	filter client.AuditOptions
	// since and until are as typed: a time or an age. run parses them into filter.
	since, until string
	// limit is the number of events over all pages; 0 means all.
	limit        int
	follow, json bool
}

// newAudit builds keyhole audit.
func newAudit(env *command.Env) *cobra.Command {
	f := &auditFlags{}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show, follow or export the events of all links",
		Long: `Shows the events of all links that the operator key may see, newest first: who
issued, changed, revoked or opened a link, when, from where, and with which outcome.

With --json each event is one line, for jq and for archives. With --oldest the oldest
event comes first. --follow shows new events, from now on or from --since, until it is
stopped.`,
		Example: `  keyhole audit --since 24h --kind refused
  keyhole audit --since 2026-11-01T00:00:00Z --oldest --limit 0 --json > november.jsonl
  keyhole audit --follow`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(cmd.SuggestionsFor(args[0])) > 0 {
				return unknownCommand(cmd, args)
			}
			return command.ExactArgs(0, "only flags")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, env) },
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "",
		"only events since a time, such as 2026-11-25T08:00:00Z, or an age, such as 24h or 7d")
	flags.StringVar(&f.until, "until", "", "only events before a time or an age")
	flags.StringVar(&f.filter.Kind, "kind", "",
		"only events of this kind: issued, changed, paused, resumed, revoked, erased, redirected, page, refused or failed")
	flags.BoolVar(&f.filter.Oldest, "oldest", false, "show the oldest event first")
	flags.BoolVar(&f.follow, "follow", false, "show new events until stopped")
	flags.IntVar(&f.limit, "limit", 50, "show at most this many events; 0 means all")
	flags.BoolVar(&f.json, "json", false, "print JSON, one line for each event")
	completeNames(cmd, "kind", command.Convert[string](gateway.EventKinds()))
	cmd.AddCommand(newErase(env))
	return cmd
}

// run prints the feed. It refuses flags that contradict each other before it sends
// anything, so that a script fails at its first use and not when there are events.
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
	if err := oneOf("kind", f.filter.Kind, command.Convert[string](gateway.EventKinds())); err != nil {
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

// print prints up to limit events. JSON is printed page by page, because an export can be
// larger than memory. A table needs all rows first, for the widths of its columns.
func (f *auditFlags) print(ctx context.Context, env *command.Env, c *client.Client) error {
	rows := [][]string{auditHeader()}
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	cut, err := f.eachPage(ctx, c, func(events []api.Event) error {
		for i := range events {
			if !f.json {
				rows = append(rows, auditRow(&events[i]))
			} else if err := printLine(env, &events[i]); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		if !f.json {
			p.Say("%d found, searching", len(rows)-1)
		}
	})
	if err != nil || f.json {
		return err
	}
	p.Clear()
	if cut {
		// After the table, where a person who reads to its end sees it.
		defer fmt.Fprintf(env.Stderr, "There may be more events: use --limit %d, or --limit 0 for all.\n", 2*f.limit)
	}
	return printRows(env, rows, "No events found.")
}

// eachPage calls page with the events of each page until it has limit events or all, and
// next before each further request. It tells whether limit has cut the feed.
func (f *auditFlags) eachPage(ctx context.Context, c *client.Client, page func([]api.Event) error, next func(),
) (cut bool, err error) {
	for left := f.limit; ; next() {
		// The last page is requested no larger than needed, so that no event is thrown away.
		f.filter.Limit = nextLimit(f.limit, f.limit-left)
		got, err := c.Audit(ctx, f.filter)
		if err != nil {
			return false, err
		}
		if err := page(got.Events); err != nil {
			return false, err
		}
		left -= len(got.Events)
		// With the oldest first the cursor never ends, because new events may follow.
		atEnd := got.Next == "" || f.filter.Oldest && !got.More
		if atEnd || f.limit > 0 && left <= 0 {
			return !atEnd, nil
		}
		f.filter.Cursor = got.Next
	}
}

// followFeed prints new events until ctx ends, oldest first. It asks once a second if there
// are no more events; while there are, it asks again at once, to catch up.
func (f *auditFlags) followFeed(ctx context.Context, env *command.Env, c *client.Client) error {
	f.filter.Oldest, f.filter.Limit = true, api.MaxLimit
	if !f.json {
		if _, err := fmt.Fprintln(env.Stdout, feedLine(auditHeader())); err != nil {
			return err
		}
	}
	// The cursor of each page leads to the events behind it, so none is lost or repeated,
	// even if the service restarts meanwhile.
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
		for i := range page.Events {
			if err := f.printOne(env, &page.Events[i]); err != nil {
				return err
			}
		}
		if !page.More && !pause(ctx, followInterval) || ctx.Err() != nil {
			return nil
		}
	}
}

// printOne prints one event of a feed that is followed. A table is not possible, because
// the widths of later rows are unknown.
func (f *auditFlags) printOne(env *command.Env, e *api.Event) error {
	if f.json {
		return printLine(env, e)
	}
	_, err := fmt.Fprintln(env.Stdout, feedLine(auditRow(e)))
	return err
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

// printLine prints one event as a line of JSON, without control characters.
func printLine(env *command.Env, e *api.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	_, err = fmt.Fprintln(env.Stdout, term.EscapeJSON(string(text)))
	return err
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

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// followEvery is how often the feed is asked for what is new.
const followEvery = time.Second

// auditFlags is what audit was told.
type auditFlags struct {
	operator     operatorFlags
	filter       client.AuditOptions
	since, until string
	limit        int
	follow, json bool
}

// newAudit builds keyhole audit.
func newAudit(env *command.Env) *cobra.Command {
	f := &auditFlags{}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show what happened to all links, newest first; follow it; export it",
		Long: `Shows the events of all links that the operator key may see: who issued, changed
and revoked them, and who opened them, when, from where, and what came of it.

With --json each event is one line, for jq and for archives. With --oldest they
come in the order of time; --follow does that too, from now on, or from --since,
and goes on until it is stopped.`,
		Example: `  keyhole audit --since 24h --kind refused
  keyhole audit --since 2026-11-01T00:00:00Z --oldest --limit 0 --json > november.jsonl
  keyhole audit --follow`,
		Args: command.ExactArgs(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, env) },
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.since, "since", "", "events since a time, such as 2026-11-25T08:00:00Z, or an age, such as 24h or 7d")
	flags.StringVar(&f.until, "until", "", "events before a time or an age")
	flags.StringVar(&f.filter.Kind, "kind", "", "events of this kind: issued, changed, paused, resumed, revoked, redirected, page, refused or failed")
	flags.BoolVar(&f.filter.Oldest, "oldest", false, "the oldest first")
	flags.BoolVar(&f.follow, "follow", false, "go on with what happens, until stopped")
	flags.IntVar(&f.limit, "limit", 50, "how many events at most, 0: all")
	flags.BoolVar(&f.json, "json", false, "print JSON, a line for each event")
	completeNames(cmd, "kind", textsOf(gateway.EventKinds()))
	return cmd
}

// run prints the feed.
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
	switch {
	case f.follow && (f.until != "" || cmd.Flags().Changed("limit")):
		return command.Usage("--follow has no end, so --until and --limit contradict it", "leave them out")
	case f.filter.Kind != "" && !slices.Contains(gateway.EventKinds(), gateway.EventKind(f.filter.Kind)):
		return command.Usage(fmt.Sprintf("there are no events of the kind %q", f.filter.Kind), "see: keyhole audit --help")
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

// print prints up to limit events.
func (f *auditFlags) print(ctx context.Context, env *command.Env, c *client.Client) error {
	rows := [][]string{auditHeader()}
	left := f.limit
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	for {
		f.filter.Limit = nextLimit(f.limit, f.limit-left)
		page, err := c.Audit(ctx, f.filter)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if f.json {
				if err := printLine(env, &page.Events[i]); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, auditRow(&page.Events[i]))
		}
		left -= len(page.Events)
		atEnd := page.Next == "" || f.filter.Oldest && !page.More
		if atEnd || f.limit > 0 && left <= 0 {
			if !atEnd && !f.json {
				defer fmt.Fprintf(env.Stderr, "There may be more: --limit %[1]d shows up to %[1]d, --limit 0 all.\n", 2*f.limit)
			}
			break
		}
		if !f.json {
			p.Say("%d found, looking further", len(rows)-1)
		}
		f.filter.Cursor = page.Next
	}
	p.Clear()
	if len(rows) == 1 && !f.json {
		fmt.Fprintln(env.Stderr, "There are none.")
	}
	if f.json {
		return nil
	}
	return term.PrintTable(env.Stdout, rows)
}

// followFeed prints what happens until ctx ends.
func (f *auditFlags) followFeed(ctx context.Context, env *command.Env, c *client.Client) error {
	f.filter.Oldest, f.filter.Limit = true, api.MaxLimit
	if !f.json {
		if _, err := fmt.Fprintln(env.Stdout, feedLine(auditHeader())); err != nil {
			return err
		}
	}
	for {
		var page api.EventPage
		err := outlast(ctx, env, func() (err error) {
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
		if !page.More && !pause(ctx, followEvery) || ctx.Err() != nil {
			return nil
		}
	}
}

// printOne prints one event of a feed that is followed: no table can be, whose
// widths are not known yet.
func (f *auditFlags) printOne(env *command.Env, e *api.Event) error {
	if f.json {
		return printLine(env, e)
	}
	_, err := fmt.Fprintln(env.Stdout, feedLine(auditRow(e)))
	return err
}

// feedLine lays out one line of a feed that is followed, by what the columns mostly need.
func feedLine(cells []string) string {
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

// auditHeader names the columns of auditRow.
func auditHeader() []string { return append(eventHeader(), "LINK", "OBJECT") }

// auditRow writes one event of the feed for people.
func auditRow(e *api.Event) []string {
	object := "-"
	if e.Bucket != "" {
		object = "s3://" + e.Bucket + "/" + e.Key
	}
	return append(eventRow(e), e.Link, object)
}

// printLine prints one event as a line of JSON. What could steer a terminal is
// escaped.
func printLine(env *command.Env, e *api.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	_, err = fmt.Fprintln(env.Stdout, term.EscapeJSON(string(text)))
	return err
}

// momentOf reads a time, or an age before now; zero where nothing is said.
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
		return time.Time{}, command.Usage(fmt.Sprintf("--%s is a time or an age, not %q", flag, text), "such as 2026-11-25T08:00:00Z, 2026-11-25 (UTC), 24h or 7d")
	}
	return now.Add(-age), nil
}

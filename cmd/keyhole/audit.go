package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
func newAudit(world *surroundings) *cobra.Command {
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
		Args: exactly(0, "flags alone"),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, world) },
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
	completeNames(cmd, "kind", convert[string](gateway.EventKinds()))
	return cmd
}

// run prints the feed.
func (f *auditFlags) run(cmd *cobra.Command, world *surroundings) error {
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
		return usage("--follow has no end, so --until and --limit contradict it", "leave them out")
	case f.filter.Kind != "" && !slices.Contains(gateway.EventKinds(), gateway.EventKind(f.filter.Kind)):
		return usage(fmt.Sprintf("there are no events of the kind %q", f.filter.Kind), "see: keyhole audit --help")
	}
	c, err := f.operator.client(world)
	if err != nil {
		return err
	}
	if f.follow {
		f.filter.FromNow = f.since == ""
		return f.followFeed(cmd.Context(), world, c)
	}
	return f.print(cmd.Context(), world, c)
}

// print prints up to limit events.
func (f *auditFlags) print(ctx context.Context, world *surroundings, c *client.Client) error {
	rows := [][]string{auditHeader()}
	left := f.limit
	p := newProgress(world.stderr)
	defer p.clear()
	for {
		f.filter.Limit = nextLimit(f.limit, f.limit-left)
		page, err := c.Audit(ctx, f.filter)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if f.json {
				if err := printLine(world, &page.Events[i]); err != nil {
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
				defer fmt.Fprintf(world.stderr, "There may be more: --limit %[1]d shows up to %[1]d, --limit 0 all.\n", 2*f.limit)
			}
			break
		}
		if !f.json {
			p.say("%d found, looking further", len(rows)-1)
		}
		f.filter.Cursor = page.Next
	}
	p.clear()
	if len(rows) == 1 && !f.json {
		fmt.Fprintln(world.stderr, "There are none.")
	}
	if f.json {
		return nil
	}
	return printTable(world.stdout, rows)
}

// followFeed prints what happens until ctx ends.
func (f *auditFlags) followFeed(ctx context.Context, world *surroundings, c *client.Client) error {
	f.filter.Oldest, f.filter.Limit = true, api.MaxLimit
	if !f.json {
		if _, err := fmt.Fprintln(world.stdout, feedLine(auditHeader())); err != nil {
			return err
		}
	}
	for {
		var page api.EventPage
		err := outlast(ctx, world, func() (err error) {
			page, err = c.Audit(ctx, f.filter)
			return err
		})
		if err != nil {
			return err
		}
		f.filter.Cursor = page.Next
		for i := range page.Events {
			if err := f.printOne(world, &page.Events[i]); err != nil {
				return err
			}
		}
		if !page.More && !pause(ctx, followEvery) || ctx.Err() != nil {
			return nil
		}
	}
}

// outlast repeats a request of a command that follows until it succeeds, ctx ends or
// it fails for good. It waits as long as the service, or a proxy before it, asks for,
// and says once why nothing is shown.
func outlast(ctx context.Context, world *surroundings, request func() error) error {
	for said := false; ; said = true {
		err := request()
		wait, transient := client.Retry(err)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !transient {
			return err
		}
		if !said {
			fmt.Fprintf(world.stderr, "keyhole: %s\n  still following: retrying until the service answers\n", plain(err.Error()))
		}
		if !pause(ctx, max(wait, followEvery)) {
			return nil
		}
	}
}

// pause waits, and tells whether ctx has not ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// printOne prints one event of a feed that is followed: no table can be, whose
// widths are not known yet.
func (f *auditFlags) printOne(world *surroundings, e *api.Event) error {
	if f.json {
		return printLine(world, e)
	}
	_, err := fmt.Fprintln(world.stdout, feedLine(auditRow(e)))
	return err
}

// feedLine lays out one line of a feed that is followed, by what the columns mostly need.
func feedLine(cells []string) string {
	widths := [...]int{20, 10, 20, 6, 12, 15, 26}
	var b strings.Builder
	for i, cell := range cells {
		cell = plain(cell)
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(widths[i]-columnsOf(cell), 0)+gap))
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
func printLine(world *surroundings, e *api.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	_, err = fmt.Fprintln(world.stdout, escapeJSON(string(text)))
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
		return time.Time{}, usage(fmt.Sprintf("--%s is a time or an age, not %q", flag, text), "such as 2026-11-25T08:00:00Z, 2026-11-25 (UTC), 24h or 7d")
	}
	return now.Add(-age), nil
}

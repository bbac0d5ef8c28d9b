package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// eventsFlags are the flags of events.
type eventsFlags struct {
	operator operatorFlags
	output   outputFlags
	limit    int // of one page; the command requests no second one
	follow   bool
}

// newEvents builds keyhole events.
func newEvents(env *command.Env) *cobra.Command {
	f := &eventsFlags{}
	cmd := &cobra.Command{
		Use:   "events ID|URL|REFERENCE",
		Short: "Show the events of one link, newest first, or follow them",
		Args:  command.ExactArgs(1, "one link, by ID, URL or reference"),
		RunE:  func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args[0]) },
	}
	f.operator.add(cmd)
	cmd.Flags().IntVar(&f.limit, "limit", 100, fmt.Sprintf("show at most this many events, up to %d", api.MaxLimit))
	cmd.Flags().BoolVar(&f.follow, "follow", false, "show new events until stopped; with --json one line for each")
	f.output.add(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks())
	return cmd
}

// run prints or follows the events of the link that arg names.
func (f *eventsFlags) run(cmd *cobra.Command, env *command.Env, arg string) error {
	// The command sends one request and follows no cursor, so 0 cannot mean all as for lists.
	if f.limit < 1 || f.limit > api.MaxLimit {
		return command.Usage(fmt.Sprintf("--limit is %d; it must be 1 to %d", f.limit, api.MaxLimit), "omit it for 100")
	}
	// Only a flag that was given is refused: the default limit has no meaning with --follow.
	if f.follow && cmd.Flags().Changed("limit") {
		return command.Usage("--follow and --limit cannot be combined, because --follow has no end", "omit one of them")
	}
	if err := f.output.check(); err != nil {
		return err
	}
	// A reference is enough here, as for show.
	id, err := parseLinkOrPrefix(arg)
	if err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	if id, err = wholeID(cmd.Context(), c, id); err != nil {
		return err
	}
	if f.follow {
		return f.followLink(cmd.Context(), env, c, id)
	}
	return f.print(cmd.Context(), env, c, id)
}

// print prints the newest events of a link, as the service orders them.
func (f *eventsFlags) print(ctx context.Context, env *command.Env, c *client.Client, id string) error {
	page, err := c.Events(ctx, id, "", f.limit)
	if err != nil {
		return unknownLink(id, err)
	}
	if f.output.json {
		return printDocument(env, page.Events, page.Next)
	}
	// The rows name no link or object, because the argument did.
	rows := [][]string{eventHeader()}
	for i := range page.Events {
		rows = append(rows, eventRow(&page.Events[i]))
	}
	// The largest limit cannot be raised, so there is no advice for it.
	if page.Next != "" && len(page.Events) > 0 && f.limit < api.MaxLimit {
		defer fmt.Fprintf(env.Stderr, "There are more events: use --limit %d.\n", api.MaxLimit)
	}
	if f.output.ndjson {
		return printLines(env, page.Events)
	}
	return printRows(env, rows, "No events found.")
}

// followLink prints new events of a link until ctx ends. It uses the feed of all links with a
// filter for this link, because only the cursor of the feed also returns later events.
func (f *eventsFlags) followLink(ctx context.Context, env *command.Env, c *client.Client, id string) error {
	// An unknown link ends the command now; its feed would stay empty for ever.
	err := retryUntilDone(ctx, env, func() error {
		_, err := c.Show(ctx, id)
		return err
	})
	if err != nil {
		return unknownLink(id, err)
	}
	// Only new events: keyhole events without --follow has shown the earlier ones.
	feed := auditFlags{filter: client.AuditOptions{Link: id, FromNow: true}, output: f.output}
	return feed.followFeed(ctx, env, c)
}

// eventHeader returns the names of eventRow's columns.
func eventHeader() []string { return []string{"TIME", "EVENT", "OUTCOME", "METHOD", "WHO", "FROM"} }

// eventRow returns one event as a row of a table. Operators' events have no outcome, method
// or address; clicks have no actor. An outcome that only repeats the kind is left out.
func eventRow(e *api.Event) []string {
	outcome := e.Outcome
	if outcome == e.Kind {
		outcome = ""
	}
	return []string{
		explain.Moment(e.Time), e.Kind, term.OrDash(outcome), term.OrDash(e.Method), term.OrDash(e.Actor),
		term.OrDash(e.Address),
	}
}

// wholeID returns the ID of the link that a reference names, because only the route of one
// link takes a reference.
func wholeID(ctx context.Context, c *client.Client, id string) (string, error) {
	if _, whole := gateway.ParseID(id); whole {
		return id, nil
	}
	link, err := c.Show(ctx, id)
	return link.ID, unknownLink(id, err)
}

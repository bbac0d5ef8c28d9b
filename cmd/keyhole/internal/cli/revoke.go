package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// revokeFlags are the flags of revoke.
type revokeFlags struct {
	operator operatorFlags
	// filter are the filters of a bulk revocation. A link has to match all of them.
	filter filterFlags
	output outputFlags
	reason string // recorded in the audit
	quiet  bool

	all, dryRun, yes bool
}

// newRevoke builds keyhole revoke. Named links and filters cannot be combined, because it
// would be unclear whether a link has to be both named and selected.
func newRevoke(env *command.Env) *cobra.Command {
	f := &revokeFlags{}
	cmd := &cobra.Command{
		Use:        "revoke ID|URL... | s3://BUCKET/KEY | s3://BUCKET/PREFIX/ | FILTERS | --all",
		SuggestFor: []string{"delete", "remove", "rm", "cancel"},
		Short:      "Revoke links, one by one or many by filters",
		Long: `Revokes links. When the command reports success, the service gives no new redirect for
them. Presigned URLs from earlier clicks live for their last seconds, and running
downloads finish. If a link cannot be revoked, the command revokes the others, names
each failure and exits with 1.

Filters are those of keyhole list. They select the links that match all of them and that
the operator key may see; --prefix and --key need --bucket here. On a terminal the
command shows the first ten links, says how many there are, and asks. In a pipe or a
script it does not ask: use --dry-run before, which lists the links.

A link that is used up stays used_up: its revocation ends the resuming of its downloads.
Such links are counted while their downloads can be resumed, and not listed.`,
		Example: `  keyhole revoke 7kq… --reason "wrong file"
  keyhole revoke s3://reports/exports/2026/ --dry-run
  keyhole revoke --used never --since 24h --created-by ci`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args) },
	}
	f.operator.add(cmd)
	f.add(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks(liveStates()...))
	completeFlag(cmd, "bucket", asking(env, &f.operator, completeBuckets))
	completeSelections(cmd, env, &f.operator)
	return cmd
}

// add adds the flags other than those of operatorFlags to a command.
func (f *revokeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.reason, "reason", "", "the reason, for the audit")
	f.filter.add(cmd, revocableStates(), true)
	flags.BoolVar(&f.all, "all", false, "every link")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only list and count the links")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.quiet, "quiet", false, "print only errors")
	flags.BoolVar(&f.output.json, "json", false,
		"print JSON: items, or with filters matched, revoked and done;\nwith --dry-run all of them")
	flags.BoolVar(&f.output.ndjson, "ndjson", false,
		"print JSON, one line for each link; with filters the numbers as the\n"+
			"last line, and with --dry-run the links before it")
}

// run revokes links by their names or by filters. --dry-run and --yes need filters, because
// a person who adds them to names expects something that does not happen.
func (f *revokeFlags) run(cmd *cobra.Command, env *command.Env, args []string) error {
	if err := f.output.check(); err != nil {
		return err
	}
	if slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "s3://") }) {
		if len(args) > 1 {
			return command.Usage("keyhole revoke takes links, or one object or folder as "+s3Form, "usage: "+cmd.UseLine())
		}
		if err := f.filter.takeS3(args[0]); err != nil {
			return err
		}
		return f.revokeAll(cmd.Context(), env)
	}
	switch {
	case len(args) > 0 && f.bulk():
		return command.Usage("links and filters cannot be combined", "usage: "+cmd.UseLine())
	case f.bulk():
		return f.revokeAll(cmd.Context(), env)
	case f.dryRun || f.yes:
		return command.Usage("--dry-run and --yes need filters", "usage: "+cmd.UseLine())
	case len(args) == 0:
		return command.Usage("no links were named", "usage: "+cmd.UseLine())
	}
	return f.revokeEach(cmd.Context(), env, args)
}

// bulk tells whether filters select the links.
func (f *revokeFlags) bulk() bool {
	return f.all || f.filter.given()
}

// revokeEach revokes the named links, one request for each. In an incident it matters that
// one link that cannot be revoked does not protect the others.
func (f *revokeFlags) revokeEach(ctx context.Context, env *command.Env, args []string) error {
	ids, err := parseLinkIDs(args)
	if err != nil {
		return f.operator.refuseReference(ctx, env, "keyhole revoke", args, err)
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// A failure does not stop the others.
	var failed error
	links := make([]api.Link, 0, len(ids))
	for _, id := range ids {
		link, err := c.Revoke(ctx, id, f.reason)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot revoke %s: %w", id, err))
			continue
		}
		links = append(links, link)
		// Each line is printed at once, so that an interrupted command shows what it has done.
		switch {
		case f.output.ndjson:
			failed = errors.Join(failed, printLines(env, []api.Link{link}))
		case !f.output.json && !f.quiet:
			_, err := fmt.Fprintf(env.Stdout, "%s %s %s%s\n", link.ID, revokedState(&link),
				term.Plain("s3://"+link.Bucket+"/"+link.Key), grantsEnded(&link))
			failed = errors.Join(failed, err)
		}
	}
	if f.output.json {
		failed = errors.Join(failed, printDocument(env, links, ""))
	}
	return failed
}

// parseLinkIDs parses all arguments before the first link is revoked, so that a mistyped
// one changes nothing.
func parseLinkIDs(args []string) ([]string, error) {
	ids := make([]string, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = parseLinkID(arg); err != nil {
			// The number tells which one: the message does not repeat the argument.
			if len(args) > 1 {
				err = fmt.Errorf("argument %d: %w", i+1, err)
			}
			return nil, err
		}
	}
	return ids, nil
}

// request builds the request from the filters.
func (f *revokeFlags) request() (api.RevocationRequest, error) {
	r := api.RevocationRequest{All: f.all, Reason: f.reason, DryRun: f.dryRun}
	err := f.filter.apply(&r)
	return r, err
}

// revokeAll revokes the selected links, after a question on a terminal.
func (f *revokeFlags) revokeAll(ctx context.Context, env *command.Env) error {
	if err := f.filter.check(true); err != nil {
		return err
	}
	if err := f.filter.checkRevocable(); err != nil {
		return err
	}
	// With --all and a filter it would be unclear which of them counts.
	if f.all && f.filter.given() {
		return command.Usage("--all cannot be combined with other filters", "omit --all or the others")
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// A script has no one to answer, so only a terminal is asked. The question goes to
	// standard error, because standard output may be a pipe.
	if !f.dryRun && !f.yes && term.IsTerminal(env.Stdin) {
		if !term.IsTerminal(env.Stderr) {
			return command.Usage("cannot ask for confirmation, because standard error is not a terminal",
				"add --yes, or leave standard error on the terminal")
		}
		found, err := f.ask(ctx, env, c)
		if err != nil {
			return err
		}
		if found == 0 { // links that are issued later are not part of the answer
			return f.nothing(ctx, env, c)
		}
	}
	total, err := f.walk(ctx, env, c)
	if err != nil {
		return err
	}
	return f.finish(ctx, env, c, &total)
}

// walk repeats the request until the service has walked over all links, and adds up the
// answers. The service revokes for a few seconds in each call; its cursor leads to the rest.
// An error in between loses nothing: what was revoked stays revoked, and the same command
// continues.
func (f *revokeFlags) walk(ctx context.Context, env *command.Env, c *client.Client) (api.Revocation, error) {
	total := api.Revocation{}
	request, err := f.request()
	if err != nil {
		return total, err
	}
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	for {
		answer, err := c.RevokeAll(ctx, request)
		addTo(&total, &answer)
		request.Cursor = answer.Next
		if err != nil {
			err = inFilters(err)
			if total.Revoked > 0 {
				err = fmt.Errorf("after %s: %w", links(total.Revoked)+" revoked", err)
			}
			return total, err
		}
		// A service of an earlier version gives no cursor: it is asked again until done.
		if answer.Done || f.dryRun && (total.Matched > 0 || answer.Next == "") || answer.Next == "" && total.Unreadable > 0 {
			return total, nil
		}
		if !f.quiet {
			p.Say("%s revoked, continuing", links(total.Revoked))
		}
	}
}

// addTo adds the answer of one call to the total.
func addTo(total, answer *api.Revocation) {
	total.Matched += answer.Matched
	total.UsedUp += answer.UsedUp
	total.Revoked += answer.Revoked
	total.Unreadable += answer.Unreadable
	total.Done = answer.Done
}

// finish prints the total. Records of a newer version cannot be revoked by this one and may
// still be live. That is a failure, although the other links are revoked.
func (f *revokeFlags) finish(ctx context.Context, env *command.Env, c *client.Client, total *api.Revocation) error {
	if total.Unreadable > 0 {
		var err error
		if !f.dryRun {
			err = f.print(env, total)
		}
		return errors.Join(err, unreadable(total.Unreadable))
	}
	if total.Matched == 0 {
		return f.nothing(ctx, env, c)
	}
	if f.dryRun {
		return f.preview(ctx, env, c, total)
	}
	return f.print(env, total)
}

// print prints the result of a bulk revocation. Numbers go to standard output, because
// scripts read them.
func (f *revokeFlags) print(env *command.Env, total *api.Revocation) error {
	var err error
	switch {
	case f.output.json:
		err = term.PrintJSON(env.Stdout, total)
	case f.output.ndjson:
		err = printLines(env, []api.Revocation{*total})
	case f.dryRun:
		_, err = fmt.Fprintf(env.Stdout, "%s%s would be revoked\n", atLeast(total), links(total.Matched))
	case !f.quiet:
		_, err = fmt.Fprintf(env.Stdout, "%s revoked%s\n", links(total.Revoked), amongThem(total.UsedUp))
	}
	return err
}

// nothing warns that no link was selected, because the filters may be mistyped. A bucket
// that the key may not see is an error.
func (f *revokeFlags) nothing(ctx context.Context, env *command.Env, c *client.Client) error {
	if err := noSuchBucket(ctx, c, f.filter.bucket); err != nil {
		return err
	}
	fmt.Fprintln(env.Stderr, "warning: the filters select no live link; see keyhole list with the same filters")
	f.filter.tellFolder(env)
	return f.print(env, &api.Revocation{Done: true})
}

// ask asks whether to revoke the selected links, and returns how many there are. It does
// not ask if no link is selected. It returns an error unless the answer is yes.
func (f *revokeFlags) ask(ctx context.Context, env *command.Env, c *client.Client) (int, error) {
	found, err := f.count(ctx, c)
	switch {
	case err != nil:
		return 0, err
	case found.Matched == 0 && found.Unreadable > 0:
		return 0, unreadable(found.Unreadable)
	case found.Matched == 0:
		return 0, nil
	}
	f.showFirst(ctx, env, c, found.UsedUp)
	fmt.Fprintf(env.Stderr, "Revoke %s%s%s? [y/N] ", atLeast(&found), links(found.Matched), f.filter.selected())
	answer, err := term.ReadLine(ctx, bufio.NewReader(env.Stdin))
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		// A "y" at the end of the input, without Enter, is no answer.
		if err == nil {
			return found.Matched, nil
		}
	}
	if err != nil {
		fmt.Fprintln(env.Stderr)
	}
	return 0, &command.Error{
		Err: errors.New("nothing was revoked"), Hint: "answer y to revoke the links, or use --yes",
		Code: command.ExitFailed,
	}
}

// count asks the service how many links are selected. One call may have searched only a part
// of the links and found none in it, so it goes on until one is found.
func (f *revokeFlags) count(ctx context.Context, c *client.Client) (api.Revocation, error) {
	var found api.Revocation
	request, err := f.request()
	if err != nil {
		return found, err
	}
	request.DryRun = true
	for first := true; first || found.Matched == 0 && found.Next != ""; first = false {
		request.Cursor = found.Next
		skipped := found.Unreadable
		var err error
		if found, err = c.RevokeAll(ctx, request); err != nil {
			return found, inFilters(err)
		}
		found.Unreadable += skipped
	}
	return found, nil
}

// unreadable returns the error of links that a bulk revocation could not read.
func unreadable(n int) error {
	return &command.Error{
		Err:  fmt.Errorf("%s could not be read and may be live: a newer version of the service issued them", links(n)),
		Hint: "repeat the command with a service of that version", Code: command.ExitFailed,
	}
}

// atLeast precedes a number that is a lower bound.
func atLeast(r *api.Revocation) string {
	if r.Done {
		return ""
	}
	return "at least "
}

// links writes a number of links.
func links(n int) string { return explain.Plural(n, "link") }

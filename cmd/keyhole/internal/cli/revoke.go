package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// revokeFlags is what revoke was told beside the links.
type revokeFlags struct {
	operator operatorFlags
	reason   string
	quiet    bool
	json     bool

	bucket, prefix, key, createdBy, label string

	all, dryRun, yes bool
}

// newRevoke builds keyhole revoke.
func newRevoke(env *command.Env) *cobra.Command {
	f := &revokeFlags{}
	cmd := &cobra.Command{
		Use:        "revoke ID|URL... | --bucket B [--prefix P | --key K] [--created-by NAME] [--label k=v] | --all",
		SuggestFor: []string{"delete", "remove", "rm", "cancel"},
		Short:      "Revoke links before they expire, by name or many at once",
		Long: `Revokes links. When it says so, no new redirect is given; a presigned URL that
was given before lives its last seconds, and a transfer under way finishes.
One link that cannot be revoked keeps no other from it: each failure is named,
and the exit code is 1.

With filters, all links are revoked that every one of them selects, as far as
the operator key may see them. On a terminal it says how many and asks first; in
a pipe or a script it does not ask: try --dry-run before.`,
		Example: `  keyhole revoke 7kq… --reason "wrong file"
  keyhole revoke --bucket reports --prefix exports/2026/ --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 && f.bulk():
				return command.Usage("name either links or filters, not both", "usage: "+cmd.UseLine())
			case f.bulk():
				return f.revokeAll(cmd, env)
			case f.dryRun || f.yes:
				return command.Usage("--dry-run and --yes go with filters", "usage: "+cmd.UseLine())
			case len(args) == 0:
				return command.Usage("say which links to revoke, by id or URL, or by filters", "usage: "+cmd.UseLine())
			}
			return f.revokeEach(cmd, env, args)
		},
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.reason, "reason", "", "why, for the audit")
	flags.StringVar(&f.bucket, "bucket", "", "links to objects of this bucket")
	flags.StringVar(&f.prefix, "prefix", "", "links to objects of the bucket whose key begins so, byte for byte: mind the trailing slash")
	flags.StringVar(&f.key, "key", "", "links to the object of the bucket with this key")
	flags.StringVar(&f.createdBy, "created-by", "", "links issued with the operator key of this name")
	flags.StringVar(&f.label, "label", "", "links with this label, name=value")
	flags.BoolVar(&f.all, "all", false, "every link")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say how many there are")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.quiet, "quiet", false, "print nothing but what went wrong")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks(liveStates()...))
	completeFlag(cmd, "bucket", asking(env, &f.operator, completeBuckets))
	return cmd
}

// bulk tells whether links are selected by filters.
func (f *revokeFlags) bulk() bool {
	return f.all || f.bucket+f.prefix+f.key+f.createdBy+f.label != ""
}

// revokeEach revokes the links that are named.
func (f *revokeFlags) revokeEach(cmd *cobra.Command, env *command.Env, args []string) error {
	// All arguments are read before the first link is touched.
	ids := make([]string, len(args))
	for i, arg := range args {
		var err error
		if ids[i], err = parseLinkID(arg); err != nil {
			if len(args) > 1 {
				err = fmt.Errorf("argument %d: %w", i+1, err)
			}
			return err
		}
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// One that fails keeps no other from being revoked.
	var failed error
	links := make([]api.Link, 0, len(ids))
	for _, id := range ids {
		link, err := c.Revoke(cmd.Context(), id, f.reason)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s was not revoked: %w", id, err))
			continue
		}
		links = append(links, link)
		if !f.json && !f.quiet {
			fmt.Fprintf(env.Stdout, "%s %s %s\n", link.ID, link.State, term.Plain("s3://"+link.Bucket+"/"+link.Key))
		}
	}
	if f.json {
		failed = errors.Join(failed, term.PrintJSON(env.Stdout, links))
	}
	return failed
}

// request puts the filters into a request.
func (f *revokeFlags) request() api.RevocationRequest {
	r := api.RevocationRequest{All: f.all, Reason: f.reason, DryRun: f.dryRun}
	for text, into := range map[*string]**string{
		&f.bucket: &r.Bucket, &f.prefix: &r.Prefix, &f.key: &r.Key, &f.createdBy: &r.CreatedBy, &f.label: &r.Label,
	} {
		if *text != "" {
			*into = text
		}
	}
	return r
}

// revokeAll revokes the links that are selected.
func (f *revokeFlags) revokeAll(cmd *cobra.Command, env *command.Env) error {
	if err := checkFilters(f.bucket, f.prefix, f.key, f.label, true); err != nil {
		return err
	}
	if f.all && f.bucket+f.prefix+f.key+f.createdBy+f.label != "" {
		return command.Usage("--all contradicts other filters", "leave it out, or them")
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	request := f.request()
	if !f.dryRun && !f.yes && term.IsTerminal(env.Stdin) {
		if !term.IsTerminal(env.Stderr) {
			return command.Usage("nobody would see the question whether to revoke", "say --yes, or leave standard error on the terminal")
		}
		found, err := f.ask(cmd, env, c, request)
		if err != nil {
			return err
		}
		if found == 0 { // and what is issued from now on nobody has agreed to
			return f.nothing(cmd.Context(), env, c)
		}
	}
	total := api.Revocation{}
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	for {
		answer, err := c.RevokeAll(cmd.Context(), request)
		total.Matched += answer.Matched
		total.Revoked += answer.Revoked
		total.Unreadable += answer.Unreadable
		total.Done = answer.Done
		request.Cursor = answer.Next
		if err != nil {
			err = inFilters(err)
			if total.Revoked > 0 {
				err = fmt.Errorf("after %s: %w", links(total.Revoked)+" revoked", err)
			}
			return err
		}
		// A service of an earlier version gives no cursor: it is asked again until done.
		if answer.Done || f.dryRun && (total.Matched > 0 || answer.Next == "") || answer.Next == "" && total.Unreadable > 0 {
			break
		}
		if !f.quiet {
			p.Say("%s revoked, going on", links(total.Revoked))
		}
	}
	p.Clear()
	if total.Unreadable > 0 {
		if !f.dryRun {
			err = f.print(env, &total)
		}
		return errors.Join(err, unreadable(total.Unreadable))
	}
	if total.Matched == 0 {
		return f.nothing(cmd.Context(), env, c)
	}
	return f.print(env, &total)
}

// print prints what came of a bulk revocation.
func (f *revokeFlags) print(env *command.Env, total *api.Revocation) error {
	var err error
	switch {
	case f.json:
		err = term.PrintJSON(env.Stdout, total)
	case f.dryRun:
		_, err = fmt.Fprintf(env.Stdout, "%s%s would be revoked\n", atLeast(total), links(total.Matched))
	case !f.quiet:
		_, err = fmt.Fprintf(env.Stdout, "%s revoked\n", links(total.Revoked))
	}
	return err
}

// nothing says that no link was selected, which in a hurry looks like success: the
// filters may be mistyped. A bucket that the key may not see is an error.
func (f *revokeFlags) nothing(ctx context.Context, env *command.Env, c *client.Client) error {
	if err := noSuchBucket(ctx, c, f.bucket); err != nil {
		return err
	}
	fmt.Fprintln(env.Stderr, "warning: no live link is selected; keyhole list with the same filters shows what there is")
	return f.print(env, &api.Revocation{Done: true})
}

// ask says how many links there are and which, and asks whether to revoke them. An
// error says that nobody agreed. Where there is none it does not ask.
func (f *revokeFlags) ask(cmd *cobra.Command, env *command.Env, c *client.Client, request api.RevocationRequest) (int, error) {
	request.DryRun = true
	var found api.Revocation
	for first := true; first || found.Matched == 0 && found.Next != ""; first = false {
		request.Cursor = found.Next
		skipped := found.Unreadable
		var err error
		if found, err = c.RevokeAll(cmd.Context(), request); err != nil {
			return 0, inFilters(err)
		}
		found.Unreadable += skipped
	}
	switch {
	case found.Matched == 0 && found.Unreadable > 0:
		return 0, unreadable(found.Unreadable)
	case found.Matched == 0:
		return 0, nil
	}
	fmt.Fprintf(env.Stderr, "Revoke %s%s%s? [y/N] ", atLeast(&found), links(found.Matched), f.selected())
	answer, err := term.ReadLine(cmd.Context(), bufio.NewReader(env.Stdin))
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		if err == nil {
			return found.Matched, nil
		}
	}
	if err != nil {
		fmt.Fprintln(env.Stderr)
	}
	return 0, &command.Error{Err: errors.New("nothing was revoked"), Hint: "answer y to revoke them, or say --yes", Code: command.ExitFailed}
}

// unreadable is the error of links that a bulk revocation had to leave out.
func unreadable(n int) error {
	return &command.Error{
		Err:  fmt.Errorf("%s could not be read and may be live: a newer version of the service wrote them", links(n)),
		Hint: "repeat the command against a service of that version", Code: command.ExitFailed,
	}
}

// selected says which links are selected.
func (f *revokeFlags) selected() string {
	var text strings.Builder
	for _, filter := range []struct{ says, value string }{
		{" to objects of s3://", f.bucket},
		{" whose keys begin with ", f.prefix},
		{" with the key ", f.key},
		{", created by ", f.createdBy},
		{", with the label ", f.label},
	} {
		if filter.value != "" {
			text.WriteString(filter.says + term.Plain(filter.value))
		}
	}
	return text.String()
}

// atLeast stands before a number that is not the last word.
func atLeast(r *api.Revocation) string {
	if r.Done {
		return ""
	}
	return "at least "
}

// links writes a number of links.
func links(n int) string { return explain.Plural(n, "link") }

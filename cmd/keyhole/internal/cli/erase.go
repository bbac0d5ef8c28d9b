package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// eraseFlags are the flags of audit erase.
type eraseFlags struct {
	operator              operatorFlags
	link, address, reason string
	yes, json, dryRun     bool
}

// newErase builds keyhole audit erase.
func newErase(env *command.Env) *cobra.Command {
	f := &eraseFlags{}
	cmd := &cobra.Command{
		Use:        "erase --link ID|URL | [--address] ADDRESS",
		SuggestFor: []string{"delete", "remove", "forget", "purge", "anonymize"},
		Short:      "Erase client addresses from events",
		Long: `Erases addresses of recipients and of operators from events: all addresses from the
events of one link, or one address from the events of all links.

The events stay, without the address, and an event records the erasure without the
erased address. The command says what remains elsewhere.

The key needs "revoke" in its can; --address needs a key for all objects. An address can
also be written as the audit shows it, such as 192.0.2.0/24 or hash:….

On a terminal the command asks first. In a pipe or a script it does not ask. --dry-run
only counts the addresses.`,
		Example: `  keyhole audit erase 203.0.113.9 --dry-run
  keyhole audit erase --link 7kq… --reason "request of the recipient"
  keyhole audit erase 203.0.113.9`,
		Args: func(cmd *cobra.Command, args []string) error {
			// An ID or a URL of a link is no address, and the filter of one link is a flag.
			if len(args) == 1 {
				if _, err := gateway.ParseAddressFilter(args[0], nil); err == nil {
					return nil
				}
			}
			return command.ExactArgs(0, "only flags, or one address")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && f.address != "" {
				return command.Usage("--address cannot be combined with an address as an argument", "use one of them")
			}
			f.address += strings.Join(args, "")
			return f.run(cmd.Context(), env, cmd.UseLine())
		},
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.link, "link", "", "erase all addresses from the events of this link, by ID or URL")
	flags.StringVar(&f.address, "address", "", "erase this address from the events of all links")
	flags.StringVar(&f.reason, "reason", "", "the reason, for the audit")
	flags.BoolVar(&f.dryRun, "dry-run", false, "count the addresses without erasing them")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	completeFlag(cmd, "link", asking(env, &f.operator, completeLinks()))
	return cmd
}

// run erases addresses, after a question on a terminal.
func (f *eraseFlags) run(ctx context.Context, env *command.Env, usage string) error {
	switch {
	case f.link == "" && f.address == "":
		return command.Usage("neither --link nor --address was given", "usage: "+usage)
	// The service takes one of them: both together could mean either set of events.
	case f.link != "" && f.address != "":
		return command.Usage("--link and --address cannot be combined", "run the command once for each")
	}
	request := api.ErasureRequest{Address: f.address, Reason: f.reason, DryRun: f.dryRun}
	what := "the address " + term.Plain(f.address) + " from the events of all links"
	if f.link != "" {
		id, err := parseLinkID(f.link)
		if err != nil {
			return err
		}
		// The question shows the ID: the URL is a secret, and a terminal may be recorded.
		request.Link, what = id, "all addresses from the events of link "+id
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// A script has no person to ask; it has decided by calling the command.
	if !f.yes && !f.dryRun && term.IsTerminal(env.Stdin) {
		if err := askToErase(ctx, env, what); err != nil {
			return err
		}
	}
	total, err := eraseAll(ctx, env, c, request)
	if err != nil {
		return err
	}
	return f.print(env, &total)
}

// askToErase asks whether to erase addresses. It returns an error unless the answer is
// yes.
func askToErase(ctx context.Context, env *command.Env, what string) error {
	// A question that nobody sees would look like a command that hangs.
	if !term.IsTerminal(env.Stderr) {
		return command.Usage("cannot ask for confirmation, because standard error is not a terminal",
			"add --yes, or leave standard error on the terminal")
	}
	fmt.Fprintf(env.Stderr, "Erase %s? This cannot be undone. [y/N] ", what)
	answer, err := term.ReadLine(ctx, bufio.NewReader(env.Stdin))
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		if err == nil { // A "y" at the end of the input, without Enter, is no answer.
			return nil
		}
	}
	if err != nil {
		fmt.Fprintln(env.Stderr)
	}
	return &command.Error{
		Err: errors.New("nothing was erased"), Hint: "answer y to erase the addresses, or use --yes",
		Code: command.ExitFailed,
	}
}

// eraseAll repeats the request until the service has read all events, and adds up the
// numbers in the answers. After an error, the same command can be repeated.
func eraseAll(
	ctx context.Context, env *command.Env, c *client.Client, request api.ErasureRequest,
) (total api.Erasure, err error) {
	p := term.NewProgress(env.Stderr)
	defer p.Clear()
	for {
		answer, err := c.Erase(ctx, request)
		total.FeedEvents += answer.FeedEvents
		total.LinkEvents += answer.LinkEvents
		total.Unreadable += answer.Unreadable
		// The service carries both through its cursor, so the last answer is about all pages.
		total.Done, total.Remains = answer.Done, answer.Remains
		if err != nil {
			flags := map[string]string{"link": "--link", "address": "--address", "reason": "--reason"}
			return total, unknownLink(request.Link, rename(err, flags))
		}
		if answer.Next == "" {
			return total, nil
		}
		request.Cursor = answer.Next
		done := "erased"
		if request.DryRun {
			done = "counted"
		}
		p.Say("%s %s, continuing", addressesIn(total.FeedEvents+total.LinkEvents), done)
	}
}

// print prints the total and what remains. Events that this version cannot read may still
// have addresses, which is a failure.
func (f *eraseFlags) print(env *command.Env, total *api.Erasure) error {
	var failed error
	if !total.Done {
		failed = &command.Error{
			Err: fmt.Errorf("%s could not be read and may still have addresses: a newer version of the service wrote them",
				explain.Plural(total.Unreadable, "event")),
			Hint: "repeat the command with a service of that version", Code: command.ExitFailed,
		}
	}
	// The numbers are printed also after a failure: they say what was erased already.
	if f.json {
		return errors.Join(term.PrintJSON(env.Stdout, total), failed)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nWhat remains:\n", f.summary(total))
	for _, note := range total.Remains {
		fmt.Fprintf(&b, "- %s\n", term.Plain(note.Message))
	}
	_, err := io.WriteString(env.Stdout, b.String())
	if f.dryRun {
		fmt.Fprintln(env.Stderr, "Nothing was erased: this was a dry run.")
	}
	return errors.Join(err, failed)
}

// summary says what was erased, or would be. Two zeros would leave open whether the address
// was mistyped, so an empty result has a text of its own; unread events may have the address.
func (f *eraseFlags) summary(total *api.Erasure) string {
	switch {
	case total.FeedEvents+total.LinkEvents > 0 || !total.Done:
	case f.link != "":
		return "no event of this link has an address"
	default:
		return "no event has this address"
	}
	did := "erased"
	if f.dryRun {
		did = "would erase"
	}
	return fmt.Sprintf("%s %s from the audit feed and %s from the events of links", did,
		addressesIn(total.FeedEvents), addressesIn(total.LinkEvents))
}

// addressesIn writes a number of addresses.
func addressesIn(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}

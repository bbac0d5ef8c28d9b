package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/gateway/client"
)

// The exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1 // the request failed
	exitUsage  = 2 // wrong usage or configuration
)

// surroundings is what a command has of the world: tests hand in their own.
type surroundings struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string // NAME=value, as os.Environ
}

// getenv returns a variable, empty where it is not set.
func (s *surroundings) getenv(name string) string {
	for i := len(s.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(s.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string, world surroundings) int {
	root := newRoot(&world)
	root.SetArgs(args)
	root.SetIn(world.stdin)
	root.SetOut(world.stdout)
	root.SetErr(world.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return report(world.stderr, err)
}

// newRoot builds the command tree.
func newRoot(world *surroundings) *cobra.Command {
	root := &cobra.Command{
		Use:   "keyhole",
		Short: "Short links to objects in private S3 buckets, for a limited time",
		Long: `Keyhole issues an opaque short link for one object in a private bucket. Each
click is checked, and redirected to a presigned URL that lives for seconds.
Links expire by themselves and can be revoked early.

Try it with nothing installed:  keyhole demo

Commands that ask a running service find it by KEYHOLE_OPERATOR_URL and show it the
operator key in KEYHOLE_KEY, or take --operator-url and --key-file. KEYHOLE_CONFIG
names the configuration for serve, doctor and health. Every command ends with 0 where
it did what was asked, 1 where that failed, and 2 where it was called, or is
configured, wrongly.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return noEmptyFlag(cmd) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return cmd.Help()
		},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
	}
	root.Version = currentBuild().version
	root.CompletionOptions.DisableDefaultCmd = true // ours is newCompletion
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		what, _, _ := strings.Cut(err.Error(), ": strconv.") // what follows is for programmers
		return usage(what, hintForFlag(cmd, what))
	})
	root.AddCommand(
		newDemo(world), newServe(world),
		newObjects(world), newShare(world), newList(world), newShow(world), newChange(world), newRevoke(world),
		newEvents(world), newAudit(world),
		newDoctor(world), newKey(world), newHealth(world), newVersion(world),
		newCompletion(world), newMan(world),
	)
	return root
}

// hinted is an error with its exit code and a line that says what to do.
type hinted struct {
	err  error
	hint string
	code int
}

// Error returns what went wrong.
func (h *hinted) Error() string { return h.err.Error() }

// Unwrap returns the error itself.
func (h *hinted) Unwrap() error { return h.err }

// usage is an error in how a command was called.
func usage(what, hint string) error {
	return &hinted{err: errors.New(what), hint: hint, code: exitUsage}
}

// exactly returns a check for a number of arguments that says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Sprintf("%s takes %s, not %s", cmd.CommandPath(), what, plural(len(args), "argument")),
				"usage: "+cmd.UseLine())
		}
		return nil
	}
}

// unreachableHint says what to do where no service answers.
const unreachableHint = "is it running, and is --operator-url (or KEYHOLE_OPERATOR_URL) its operator address?"

// report writes what went wrong, mostly one line, and one line that says what to
// do, and returns the exit code. What was typed stands in errors, so they are
// printed as text from elsewhere is.
func report(stderr io.Writer, err error) int {
	code, hint := exitFailed, "correct what is named and try again"
	var known *hinted
	var refused *client.Error
	switch {
	case errors.As(err, &known):
		code, hint = known.code, known.hint
	case errors.As(err, &refused):
		hint = cmp.Or(hintFor(refused), "try again; if it stays so, the service's log says more")
	case errors.Is(err, context.Canceled):
		hint = "it was interrupted"
	case errors.Is(err, client.ErrUnreachable):
		hint = unreachableHint
	case errors.Is(err, client.ErrNotKeyhole):
		hint = "is --operator-url (or KEYHOLE_OPERATOR_URL) its operator address, and not the one for recipients?"
	case errors.Is(err, client.ErrBrokeOff):
		hint = "it may have been done: look before you try again"
	case errors.Is(err, client.ErrNotUTF8):
		code, hint = exitUsage, "give it in UTF-8; what has another encoding cannot be shared"
	}
	if errors.As(err, new(*unread)) {
		return code
	}
	prefix := "keyhole: "
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "%s%s\n", prefix, plain(line))
		prefix = ""
	}
	for line := range strings.SplitSeq(hint, "\n") {
		fmt.Fprintf(stderr, "  %s\n", plain(strings.TrimSpace(line)))
	}
	return code
}

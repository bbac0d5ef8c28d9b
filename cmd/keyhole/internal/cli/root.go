package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/client"
)

// Run runs a command of the tree below root and returns its exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, env *command.Env) int {
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	refuseUnknownTopics(root)
	if err := unknownHelp(root, args); err != nil {
		return report(env.Stderr, err)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return command.ExitOK
	}
	return report(env.Stderr, err)
}

// NewRoot builds keyhole with the operator's commands. Errors are printed by report and not
// by cobra, which would print the usage before every error of the service. The caller adds the commands
// that run or examine a service.
func NewRoot(env *command.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "keyhole",
		Short: "Short links to objects in private S3 buckets, for a limited time",
		Long: `Keyhole issues an opaque short link for one object in a private bucket. It checks each
click and redirects it to a presigned URL that lives for seconds. Links expire, and can
be revoked earlier.

Try it with nothing installed:  keyhole demo

Commands for a running service need its operator address and an operator key. Save both
once with keyhole context add, or set KEYHOLE_OPERATOR_URL and KEYHOLE_KEY. KEYHOLE_CONFIG
names the configuration for serve, doctor, health and pages.

Exit status: 0 success, 1 the request failed, 2 wrong usage or configuration.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return noEmptyFlag(cmd) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return cmd.Help()
		},
		Args: groupArgs,
	}
	root.Version = env.Build.Version
	// cobra's own completion command inserts completions without escaping them.
	root.CompletionOptions.DisableDefaultCmd = true // ours is newCompletion
	// A larger distance proposes commands that have nothing in common with the mistyped one.
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		what := flagProblem(err)
		return command.Usage(what, hintForFlag(cmd, what))
	})
	root.AddCommand(
		newObjects(env), newShare(env), newResend(env), newList(env), newShow(env), newChange(env), newRevoke(env),
		newEvents(env), newAudit(env), newContext(env), newKey(env), newHealth(env), newVersion(env), newCompletion(env),
		newMan(env),
	)
	completeContexts(root, env)
	return root
}

// refuseUnknownTopics lets the help command refuse a command that does not exist. cobra
// would print the help of the nearest group and succeed, which looks like an answer.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd() // otherwise it exists only during the execution
	for _, sub := range root.Commands() {
		if sub.Name() == "help" {
			sub.Args = func(cmd *cobra.Command, args []string) error {
				found, rest, err := cmd.Root().Find(args)
				// The arguments of other commands, such as in help show ID, do no harm.
				if err == nil && len(rest) > 0 && found.HasSubCommands() {
					err = unknownCommand(found, rest)
				}
				return err
			}
		}
	}
}

// unknownHelp refuses --help of a command that does not exist, as in login --help. cobra
// would print the help of keyhole and succeed, which looks like an answer.
func unknownHelp(root *cobra.Command, args []string) error {
	// cobra adds its commands for completion, which begin with underscores, only later.
	if len(args) < 2 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "_") ||
		!slices.Contains([]string{"-h", "--help"}, args[len(args)-1]) {
		return nil
	}
	if found, _, err := root.Find(args); err != nil || found != root {
		return nil //nolint:nilerr // cobra reports it.
	}
	return unknownCommand(root, args)
}

// unreachableHint is the hint if no service answers.
const unreachableHint = "is the service running, and is this its operator address " +
	"(--operator-url, KEYHOLE_OPERATOR_URL or the context)? keyhole doctor --client finds the cause"

// misplacedKeyHint is the hint if a user typed an operator key where another argument
// belongs.
const misplacedKeyHint = "pass an operator key in a context, KEYHOLE_KEY or a file only; " +
	"replace this key if others can read this terminal or its history"

// report prints an error and its hint, mostly one line each, and returns the exit code.
// Errors may contain text of other people, so they are escaped. They may repeat an argument,
// so operator keys are redacted.
func report(stderr io.Writer, err error) int {
	code, hint := exitCodeAndHint(err)
	// Nobody reads standard error any more, and writing to it could block for ever.
	if errors.As(err, new(*command.Unprinted)) {
		return code
	}
	text := operatorkey.Redact(err.Error())
	if text != err.Error() {
		hint = misplacedKeyHint
	}
	// A joined error has a line for each part.
	prefix := "keyhole: "
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(stderr, "%s%s\n", prefix, term.Plain(line))
		prefix = ""
	}
	for line := range strings.SplitSeq(hint, "\n") {
		fmt.Fprintf(stderr, "  %s\n", term.Plain(strings.TrimSpace(operatorkey.Redact(line))))
	}
	return code
}

// exitCodeAndHint returns the exit code of an error and what to do about it. Wrong usage
// has a code of its own, because repeating the command cannot help.
func exitCodeAndHint(err error) (code int, hint string) {
	// The order matters: an error of a command may wrap an error of the client, and its hint is
	// more precise.
	code, hint = command.ExitFailed, "correct it and try again"
	var known *command.Error
	var refused *client.Error
	switch {
	case errors.As(err, &known):
		code, hint = known.Code, known.Hint
	case errors.Is(err, client.ErrOldService): // wraps a refusal, whose hint is about links
		hint = "update the service, or use the command of its version"
	case errors.As(err, &refused):
		hint = cmp.Or(hintFor(refused), "try again; if it fails again, see the service's log")
	case errors.Is(err, context.Canceled):
		hint = "the command was interrupted"
	case errors.Is(err, http.ErrSchemeMismatch): // also an ErrUnreachable, but the address responds
		hint = "the address speaks http: write it with http://"
	case errors.Is(err, client.ErrUnreachable):
		hint = unreachableHint
	case errors.Is(err, client.ErrNotKeyhole):
		hint = "is this the operator address (--operator-url, KEYHOLE_OPERATOR_URL or the context), " +
			"not the address for recipients?"
	case errors.Is(err, client.ErrBrokeOff):
		hint = "the request may have succeeded: check before you repeat it"
	case errors.Is(err, client.ErrNotUTF8):
		code, hint = command.ExitUsage, "write it in UTF-8; objects with keys in another encoding cannot be shared"
	}
	if errors.As(err, &refused) && refused.Status >= http.StatusInternalServerError && refused.RequestID != "" {
		hint += "\nrequest id: " + refused.RequestID + " (the log of the service has it)"
	}
	return code, hint
}

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/client"
)

// completionTimeout bounds a request while a person waits at a prompt. A shell shows
// nothing until the completion ends.
const completionTimeout = 2 * time.Second

// completions is the largest number of objects or links that are offered. A longer list
// would fill the terminal, and one page of the API is fast.
const completions = 100

// newCompletion builds keyhole completion.
func newCompletion(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Generate a shell completion script",
		Long: `Prints a script with which a shell completes commands and flags and, with the help of
the service, buckets, keys and links. It uses the same key and address as the commands.`,
		Example: `  source <(keyhole completion bash)
  autoload -Uz compinit && compinit && source <(keyhole completion zsh)
  keyhole completion fish | source`,
		Args:      command.ExactArgs(1, "one shell: bash, zsh or fish"),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			shell, ok := shells()[args[0]]
			if !ok {
				return command.Usage("there is no completion for this shell", "use bash, zsh or fish")
			}
			// The script needs the whole tree, with the commands that the caller of NewRoot adds.
			return shell.writeCompletion(cmd.Root(), env.Stdout)
		},
	}
}

// completeNames offers a closed set of values for a flag. It asks no service.
func completeNames(cmd *cobra.Command, flag string, values []string) {
	completeFlag(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlag sets the completion of a flag. A flag that does not exist is a mistake in
// this package, which every test of a command finds.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	// cobra also refuses a second completion of one flag.
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag
	}
}

// asking returns a completion that sends a request to the service. If the request fails, the
// completion offers nothing, because an error message would disturb the prompt.
func asking(env *command.Env, operator *operatorFlags,
	ask func(context.Context, *client.Client, string) ([]string, cobra.ShellCompDirective),
) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		// Warnings would appear in the middle of the command line.
		c, err := operator.client(&command.Env{Stderr: io.Discard, Environ: env.Environ})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		offered, directive := ask(ctx, c, typed)
		// Scripts of earlier versions do not escape completions, so they get only names without
		// special characters.
		escaped := env.Getenv(completionVariable) != ""
		fit := slices.DeleteFunc(slices.Clone(offered), unfitForPrompt(escaped))
		if omitted := len(offered) - len(fit); omitted > 0 {
			why := "the names contain characters that a terminal cannot show"
			if !escaped {
				why = "generate the completion script again, because this one is from an earlier version"
			}
			fit = cobra.AppendActiveHelp(fit, fmt.Sprintf("%d not offered: %s", omitted, why))
		}
		return fit, directive
	}
}

// completeObjects offers buckets and, behind a bucket, its folders and objects. Errors offer
// nothing, as everywhere in completions.
func completeObjects(ctx context.Context, c *client.Client, typed string) ([]string, cobra.ShellCompDirective) {
	const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	bucket, prefix := splitS3(typed)
	if !strings.Contains(strings.TrimPrefix(typed, "s3://"), "/") || bucket == "" {
		offered, _ := completeBuckets(ctx, c, "")
		for i, name := range offered {
			offered[i] = "s3://" + name + "/"
		}
		return offered, more
	}
	page, err := c.Objects(ctx, client.ObjectsOptions{Bucket: bucket, Prefix: prefix, Limit: completions})
	if err != nil {
		return nil, more
	}
	var offered []string
	for _, folder := range page.Folders {
		offered = append(offered, "s3://"+bucket+"/"+folder)
	}
	for i := range page.Objects {
		offered = append(offered, "s3://"+bucket+"/"+page.Objects[i].Key)
	}
	// A folder is not complete: the user continues to type, so the shell must not add a space.
	if len(page.Folders) > 0 {
		return offered, more
	}
	return offered, cobra.ShellCompDirectiveNoFileComp
}

// unfitForPrompt returns a function that tells whether a completion must not reach the
// command line. Other people choose the keys of objects, so a key may contain control
// sequences for the terminal. If the script does not escape completions, a key may also
// contain commands: bash inserts the common beginning of several completions unescaped and
// evaluates that line for the next completion.
func unfitForPrompt(escaped bool) func(string) bool {
	return func(s string) bool {
		s, _, _ = strings.Cut(s, "\t") // the rest describes the completion
		return strings.ContainsFunc(s, func(r rune) bool {
			switch {
			case r == utf8.RuneError || !unicode.IsPrint(r):
				return true
			case escaped:
				return false
			}
			return !unicode.In(r, unicode.L, unicode.M, unicode.N) && !strings.ContainsRune(" _./:@%+=,-", r)
		})
	}
}

// completeLinks offers the newest links in one of the states, or in any state if none is
// named, each with its object.
func completeLinks(states ...gateway.State) func(context.Context, *client.Client, string) ([]string,
	cobra.ShellCompDirective) {
	return func(ctx context.Context, c *client.Client, typed string) ([]string, cobra.ShellCompDirective) {
		// A completion must be fast: only the newest links are offered.
		page, err := c.List(ctx, client.ListOptions{Limit: completions})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var offered []string
		for i := range page.Links {
			l := &page.Links[i]
			if strings.HasPrefix(l.ID, typed) && (len(states) == 0 || slices.Contains(states, gateway.State(l.State))) {
				offered = append(offered, cobra.CompletionWithDesc(l.ID, term.Plain("s3://"+l.Bucket+"/"+l.Key)))
			}
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// liveStates returns the states of links that can be changed.
func liveStates() []gateway.State {
	return []gateway.State{gateway.StateActive, gateway.StatePaused, gateway.StateNotYet}
}

// completeBuckets offers the names of buckets that the key may see, each once: several
// storages may have buckets of one name.
func completeBuckets(ctx context.Context, c *client.Client, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := c.Buckets(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var offered []string
	for _, b := range list.Buckets {
		offered = append(offered, b.Bucket)
	}
	// Several storages may have a bucket of the same name; it is offered once.
	slices.Sort(offered)
	return slices.Compact(offered), cobra.ShellCompDirectiveNoFileComp
}

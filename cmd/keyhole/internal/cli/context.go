package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/contexts"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/client"
)

// newContext builds keyhole context.
func newContext(env *command.Env) *cobra.Command {
	// The group has no action of its own: without a command it prints its help.
	cmd := &cobra.Command{
		Use:        "context",
		SuggestFor: []string{"contexts", "ctx", "configure", "profile"},
		Short:      "Save services with their keys, and choose one",
		Args:       groupArgs,
		RunE:       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContextAdd(env), newContextUse(env), newContextList(env), newContextRemove(env))
	return cmd
}

// groupArgs refuses an unknown command of a group.
func groupArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args)
	}
	return nil
}

// contextFlags are the flags of context add.
type contextFlags struct {
	url     string
	keyFile string // -: standard input
	replace bool
}

// newContextAdd builds keyhole context add. The key is never an argument: other users can
// see arguments, and shells keep them in a history.
func newContextAdd(env *command.Env) *cobra.Command {
	f := &contextFlags{}
	cmd := &cobra.Command{
		Use:        "add NAME --url URL [-]",
		SuggestFor: []string{"new", "create", "set", "save"},
		Short:      "Save a service and its operator key",
		Long: `Saves the operator address of a service and an operator key under a name, in a file that
only you can read. The first context becomes the current one.

On a terminal the command asks for the key and does not show it. With - it reads the key
from standard input. With --key-file it saves only the name of the file, so that each
command reads the key again. The key is never an argument.`,
		Example: `  keyhole context add prod --url https://keyhole-ops.example.com
  keyhole context add ci --url http://127.0.0.1:8081 --key-file operator.key`,
		Args: checkContextArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), env, args[0], len(args) == 2)
		},
	}
	cmd.Flags().StringVar(&f.url, "url", "", "the service's operator address, such as https://keyhole-ops.example.com")
	cmd.Flags().StringVar(&f.keyFile, "key-file", "", "file with the operator key; - reads the key from standard input")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "replace the context of this name")
	return cmd
}

// checkContextArgs checks that there is one name, and perhaps a hyphen.
func checkContextArgs(cmd *cobra.Command, args []string) error {
	// The hyphen means standard input, as for cat.
	if len(args) == 2 && args[1] == "-" {
		return nil
	}
	if err := keyAsArgument(args); err != nil {
		return err
	}
	return command.ExactArgs(1, "one name")(cmd, args)
}

// keyAsArgument refuses a URL and a key that are arguments. It repeats neither: both can be
// secret, and the URL may have a user and a password.
func keyAsArgument(args []string) error {
	if len(args) < 2 {
		return nil
	}
	const how = "keyhole context add NAME --url URL asks for the key and does not show it"
	hasURL := strings.Contains(args[1], "://")
	hasKey := hasURL && len(args) == 3 && args[2] != "-" ||
		slices.ContainsFunc(args[1:], func(arg string) bool { return operatorkey.Redact(arg) != arg })
	switch {
	case hasKey:
		return command.Usage("the key was an argument, so the shell's history has it now",
			"remove it from the history, and replace the key if others can read the history\n"+how)
	case hasURL:
		return command.Usage("the URL is not an argument", how)
	}
	return nil
}

// run saves a context. It sends no request, so a context can be saved before its service
// runs.
func (f *contextFlags) run(ctx context.Context, env *command.Env, name string, stdin bool) error {
	added, err := f.check(name, &stdin)
	if err != nil {
		return err
	}
	path, err := contexts.Path(env.Getenv)
	if err != nil {
		return contextError(err, nil, name)
	}
	// A name that is in use is found before a person types a key.
	saved, err := contexts.Load(path)
	if err != nil {
		return contextError(err, nil, name)
	}
	if _, err := saved.Find(name); err == nil && !f.replace {
		return contextError(fmt.Errorf("%s: %w", name, contexts.ErrExists), saved, name)
	}
	if added.KeyFile == "" {
		if added.Key, err = readKey(ctx, env, name, stdin); err != nil {
			return err
		}
		// A wrong file is found now, and not by the first command that needs the key.
	} else if _, err := (&service{url: f.url, keyFile: added.KeyFile, keyFrom: "the key file"}).client(env); err != nil {
		return err
	}
	// Only a warning: a tunnel or a private network may protect the address.
	if clearText(f.url) {
		fmt.Fprintf(env.Stderr, "warning: commands send the key to %s unencrypted, and anyone who can read the traffic can "+
			"use it; use https\n", term.Plain(f.url))
	}
	current := ""
	err = contexts.Update(ctx, path, func(c *contexts.Config) error {
		err := c.Add(added, f.replace)
		current = c.Current
		return err
	})
	if err != nil {
		return contextError(err, saved, name)
	}
	// The message names the next step, because adding does not always select.
	then := "to make it the current context: keyhole context use " + name
	if current == name {
		then = "it is the current context; to check it: keyhole key check"
	}
	fmt.Fprintf(env.Stderr, "context %s saved; %s\n", name, then)
	return nil
}

// check returns the context that the flags describe, without a key that has to be read. It
// sets stdin if the key comes from standard input.
func (f *contextFlags) check(name string, stdin *bool) (contexts.Context, error) {
	var none contexts.Context
	switch {
	case operatorkey.Redact(name) != name:
		return none, command.Usage("the name of the context is an operator key", misplacedKeyHint)
	case !contexts.ValidName(name):
		return none, command.Usage(fmt.Sprintf("%q cannot be the name of a context", name),
			"use 1 to 63 letters, digits, dots, underscores and hyphens, such as prod")
	case f.url == "":
		return none, command.Usage("--url is missing",
			"name the operator address of the service, such as --url "+defaultOperatorURL)
	// Both name a source of the key, and the command cannot know which one was meant.
	case *stdin && f.keyFile != "":
		return none, command.Usage("- and --key-file cannot be combined", "use one of them")
	}
	if _, err := client.New(f.url, ""); err != nil {
		return none, &command.Error{
			Err:  fmt.Errorf("--url is %q: %w", hostOnly(f.url), err),
			Hint: withScheme(f.url) + "set it to scheme, host and port of the operator API", Code: command.ExitUsage,
		}
	}
	added := contexts.Context{Name: name, URL: strings.TrimRight(f.url, "/")}
	if f.keyFile == "-" {
		*stdin = true
	} else if f.keyFile != "" {
		// Later commands run in other directories.
		path, err := filepath.Abs(f.keyFile)
		if err != nil {
			return none, fmt.Errorf("find the key file: %w", err)
		}
		added.KeyFile = path
	}
	return added, nil
}

// readKey reads the key of a context from standard input or, without echo, from the
// terminal.
func readKey(ctx context.Context, env *command.Env, name string, stdin bool) (string, error) {
	if stdin {
		// The limit is larger than a key, so that parseKey can say that the text is too long.
		text, err := readAll(ctx, io.LimitReader(env.Stdin, 4*maxKey))
		if err != nil {
			return "", fmt.Errorf("read the key from standard input: %w", err)
		}
		return parseKey(text, "standard input")
	}
	if !term.IsTerminal(env.Stdin) || !term.IsTerminal(env.Stderr) {
		return "", command.Usage("cannot ask for the key, because standard input or standard error is not a terminal",
			"name a file in --key-file, or add - to read the key from standard input")
	}
	// The name is in the question, so that a key for another service is not pasted here.
	fmt.Fprintf(env.Stderr, "Operator key for %s (it is not shown): ", name)
	text, err := term.ReadSecret(ctx, env.Stdin)
	fmt.Fprintln(env.Stderr)
	switch {
	case errors.Is(err, term.ErrTooLong):
		return "", command.Usage("the key is too long for a line of a terminal", "save it in a file and use --key-file")
	case err != nil || strings.TrimSpace(text) == "":
		return "", &command.Error{
			Err: errors.New("nothing was saved, because no key was entered"), Code: command.ExitFailed,
			Hint: "enter the key, or use --key-file",
		}
	}
	return parseKey(text, "the answer")
}

// readAll reads a text to its end. It returns when ctx ends, because an interrupt must end
// a command that waits for input.
func readAll(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		text string
		err  error
	}
	// The buffer lets the goroutine end although nobody waits for it after an interrupt.
	read := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(bufio.NewReader(r))
		read <- result{string(text), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-read:
		return got.text, got.err
	}
}

// newContextUse builds keyhole context use.
func newContextUse(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		SuggestFor:        []string{"switch", "select", "set-current"},
		Short:             "Make a context the current one",
		Args:              command.ExactArgs(1, "one context"),
		ValidArgsFunction: offerOneContext(env),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := updateContexts(cmd.Context(), env, args[0], func(c *contexts.Config) error { return c.Use(args[0]) })
			if err != nil {
				return err
			}
			chosen, err := c.Find(args[0])
			if err != nil {
				return contextError(err, c, args[0])
			}
			fmt.Fprintf(env.Stderr, "the current context is %s (%s)\n", chosen.Name, term.Plain(hostOnly(chosen.URL)))
			warnOfVariables(env)
			return nil
		},
	}
}

// newContextRemove builds keyhole context remove.
func newContextRemove(env *command.Env) *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		SuggestFor:        []string{"rm", "delete", "del", "unset"},
		Short:             "Remove a context and its saved key",
		Args:              command.ExactArgs(1, "one context"),
		ValidArgsFunction: offerOneContext(env),
		RunE: func(cmd *cobra.Command, args []string) error {
			wasCurrent := false
			_, err := updateContexts(cmd.Context(), env, args[0], func(c *contexts.Config) error {
				wasCurrent = c.Current == args[0]
				return c.Remove(args[0])
			})
			if err != nil {
				return err
			}
			// The service does not know contexts.
			fmt.Fprintf(env.Stderr, "context %s removed; its key is still valid in the service\n", args[0])
			if wasCurrent {
				fmt.Fprintln(env.Stderr, "no context is current now; choose one: keyhole context use NAME")
			}
			return nil
		},
	}
}

// updateContexts changes the contexts and returns them. name is the context that the
// change is about, for the hint of an error.
func updateContexts(ctx context.Context, env *command.Env, name string,
	change func(*contexts.Config) error,
) (*contexts.Config, error) {
	path, err := contexts.Path(env.Getenv)
	if err != nil {
		return nil, contextError(err, nil, name)
	}
	all := &contexts.Config{}
	// The file is read and written under a lock, because scripts may run in parallel.
	err = contexts.Update(ctx, path, func(c *contexts.Config) error {
		all = c
		return change(c)
	})
	if errors.Is(err, contexts.ErrUnknown) {
		err = fmt.Errorf("%q: %w", name, err)
	}
	if err != nil {
		return nil, contextError(err, all, name)
	}
	return all, nil
}

// completeContexts offers the contexts for --context of every command below cmd.
func completeContexts(cmd *cobra.Command, env *command.Env) {
	for _, sub := range cmd.Commands() {
		completeContexts(sub, env)
		if sub.Flags().Lookup("context") != nil {
			completeFlag(sub, "context", offerContexts(env))
		}
	}
}

// offerContexts offers the names of the contexts.
func offerContexts(env *command.Env) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return contextNames(env), cobra.ShellCompDirectiveNoFileComp
	}
}

// offerOneContext offers the names of the contexts for a command that takes one of them.
func offerOneContext(env *command.Env) cobra.CompletionFunc {
	offer := offerContexts(env)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(cmd, args, typed)
	}
}

// clearText reports whether a request to an address sends the key unencrypted over a
// network.
func clearText(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || strings.EqualFold(u.Hostname(), "localhost") {
		return false
	}
	// A name other than localhost may lead anywhere, so it counts as a network.
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}

package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// completeSelections offers labels and names of operators for the filters of a command.
func completeSelections(cmd *cobra.Command, env *command.Env, operator *operatorFlags) {
	completeFlag(cmd, "label", asking(env, operator, completeLabels))
	// The service has no list of operators, so these are the names in the newest links.
	completeFlag(cmd, "created-by", asking(env, operator, completeCreators))
}

// completeLabels offers the labels of the newest links, as name=value.
func completeLabels(ctx context.Context, c *client.Client, _ string) ([]string, cobra.ShellCompDirective) {
	return ofNewestLinks(ctx, c, func(l *api.Link) []string {
		var pairs []string
		for name, value := range l.Labels {
			pairs = append(pairs, name+"="+value)
		}
		return pairs
	})
}

// completeCreators offers the operators who issued the newest links.
func completeCreators(ctx context.Context, c *client.Client, _ string) ([]string, cobra.ShellCompDirective) {
	return ofNewestLinks(ctx, c, func(l *api.Link) []string { return []string{l.CreatedBy} })
}

// ofNewestLinks offers values of the newest links, sorted, each once. A completion must be
// fast, so it asks for one page.
func ofNewestLinks(ctx context.Context, c *client.Client, values func(*api.Link) []string) ([]string,
	cobra.ShellCompDirective,
) {
	page, err := c.List(ctx, client.ListOptions{Limit: completions})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var offered []string
	for i := range page.Links {
		offered = append(offered, values(&page.Links[i])...)
	}
	// Many links have the same labels and the same creator.
	slices.Sort(offered)
	return slices.Compact(offered), cobra.ShellCompDirectiveNoFileComp
}

// completePresets offers the presets with their lengths. Without a service it offers only
// the names, which are always the same.
func completePresets(env *command.Env, operator *operatorFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		o := operatorWithin(cmd.Context(), env, operator, completionTimeout)
		lives := livesOf(&o)
		offered := gateway.Presets()
		for i, name := range offered {
			if life := lives[name]; life != "" {
				offered[i] = cobra.CompletionWithDesc(name, life)
			}
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// helpTimeout bounds the request for a help text: a person waits for it and has not asked
// for the service.
const helpTimeout = time.Second

// helpWithPresets lets the help of a command show the lengths of the presets in the
// service, and the lives that follow from the sensitivity. If the service does not answer
// in time, the help is the usual one.
func helpWithPresets(cmd *cobra.Command, env *command.Env, operator *operatorFlags) {
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		o := operatorWithin(cmd.Context(), env, operator, helpTimeout)
		lives := livesOf(&o)
		// The order is that of the usual help, the shortest first.
		var known []string
		for _, name := range gateway.Presets() {
			if life := lives[name]; life != "" {
				known = append(known, fmt.Sprintf("%s (%s)", name, life))
			}
		}
		if flag := cmd.Flags().Lookup("preset"); flag != nil && len(known) > 0 {
			flag.Usage = "how long the link lives, by a preset of the service: " + strings.Join(known, ", ")
		}
		for name, tells := range map[string]string{
			"sensitive":     tellsLife(lives[gateway.PresetHandoff], o.Caps.Sensitive),
			"not-sensitive": tellsLife(lives[gateway.PresetBusiness], o.Caps.NotSensitive),
		} {
			if flag := cmd.Flags().Lookup(name); flag != nil && tells != "" {
				what, _, _ := strings.Cut(flag.Usage, ":")
				flag.Usage = what + ": the link lives " + tells
			}
		}
		help(cmd, args)
	})
}

// tellsLife says how long a link lives by default, and at most. It is empty unless both
// texts are durations, because another server must not write into the terminal.
func tellsLife(usual, longest string) string {
	_, wrong := gateway.ParseLife(usual)
	if _, err := gateway.ParseLife(longest); err != nil || wrong != nil {
		return ""
	}
	return usual + " without --expires, and at most " + longest
}

// tellLives says before the question about the sensitivity what the answer decides. Without
// an answer of the service it says nothing: the question is the same.
func tellLives(ctx context.Context, w io.Writer, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, helpTimeout)
	defer cancel()
	o, err := c.Operator(ctx)
	if err != nil {
		return
	}
	lives := livesOf(&o)
	sensitive := tellsLife(lives[gateway.PresetHandoff], o.Caps.Sensitive)
	other := tellsLife(lives[gateway.PresetBusiness], o.Caps.NotSensitive)
	if sensitive != "" && other != "" {
		fmt.Fprintf(w, "If it is sensitive, the link lives %s; if not, %s.\n", sensitive, other)
	}
}

// operatorWithin returns what the service says about the operator, or nothing after any
// failure: the callers only add it to a text.
func operatorWithin(ctx context.Context, env *command.Env, operator *operatorFlags, limit time.Duration) api.Operator {
	// Warnings would appear in the middle of the command line or the help.
	c, err := operator.client(&command.Env{Stderr: io.Discard, Environ: env.Environ})
	if err != nil {
		return api.Operator{}
	}
	if ctx == nil {
		ctx = context.Background() // cobra has none before a command is executed
	}
	// Without a limit, a service behind a firewall would hold up the prompt for minutes.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o, err := c.Operator(ctx)
	if err != nil {
		return api.Operator{}
	}
	return o
}

// livesOf returns the lives of the presets by name, as the service configures them.
func livesOf(o *api.Operator) map[string]string {
	lives := map[string]string{}
	for _, p := range o.Presets {
		// Only text that a life can be: another server must not write into the terminal.
		if _, err := gateway.ParseLife(p.ExpiresIn); err == nil {
			lives[p.Name] = p.ExpiresIn
		}
	}
	return lives
}

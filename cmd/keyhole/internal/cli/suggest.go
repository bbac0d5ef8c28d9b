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
		lives := presetLives(cmd.Context(), env, operator, completionTimeout)
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
// service. If the service does not answer in time, the help is the usual one.
func helpWithPresets(cmd *cobra.Command, env *command.Env, operator *operatorFlags) {
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		lives := presetLives(cmd.Context(), env, operator, helpTimeout)
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
		help(cmd, args)
	})
}

// presetLives returns the lives of the presets by name, as the service configures them. It
// is empty after any failure: the callers only add it to a text.
func presetLives(ctx context.Context, env *command.Env, operator *operatorFlags,
	limit time.Duration,
) map[string]string {
	// Warnings would appear in the middle of the command line or the help.
	c, err := operator.client(&command.Env{Stderr: io.Discard, Environ: env.Environ})
	if err != nil {
		return nil
	}
	if ctx == nil {
		ctx = context.Background() // cobra has none before a command is executed
	}
	// Without a limit, a service behind a firewall would hold up the prompt for minutes.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o, err := c.Operator(ctx)
	if err != nil {
		return nil
	}
	lives := map[string]string{}
	for _, p := range o.Presets {
		// Only text that a life can be: another server must not write into the terminal.
		if _, err := gateway.ParseLife(p.ExpiresIn); err == nil {
			lives[p.Name] = p.ExpiresIn
		}
	}
	return lives
}

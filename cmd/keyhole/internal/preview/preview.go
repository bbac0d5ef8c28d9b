package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway/pages"
)

// defaultOutput is the directory into which the pages are written if no other is named.
const defaultOutput = "keyhole-pages"

// flags holds the flags of keyhole pages preview.
type flags struct {
	languages, states []string // empty: all
	config            string   // path; empty: KEYHOLE_CONFIG, or no configuration
	output            string   // directory; empty: defaultOutput, or standard output for a single page
}

// NewCommand builds keyhole pages.
func NewCommand(env *command.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pages",
		Short: "Preview the pages for recipients",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return command.Usage(fmt.Sprintf("unknown command %q", args[0]), "did you mean: keyhole pages preview")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPreview(env))
	return cmd
}

// newPreview builds keyhole pages preview.
func newPreview(env *command.Env) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Write the pages for recipients as HTML files",
		Long: `Writes every page that recipients can see as STATE.LANGUAGE.html, with a sample file and
the branding of the configuration, and an index.html that lists the pages. Open
index.html in a browser. The command needs no running service, Redis or storage.

With one --state, one --language and no --output, the command prints that page to
standard output, as the service would send it.`,
		Example: `  keyhole pages preview --config keyhole.yaml
  keyhole pages preview --language de --state expired --output expired`,
		Args: command.ExactArgs(0, "only flags"),
		RunE: func(*cobra.Command, []string) error { return run(env, &f, time.Now().Truncate(time.Second)) },
	}
	cmd.Flags().StringArrayVar(&f.languages, "language", nil, "a language of the pages; may be repeated (default all)")
	cmd.Flags().StringArrayVar(&f.states, "state", nil, "a state of the link; may be repeated (default all)")
	cmd.Flags().StringVar(&f.config, "config", "",
		"the configuration file with the branding (default $KEYHOLE_CONFIG; without both, no branding)")
	cmd.Flags().StringVar(&f.output, "output", "", "the directory for the files (default "+defaultOutput+")")
	complete(cmd, "language", config.PageLanguages())
	complete(cmd, "state", names(states()))
	return cmd
}

// complete offers a closed set of values for a flag.
func complete(cmd *cobra.Command, flag string, values []string) {
	completion := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, completion); err != nil {
		panic(err) // there is no such flag
	}
}

// run writes the pages that the flags select. now is the time at which recipients see them.
func run(env *command.Env, f *flags, now time.Time) error {
	set, err := selectPages(env, f, now)
	if err != nil {
		return err
	}
	if len(f.states) == 1 && len(f.languages) == 1 && f.output == "" {
		html, err := set.states[0].render(set.locales[0], now)
		if err != nil {
			return err
		}
		_, err = env.Stdout.Write(html)
		return err
	}
	if err := set.write(); err != nil {
		return &command.Error{
			Err: fmt.Errorf("cannot write the pages: %w", err), Hint: "name a writable directory with --output",
			Code: command.ExitFailed,
		}
	}
	// Standard output is for a page, so that a script can rely on it.
	_, err = fmt.Fprintf(env.Stderr, "%d pages written; open %s in a browser\n", len(set.states)*len(set.locales),
		set.path(indexName))
	return err
}

// selectPages returns the pages that the flags select.
func selectPages(env *command.Env, f *flags, now time.Time) (*pageFiles, error) {
	options, err := pageOptions(env, f.config)
	if err != nil {
		return nil, err
	}
	set := &pageFiles{directory: cmp.Or(f.output, defaultOutput), now: now}
	if set.renderer, err = pages.New(options); err != nil {
		return nil, err
	}
	if set.states, err = choose("state", f.states, states(), func(s state) string { return s.name }); err != nil {
		return nil, err
	}
	// The configuration may offer fewer languages than there are.
	set.locales, err = choose("language", f.languages, set.renderer.Locales(),
		func(l *pages.Locale) string { return l.Tag })
	return set, err
}

// pageOptions returns the languages and branding of the configuration at path, or of
// KEYHOLE_CONFIG. Without both, there is no branding.
func pageOptions(env *command.Env, path string) (pages.Options, error) {
	path = cmp.Or(path, env.Getenv("KEYHOLE_CONFIG"))
	if path == "" {
		return pages.Options{}, nil
	}
	cfg, warnings, err := config.Load(config.LoadOptions{Path: path, Environ: env.Environ})
	for _, w := range warnings {
		// Other warnings are not about the pages.
		if strings.HasPrefix(w.Path, "pages.") {
			fmt.Fprintf(env.Stderr, "warning: %s\n", w)
		}
	}
	if err != nil {
		return pages.Options{}, server.ConfigError(path, err)
	}
	return server.PageOptions(cfg)
}

// choose returns the elements with the given names, in the order of all. Without given
// names, it returns all elements.
func choose[T any](flag string, given []string, all []T, name func(T) string) ([]T, error) {
	var known []string
	for _, one := range all {
		known = append(known, name(one))
	}
	for _, value := range given {
		if !slices.Contains(known, value) {
			hint := "use one of " + strings.Join(known, ", ")
			if near := config.Nearest(value, known); near != "" {
				hint = "did you mean " + near + "? " + hint
			}
			return nil, command.Usage(fmt.Sprintf("--%s is %q, which is not a valid value", flag, value), hint)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool {
		return len(given) > 0 && !slices.Contains(given, name(one))
	}), nil
}

// names returns the names of states.
func names(all []state) []string {
	list := make([]string, len(all))
	for i := range all {
		list[i] = all[i].name
	}
	return list
}

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// changeFlags is what change was told.
type changeFlags struct {
	operator  operatorFlags
	expires   string
	maxClicks int64
	note      string
	labels    []string
	noLabels  bool
	pause     bool
	resume    bool
	json      bool
}

// newChange builds keyhole change.
func newChange(env *command.Env) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use:        "change ID|URL",
		SuggestFor: []string{"edit", "update", "pause", "resume", "extend"},
		Short:      "Change a link: its expiry, its uses, its note, its labels; pause or resume it",
		Long: `Changes a live link. What is not named stays as it is. --expires counts from now;
the whole life of a link never exceeds what the policy allows. --label replaces
all labels.`,
		Example: `  keyhole change 7kq… --expires 2h
  keyhole change 7kq… --pause`,
		Args: command.ExactArgs(1, "one link, by id or URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args[0]) },
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.expires, "expires", "", "how long it lives from now on, such as 15m, 24h or 7d")
	flags.Int64Var(&f.maxClicks, "max-clicks", 0, "how often it can be used, those uses included that were made")
	flags.StringVar(&f.note, "note", "", "another note; \"\" takes it away")
	flags.Lookup("note").Annotations = map[string][]string{mayBeEmpty: {}}
	flags.StringArrayVar(&f.labels, "label", nil, "a label, name=value, instead of all it has; may be repeated")
	flags.BoolVar(&f.noLabels, "no-labels", false, "take all labels away")
	flags.BoolVar(&f.pause, "pause", false, "switch it off for the moment")
	flags.BoolVar(&f.resume, "resume", false, "switch it on again")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks(liveStates()...))
	return cmd
}

// run changes the link.
func (f *changeFlags) run(cmd *cobra.Command, env *command.Env, arg string) error {
	request, err := f.request(cmd)
	if err != nil {
		return err
	}
	c, id, err := f.operator.open(env, arg)
	if err != nil {
		return err
	}
	link, err := c.Change(cmd.Context(), id, request)
	if err != nil {
		return inFlags(err, false, "")
	}
	if f.json {
		return term.PrintJSON(env.Stdout, link)
	}
	return printLink(env.Stdout, &link)
}

// request puts the flags into a request.
func (f *changeFlags) request(cmd *cobra.Command) (api.ChangeRequest, error) {
	var r api.ChangeRequest
	switch {
	case f.pause && f.resume:
		return r, command.Usage("--pause and --resume contradict each other", "give one of them")
	case f.noLabels && len(f.labels) > 0:
		return r, command.Usage("--label and --no-labels contradict each other", "give one of them")
	case f.pause, f.resume:
		r.Paused = &f.pause
	}
	changed := cmd.Flags().Changed
	if changed("expires") {
		r.ExpiresIn = &f.expires
	}
	if changed("max-clicks") {
		r.MaxClicks = &f.maxClicks
	}
	if changed("note") {
		r.Note = &f.note
	}
	if f.noLabels || len(f.labels) > 0 {
		labels, err := parseLabels(f.labels)
		if err != nil {
			return r, err
		}
		if labels == nil {
			labels = map[string]string{}
		}
		r.Labels = &labels
	}
	if r == (api.ChangeRequest{}) {
		return r, command.Usage("nothing is to be changed", fmt.Sprintf("say what: see %s --help", cmd.CommandPath()))
	}
	return r, nil
}

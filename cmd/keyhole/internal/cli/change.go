package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// changeFlags are the flags of change.
type changeFlags struct {
	operator operatorFlags
	// A property is changed only if its flag was given: empty texts and zero have a meaning.
	expires   string
	later     time.Duration // that --expires adds to the present end; 0: nothing
	until     time.Time     // that --expires names; zero: it names a duration, or nothing
	maxClicks clicksValue
	language  string
	note      string
	labels    []string
	noLabels  bool
	pause     bool
	resume    bool
	json      bool
	// Who can use the link, and from when on.
	allow          []string
	noAllow        bool
	passphraseFile string
	makePassphrase bool
	noPassphrase   bool
	notBefore      string // "now" removes it
}

// newChange builds keyhole change.
func newChange(env *command.Env) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use:        "change ID|URL",
		SuggestFor: []string{"edit", "update", "pause", "resume", "extend"},
		Short:      "Change the expiry, uses, access, language, note or labels of a link; pause or resume it",
		Long: `Changes a live link. Properties without a flag stay as they are. --expires counts from
now; with + it counts from the present end, and --max-clicks from the present limit. If
somebody else changes the link meanwhile, a change with + is refused. A link cannot live
longer than the policy allows, counted from its issue.
--label replaces all labels, and --allow all addresses. A new passphrase takes effect at
once, also for recipients who know the previous one.

A link that has ended or is used up cannot be changed: keyhole resend ID issues another
link with the same settings, and with --max-clicks 1 for one download.`,
		Example: `  keyhole change 7kq… --expires 2h
  keyhole change 7kq… --expires +1h
  keyhole change 7kq… --allow 192.0.2.0/24
  keyhole change 7kq… --pause`,
		Args: command.ExactArgs(1, "one link, by ID or URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args[0]) },
	}
	f.operator.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.expires, "expires", "",
		"how long the link lives from now on, such as 15m, 24h, 7d or 2w; or until when, such as\n"+
			"2026-12-01 or \"2026-12-01 18:00\" (here); +1d moves the present end by a day")
	flags.Var(&f.maxClicks, "max-clicks",
		"how often the link can be used, including past uses; +1 allows one more than now")
	flags.StringVar(&f.language, "language", "", "a new language of the link's pages, such as de; \"\" removes it")
	flags.Lookup("language").Annotations = map[string][]string{mayBeEmpty: {}}
	flags.StringVar(&f.note, "note", "", "a new note; \"\" removes it")
	flags.Lookup("note").Annotations = map[string][]string{mayBeEmpty: {}}
	flags.StringArrayVar(&f.labels, "label", nil, "a label, name=value, that replaces all labels; may be repeated")
	flags.BoolVar(&f.noLabels, "no-labels", false, "remove all labels")
	flags.BoolVar(&f.pause, "pause", false, "refuse clicks until --resume")
	flags.BoolVar(&f.resume, "resume", false, "allow clicks again")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	f.addAccess(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks(liveStates()...))
	completeNames(cmd, "language", gateway.Languages())
	completeFlag(cmd, "label", asking(env, &f.operator, completeLabels))
	return cmd
}

// run changes the link, and prints it as it is afterwards.
func (f *changeFlags) run(cmd *cobra.Command, env *command.Env, arg string) error {
	request, err := f.request(cmd, env)
	if err != nil {
		return err
	}
	c, id, err := f.operator.open(cmd.Context(), env, cmd.CommandPath(), arg)
	if err != nil {
		return err
	}
	// The flags were checked above, so that a mistake in one needs no key and sends nothing.
	before, err := f.before(cmd.Context(), c, id, &request)
	if err != nil {
		return err
	}
	if !f.until.IsZero() {
		request.ExpiresIn = new(lifeToSend(f.until, time.Now()))
	}
	link, err := f.change(cmd.Context(), c, id, &request)
	if err != nil {
		// No object was named and --sensitive is no flag of change.
		since, present := f.countsFrom(before)
		return unknownLink(id, ended(withLatestSince(inFlags(err, false, ""), since, present, time.Local), id))
	}
	if f.json {
		err = term.PrintJSON(env.Stdout, link) // with its warnings
	} else {
		err = f.print(env, before, &link, &request)
	}
	// The link has the new passphrase even if printing failed, and nothing stores it.
	if f.makePassphrase {
		tellPassphrase(env.Stderr, *request.Passphrase, f.json)
	}
	return err
}

// ended adds to a refusal of a link that has ended how to give its recipient another one,
// because a link that is used up is the usual reason to ask for one more download.
func ended(err error, id string) error {
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != "not_active" {
		return err
	}
	return &command.Error{
		Err: err, Code: command.ExitFailed,
		Hint: "issue another link with the same settings: keyhole resend " + id +
			"\nfor one download: keyhole resend " + id + " --max-clicks 1",
	}
}

// print prints the link, and above it what the change brings with it and what has changed.
func (f *changeFlags) print(env *command.Env, before, link *api.Link, r *api.ChangeRequest) error {
	for _, warning := range link.Warnings {
		fmt.Fprintf(env.Stderr, "warning: %s (%s)\n", term.Plain(warning.Message), term.Plain(warning.Code))
	}
	for _, note := range link.Notes {
		fmt.Fprintf(env.Stderr, "notice: %s (%s)\n", term.Plain(note.Message), term.Plain(note.Code))
	}
	return term.PrintTable(env.Stdout, append(changedRows(before, link, r, time.Local), linkRows(link)...))
}

// change changes the link. It makes a generated passphrase longer until the policy of the
// service accepts it.
func (f *changeFlags) change(ctx context.Context, c *client.Client, id string, r *api.ChangeRequest) (api.Link, error) {
	for {
		link, err := c.Change(ctx, id, *r)
		var refused *client.Error
		if !f.makePassphrase || !errors.As(err, &refused) || !longerPassphrase(r.Passphrase, refused.Errors) {
			return link, err
		}
	}
}

// request builds the request from the flags. A field that is nil stays as it is, so only
// the flags that were given set one. A request without any change is refused, because the
// service would record it as an event.
func (f *changeFlags) request(cmd *cobra.Command, env *command.Env) (api.ChangeRequest, error) {
	var r api.ChangeRequest
	switch {
	case f.pause && f.resume:
		return r, command.Usage("--pause and --resume cannot be combined", "use one of them")
	case f.noLabels && len(f.labels) > 0:
		return r, command.Usage("--label and --no-labels cannot be combined", "use one of them")
	case f.pause, f.resume:
		r.Paused = &f.pause
	}
	changed := cmd.Flags().Changed
	if changed("expires") {
		life, err := f.readExpires(time.Now(), time.Local)
		if err != nil {
			return r, err
		}
		r.ExpiresIn, f.until = &life.expiresIn, life.until
	}
	// Zero goes to the service too, which refuses it with the range that is valid.
	if changed("max-clicks") {
		r.MaxClicks = &f.maxClicks.clicks
	}
	if changed("language") {
		if err := oneOf("language", f.language, gateway.Languages()); err != nil {
			return r, err
		}
		r.Language = &f.language
	}
	if changed("note") {
		r.Note = &f.note
	}
	// Removing all labels has a flag of its own: an unset variable must not remove them.
	if f.noLabels || len(f.labels) > 0 {
		labels, err := parseLabels(f.labels)
		if err != nil {
			return r, err
		}
		// No labels are an empty set; nil would leave them as they are.
		if labels == nil {
			labels = map[string]string{}
		}
		r.Labels = &labels
	}
	if err := f.access(cmd.Context(), env, &r); err != nil {
		return r, err
	}
	if reflect.ValueOf(r).IsZero() {
		return r, command.Usage("no change was requested", fmt.Sprintf("see: %s --help", cmd.CommandPath()))
	}
	return r, nil
}

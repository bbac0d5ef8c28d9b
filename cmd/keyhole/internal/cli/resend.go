package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// newResend builds keyhole resend. Its flags are those of share, except for the object.
func newResend(env *command.Env) *cobra.Command {
	f := &shareFlags{}
	noPassphrase := false
	cmd := &cobra.Command{
		Use:        "resend ID|URL",
		SuggestFor: []string{"renew", "reissue", "again", "repeat"},
		Short:      "Issue a new link with the settings of another link",
		Long: `Issues a new link for the object of another link, which usually has ended, with the
same settings and the same life. Flags override settings. The other link stays as it is.

The new link delivers the object as it is now, and says so if the object has changed. A
passphrase is stored nowhere, so a link with one needs another: --make-passphrase,
--passphrase-file or --no-passphrase.`,
		Example: `  keyhole resend 7kq… --expires 2h --make-passphrase`,
		Args:    command.ExactArgs(1, "one link, by ID or URL"),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.resend(cmd, env, args[0], noPassphrase) },
	}
	f.operator.add(cmd)
	f.addLimits(cmd)
	f.addProperties(cmd)
	f.addOutput(cmd)
	usageOfResend(cmd)
	cmd.Flags().BoolVar(&noPassphrase, "no-passphrase", false, "issue the link without the passphrase of the other link")
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks())
	completeNames(cmd, "preset", gateway.Presets())
	completeNames(cmd, "pin", pins())
	completeNames(cmd, "reveal", reveals())
	completeNames(cmd, "language", gateway.Languages())
	return cmd
}

// usageOfResend replaces the texts of share that name the defaults of a first link. Without a
// flag, resend takes the setting from the other link.
func usageOfResend(cmd *cobra.Command) {
	const otherwise = "; if the other link says something\nelse, its life is not taken over: see keyhole share"
	for name, usage := range map[string]string{
		"preset": "how long the link lives, by a preset: handoff, troubleshooting, business or extended\n" +
			"(default: as long as the other link)",
		"expires": "how long the link lives, such as 15m, 24h, 7d or 2w; or until when, such as 2026-12-01\n" +
			"(the end of that day here), \"2026-12-01 18:00\" (here) or 2026-12-01T18:00:00+01:00\n" +
			"(default: as long as the other link)",
		"sensitive":     "the object is sensitive" + otherwise,
		"not-sensitive": "the object is not sensitive" + otherwise,
		"not-before": "when the link begins to work, such as 2026-12-01T08:00:00Z, 2026-12-01 or 2h from now\n" +
			"(default: as the other link, if that is in the future)",
		"max-clicks": "how often the link can be used (default: as the other link); recipients see a page first,\n" +
			"and only its button counts",
		"allow": "a network or address that may use the link, such as 192.0.2.0/24, instead of those of the\n" +
			"other link; may be repeated",
		"storage":  "the storage, if several have this bucket (default: that of the other link)",
		"reveal":   "when the page shows the file name: after the passphrase or before (default: as the other link)",
		"filename": "the file name for recipients (default: that of the other link)",
		"pin":      "what the link is pinned to: auto, version, etag or none (default: as the other link)",
		"language": "the language of the link's pages and of --message, such as de (default: that of the other link)",
		"note":     "a note, which recipients see on pages (default: that of the other link)",
		"label":    "a label, name=value, instead of the labels of the other link; may be repeated",
		"json":     "print the link as JSON instead of its URL",
	} {
		cmd.Flags().Lookup(name).Usage = usage
	}
}

// resend issues a link with the settings of the link that arg names.
func (f *shareFlags) resend(cmd *cobra.Command, env *command.Env, arg string, noPassphrase bool) error {
	if noPassphrase && (f.makePassphrase || f.passphraseFile != "") {
		return command.Usage(passphraseAndNone, "use one of them")
	}
	// Only a whole ID: the first characters may name another link tomorrow.
	id, err := parseLinkID(arg)
	if err != nil {
		return f.operator.refuseReference(cmd.Context(), env, cmd.CommandPath(), []string{arg}, err)
	}
	if err := f.complete(cmd, env, false); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	link, err := c.Show(cmd.Context(), id)
	if err != nil {
		return unknownLink(id, err)
	}
	// Without this check the new link would be open to everyone who has it.
	if link.Passphrase && f.request.Passphrase == nil && !noPassphrase {
		return command.Usage("the link has a passphrase, which is stored nowhere",
			"add --make-passphrase or --passphrase-file, or --no-passphrase to share without one")
	}
	// Flags were completed first, so takeFrom sees which settings were given.
	f.takeFrom(&link, time.Now())
	f.earlier = &link
	return f.shareOne(cmd.Context(), env, c, object{link.Bucket, link.Key}.String())
}

// takeFrom fills what no flag has set from a link.
func (f *shareFlags) takeFrom(link *api.Link, now time.Time) {
	r := &f.request
	r.Bucket, r.Key = link.Bucket, link.Key
	r.Storage = cmp.Or(r.Storage, link.Storage)
	if r.Sensitive == nil {
		r.Sensitive = link.Sensitive
	}
	// Another sensitivity has other limits, so its default decides about the life then.
	sameLimits := r.Sensitive == nil || link.Sensitive != nil && *r.Sensitive == *link.Sensitive
	if r.Preset == "" && r.ExpiresIn == "" && sameLimits {
		f.sameLife = true
		if link.Preset == gateway.PresetCustom {
			r.ExpiresIn = gateway.FormatLife(wholeLife(link))
		} else {
			r.Preset = link.Preset
		}
	}
	if r.MaxClicks == nil {
		r.MaxClicks = link.MaxClicks
	}
	// A flag can add the page but not remove it, because it was a decision about this object.
	r.Confirm = r.Confirm || link.Confirm
	if r.Passphrase != nil && link.Passphrase {
		r.Reveal = cmp.Or(r.Reveal, link.Reveal)
	}
	if r.Allow == nil && len(link.Allow) > 0 {
		r.Allow = slices.Clone(link.Allow)
	}
	// A start in the past has no effect any more.
	if r.NotBefore == nil && link.NotBefore != nil && link.NotBefore.After(now) {
		r.NotBefore = new(link.NotBefore.Format(time.RFC3339Nano))
	}
	f.takeProperties(link)
}

// wholeLife returns the time from the issue to the end that a link has or had.
func wholeLife(link *api.Link) time.Duration {
	return max(link.ExpiresAt.Sub(link.CreatedAt).Round(time.Second), time.Second)
}

// likeEarlier says which life of the earlier link the new one has.
func (f *shareFlags) likeEarlier() string {
	if f.request.Preset != "" {
		return f.request.Preset + ", like the other link"
	}
	return "as long as the other link"
}

// lifeOfEarlier says how long the new link will live and until when, if it takes this from the
// earlier link; otherwise it returns "". The end is by the clock of this machine.
func (f *shareFlags) lifeOfEarlier(ctx context.Context, c *client.Client, now time.Time) string {
	if !f.sameLife {
		return ""
	}
	text := f.request.ExpiresIn
	if f.request.Preset != "" {
		// The policy may have changed since. Without an answer the preset is named alone.
		operator, err := c.Operator(ctx)
		at := slices.IndexFunc(operator.Presets, func(p api.Preset) bool { return p.Name == f.request.Preset })
		if err != nil || at < 0 {
			return f.likeEarlier()
		}
		text = operator.Presets[at].ExpiresIn
	}
	life, err := gateway.ParseLife(text)
	if err != nil {
		return f.likeEarlier()
	}
	return fmt.Sprintf("%s, in %s (%s; --expires changes it)", explain.Moment(now.Add(life).UTC()), text,
		f.likeEarlier())
}

// capOf returns the longest life by a sensitivity; nil: it is not stated.
func capOf(caps *api.Caps, sensitive *bool) string {
	switch {
	case sensitive == nil:
		return caps.NotStated
	case *sensitive:
		return caps.Sensitive
	}
	return caps.NotSensitive
}

// longestInstead returns what to do if the service refuses the life of the earlier link: the
// flag with the longest life that it accepts. It is "" for another error, or if the service
// does not say what it accepts.
func (f *shareFlags) longestInstead(ctx context.Context, c *client.Client, err error) string {
	refused, is := errors.AsType[*client.Error](err)
	if !f.sameLife || !is || !slices.ContainsFunc(refused.Errors, func(field api.FieldError) bool {
		return (field.Field == "expires_in" || field.Field == "preset") &&
			(field.Code == "over_policy" || field.Code == string(gateway.CodeOutOfScope))
	}) {
		return ""
	}
	operator, err := c.Operator(ctx)
	if err != nil {
		return ""
	}
	// The policy may have decided about the sensitivity, which a check of a short life shows.
	request := f.request
	request.Preset, request.ExpiresIn = "", "1m"
	checked, err := c.IssueBatch(ctx, api.BatchRequest{Links: []api.IssueRequest{request}, DryRun: true})
	if err != nil || len(checked.Results) != 1 || checked.Results[0].Link == nil {
		return ""
	}
	longest := capOf(&operator.Caps, checked.Results[0].Link.Sensitive)
	if longest == "" {
		return ""
	}
	return fmt.Sprintf("the other link lived for %s; repeat the command with --expires %s, the longest life that is "+
		"allowed", gateway.FormatLife(wholeLife(f.earlier)), longest)
}

// takeProperties fills what recipients see of the object.
func (f *shareFlags) takeProperties(link *api.Link) {
	r := &f.request
	// The usual name is left out, so that the service chooses it as for a first link.
	if r.Filename == "" && link.Filename != gateway.SaveAs("", link.Key) {
		r.Filename = link.Filename
	}
	r.Disposition = cmp.Or(r.Disposition, link.Disposition)
	// A pinned version cannot be requested as such: the service pins the current one, if the
	// storage still keeps versions.
	if r.Pin == "" && r.VersionID == "" && link.Pin != gateway.PinVersion {
		r.Pin = link.Pin
	}
	r.Language = cmp.Or(r.Language, link.Language)
	r.Note = cmp.Or(r.Note, link.Note)
	if r.Labels == nil && len(link.Labels) > 0 {
		r.Labels = maps.Clone(link.Labels)
	}
}

// otherObject tells whether a link delivers another object than an earlier link did, although
// both have the same key.
func otherObject(earlier, link *api.Link) bool {
	return earlier.Object.ETag != link.Object.ETag || earlier.Object.VersionID != link.Object.VersionID
}

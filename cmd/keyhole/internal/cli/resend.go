package cli

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
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
	cmd.Flags().BoolVar(&noPassphrase, "no-passphrase", false, "issue the link without the passphrase of the other link")
	cmd.ValidArgsFunction = asking(env, &f.operator, completeLinks())
	completeNames(cmd, "preset", gateway.Presets())
	completeNames(cmd, "pin", pins())
	completeNames(cmd, "reveal", reveals())
	completeNames(cmd, "language", gateway.Languages())
	return cmd
}

// resend issues a link with the settings of the link that arg names.
func (f *shareFlags) resend(cmd *cobra.Command, env *command.Env, arg string, noPassphrase bool) error {
	if noPassphrase && (f.makePassphrase || f.passphraseFile != "") {
		return command.Usage(passphraseAndNone, "use one of them")
	}
	// Only a whole ID: the first characters may name another link tomorrow.
	id, err := parseLinkID(arg)
	if err != nil {
		return err
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
		return err
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
		if link.Preset == gateway.PresetCustom {
			// The whole life, from the issue to the end that the link has or had.
			r.ExpiresIn = gateway.FormatLife(max(link.ExpiresAt.Sub(link.CreatedAt).Round(time.Second), time.Second))
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

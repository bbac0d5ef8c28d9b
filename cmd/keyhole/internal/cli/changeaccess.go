package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// addAccess adds the flags for who can use the link, and from when on.
func (f *changeFlags) addAccess(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.allow, "allow", nil,
		"a network or address that may use the link, instead of all earlier ones; may be repeated")
	flags.BoolVar(&f.noAllow, "no-allow", false, "allow every address")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "",
		"file with a new passphrase that recipients have to enter; - reads standard input")
	flags.BoolVar(&f.makePassphrase, "make-passphrase", false, "generate a new passphrase and print it")
	flags.BoolVar(&f.noPassphrase, "no-passphrase", false, "remove the passphrase")
	flags.StringVar(&f.notBefore, "not-before", "",
		"when the link begins to work, such as 2026-12-01T08:00:00Z, \"2026-12-01 08:00\" (here), 2026-12-01,\n"+
			"2h from now, or now")
}

// atOnce is the value of --not-before that removes the start of a link.
const atOnce = "now"

// access sets who can use the link, and from when on. A restriction is removed by a flag of
// its own, never by an empty value, because a variable in a script may be unset.
func (f *changeFlags) access(ctx context.Context, env *command.Env, r *api.ChangeRequest) error {
	if err := f.checkAccess(); err != nil {
		return err
	}
	// The field of the request replaces the whole list, as --label replaces all labels.
	if len(f.allow) > 0 {
		r.Allow = &f.allow
	}
	if f.noAllow {
		r.Remove = append(r.Remove, gateway.RemoveAllow)
	}
	if err := f.start(r); err != nil {
		return err
	}
	switch {
	case f.noPassphrase:
		r.Remove = append(r.Remove, gateway.RemovePassphrase)
	case f.makePassphrase:
		r.Passphrase = new(makePassphrase(fewestGroups))
	case f.passphraseFile != "":
		passphrase, err := readPassphrase(ctx, env, f.passphraseFile)
		if err != nil {
			return err
		}
		r.Passphrase = &passphrase
	}
	return nil
}

// start sets or removes the time at which the link begins to work.
func (f *changeFlags) start(r *api.ChangeRequest) error {
	switch f.notBefore {
	case "":
		return nil
	case atOnce:
		r.Remove = append(r.Remove, gateway.RemoveNotBefore)
		return nil
	}
	// The caller ignores the request after an error.
	start, err := readNotBefore(f.notBefore, time.Now(), time.Local)
	r.NotBefore = &start
	return err
}

// checkAccess refuses flags that contradict each other, before a file is read.
func (f *changeFlags) checkAccess() error {
	switch {
	case f.noAllow && len(f.allow) > 0:
		return command.Usage("--allow and --no-allow cannot be combined", "use one of them")
	case f.noPassphrase && (f.makePassphrase || f.passphraseFile != ""):
		return command.Usage(passphraseAndNone, "use one of them")
	case f.makePassphrase && f.passphraseFile != "":
		return command.Usage("--make-passphrase and --passphrase-file cannot be combined", "use one of them")
	}
	// The same form as for share, so that a mistake has the same message in both.
	return checkAllow(f.allow)
}

// passphraseAndNone is the problem of flags for a passphrase and against it.
const passphraseAndNone = "--no-passphrase cannot be combined with --make-passphrase or --passphrase-file"

package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// shareFlags are the flags of share.
type shareFlags struct {
	operator operatorFlags
	// request is what the service is asked for. Flags that fit into it are parsed into it;
	// complete fills in those below.
	request        api.IssueRequest
	sensitive      bool // --sensitive and --not-sensitive: neither means "not stated"
	notSensitive   bool
	inline         bool
	maxClicks      int64 // 0 is an error if the flag was given
	passphraseFile string
	expires        string // as typed: complete converts them for the request
	notBefore      string
	until          time.Time // that --expires names; zero: it names a duration, or nothing
	labels         []string  // name=value
	makePassphrase bool
	partial        bool
	dryRun         bool
	earlier        *api.Link // of resend; nil: there is none
	sameLife       bool      // the life is that of the earlier link
	asked          bool      // the question about several objects was answered
	drawnKey       bool      // the idempotency key is new, so no earlier command has used it
	fromStdin      bool      // the objects come from standard input, so nobody can answer there
	// How the command asks and prints.
	yes     bool
	qr      bool
	qrFile  string
	quiet   bool
	json    bool
	ndjson  bool
	message bool
	copy    bool
	board   *clipboard // for --copy
}

// addLimits adds the flags that limit the link: how long, how often, and by whom it can be
// used.
func (f *shareFlags) addLimits(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.request.Preset, "preset", "",
		"how long the link lives, by a preset: handoff, troubleshooting, business or extended")
	flags.StringVar(&f.expires, "expires", "",
		"how long the link lives, such as 15m, 24h, 7d or 2w; or until when, such as 2026-12-01\n"+
			"(the end of that day here), \"2026-12-01 18:00\" (here) or 2026-12-01T18:00:00+01:00;\n"+
			"without it, the sensitivity decides: see --sensitive")
	flags.BoolVar(&f.sensitive, "sensitive", false,
		"the object is sensitive: the link lives 15m without --expires, and at most 24h, unless the policy\nsays otherwise")
	flags.BoolVar(&f.notSensitive, "not-sensitive", false,
		"the object is not sensitive: the link lives 24h without --expires, and at most 7d, unless the\n"+
			"policy says otherwise")
	flags.StringVar(&f.notBefore, "not-before", "",
		"when the link begins to work, such as 2026-12-01T08:00:00Z, 2026-12-01 or 2h from now")
	flags.Int64Var(&f.maxClicks, "max-clicks", 0,
		"how often the link can be used; recipients see a page first, and only its button counts")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "",
		"file with a passphrase that recipients have to enter; - reads standard input")
	flags.BoolVar(&f.makePassphrase, "make-passphrase", false,
		"generate a passphrase and print it separately from the URL")
	flags.StringArrayVar(&f.request.Allow, "allow", nil,
		"a network or address that may use the link, such as 192.0.2.0/24; may be repeated")
}

// addProperties adds the flags for what is shared, and for what recipients see of it.
func (f *shareFlags) addProperties(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.request.Storage, "storage", "", "the storage, if several have this bucket")
	flags.StringVar(&f.request.Reveal, "reveal", "",
		"when the page shows the file name: after the passphrase (default) or before")
	flags.StringVar(&f.request.Filename, "filename", "",
		"the file name for recipients (default: the last part of the key)")
	flags.BoolVar(&f.inline, "inline", false, "let browsers show the file instead of saving it")
	flags.BoolVar(&f.request.Confirm, "confirm", false, "show recipients a page before the download")
	flags.StringVar(&f.request.Pin, "pin", "", "what the link is pinned to: auto (default), version, etag or none")
	flags.StringVar(&f.request.VersionID, "version-id", "", "share this version of the object instead of the current one")
	flags.StringVar(&f.request.Language, "language", "",
		"the language of the link's pages and of --message, such as de (default: the browser's)")
	flags.StringVar(&f.request.Note, "note", "", "a note, which recipients see on pages")
	flags.StringArrayVar(&f.labels, "label", nil, "a label, name=value; may be repeated")
	flags.StringVar(&f.request.IdempotencyKey, "idempotency-key", "",
		"a text that identifies this request: repeating it returns the same link")
}

// addOutput adds the flags for how the command asks and prints. The service never sees them.
func (f *shareFlags) addOutput(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.yes, "yes", false, "do not ask whether the object is sensitive")
	flags.BoolVar(&f.qr, "qr", false, "also draw the URL as a QR code on standard error")
	flags.StringVar(&f.qrFile, "qr-file", "", "also write the URL as a QR code into this file, .png or .svg")
	flags.BoolVar(&f.quiet, "quiet", false, "print only the URL, and a generated passphrase")
	flags.BoolVar(&f.json, "json", false, "print the link as JSON instead of its URL; several links as items")
	flags.BoolVar(&f.message, "message", false,
		"print a message to send to the recipient instead of the URL alone, in the language of --language or in\n"+
			"English; it never contains the passphrase")
	flags.BoolVar(&f.copy, "copy", false, "also copy the URL or message to the clipboard")
}

// complete builds the request from the flags, except for its object. It finds mistakes in
// them before anything is asked or sent. several says that there are several objects.
func (f *shareFlags) complete(cmd *cobra.Command, env *command.Env, several bool) error {
	var err error
	switch {
	case f.sensitive && f.notSensitive:
		return command.Usage("--sensitive and --not-sensitive cannot be combined", "use one of them, or neither")
	case f.sensitive, f.notSensitive:
		f.request.Sensitive = &f.sensitive
	}
	if f.inline {
		f.request.Disposition = gateway.DispositionInline
	}
	// Zero is a mistake that check refuses, so the value alone does not tell an omitted flag.
	if cmd.Flags().Changed("max-clicks") {
		f.request.MaxClicks = &f.maxClicks
	}
	if f.request.Labels, err = parseLabels(f.labels); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	// Times are read once, so that all objects of the command get the same end.
	if err := f.readTimes(time.Now(), time.Local); err != nil {
		return err
	}
	// A flag for one object is reported before a file with a passphrase is read.
	if several {
		if err := f.checkSeveral(); err != nil {
			return err
		}
	}
	return f.prepare(cmd.Context(), env)
}

// prepare gets what the command needs on this machine: the clipboard and the passphrase.
func (f *shareFlags) prepare(ctx context.Context, env *command.Env) (err error) {
	// A missing clipboard is reported before a link exists that nobody has copied.
	if f.copy {
		if f.board, err = findClipboard(env); err != nil {
			return err
		}
	}
	if err := f.readPassphrase(ctx, env); err != nil {
		return err
	}
	// Each request has a key, so that a failed one can be repeated without a second link.
	if f.request.IdempotencyKey == "" {
		f.request.IdempotencyKey, f.drawnKey = rand.Text(), true
	}
	return nil
}

// readTimes reads --expires and --not-before. An --idempotency-key needs the same request
// each time, so it excludes values that mean another one later.
func (f *shareFlags) readTimes(now time.Time, zone *time.Location) error {
	if f.expires != "" {
		life, err := readExpires(f.expires, now, zone)
		if err != nil {
			return err
		}
		f.request.ExpiresIn, f.until = life.expiresIn, life.until
	}
	if f.notBefore != "" {
		start, err := readNotBefore(f.notBefore, now, zone)
		if err != nil {
			return err
		}
		f.request.NotBefore = &start
	}
	const why = " and --idempotency-key cannot be combined, because it is another request with each call"
	switch {
	case f.request.IdempotencyKey == "":
	case f.expires != "" && moves("expires", f.expires):
		return command.Usage("--expires "+f.expires+why, "write a duration, such as 24h or 7d")
	case f.notBefore != "" && moves("not-before", f.notBefore):
		return command.Usage("--not-before "+f.notBefore+why, "write a time, such as 2026-12-01T08:00:00Z")
	}
	return nil
}

// expiryToSend counts the life until the time of --expires again, right before a request:
// the person may have thought about a question meanwhile, and other requests take time.
func (f *shareFlags) expiryToSend(all []*sharing, now time.Time) {
	if f.until.IsZero() {
		return
	}
	f.request.ExpiresIn = lifeToSend(f.until, now)
	for _, s := range all {
		s.request.ExpiresIn = f.request.ExpiresIn // the same for all, and as fixed writes it
	}
}

// fixed returns the flags of a request in the form in which a repeated command makes the
// same request, if they were typed in another one.
func (f *shareFlags) fixed() string {
	var flags []string
	if f.expires != "" && moves("expires", f.expires) {
		flags = append(flags, "--expires "+f.request.ExpiresIn)
	}
	if f.notBefore != "" && moves("not-before", f.notBefore) {
		flags = append(flags, "--not-before "+*f.request.NotBefore)
	}
	return strings.Join(flags, " ")
}

// endTolerance is the difference between the end that was asked for and the end of the link
// above which share tells it. A smaller one comes from the time of the request.
const endTolerance = 30 * time.Second

// tellClock says that a link ends at another time than --expires names, because the clock
// of this machine differs from the clock of the service.
func (f *shareFlags) tellClock(env *command.Env, link *api.Link) {
	if late := link.ExpiresAt.Sub(f.until).Round(time.Second); !f.until.IsZero() && late.Abs() > endTolerance {
		fmt.Fprintf(env.Stderr, "  warning   you asked for %s; the clocks of this machine and the service differ by %s\n",
			f.until.Format(time.RFC3339), late.Abs())
	}
}

// readPassphrase sets the passphrase of the request, if one is wanted. It runs after check,
// so that a mistake in another flag is reported before a file is read.
func (f *shareFlags) readPassphrase(ctx context.Context, env *command.Env) error {
	switch {
	case f.makePassphrase && f.passphraseFile != "":
		return command.Usage("--make-passphrase and --passphrase-file cannot be combined", "use one of them")
	case f.makePassphrase && f.request.IdempotencyKey != "":
		return command.Usage("--make-passphrase and --idempotency-key cannot be combined, because each passphrase is "+
			"another request", "write the passphrase into a file and use --passphrase-file")
	case f.makePassphrase:
		f.request.Passphrase = new(makePassphrase(fewestGroups))
	case f.passphraseFile == fromInput && f.fromStdin:
		return command.Usage("standard input cannot be both the list of objects and the passphrase",
			"write the passphrase into a file")
	case f.passphraseFile != "":
		passphrase, err := readPassphrase(ctx, env, f.passphraseFile)
		if err != nil {
			return err
		}
		f.request.Passphrase = &passphrase
	}
	return nil
}

// check refuses flags that every service would refuse, whatever its policy. Everything that
// depends on the policy, such as the longest life, is left to the service.
func (f *shareFlags) check() error {
	r := &f.request
	switch {
	case r.Preset != "" && f.expires != "":
		return command.Usage("--preset and --expires cannot be combined", "use one of them, or neither")
	case f.message && f.json:
		return command.Usage("--message and --json cannot be combined", "use one of them")
	case f.message && f.ndjson:
		return command.Usage("--message and --ndjson cannot be combined", "use one of them")
	case f.json && f.ndjson:
		return command.Usage("--json and --ndjson cannot be combined", "use one of them")
	}
	// The service refuses other values too, but only these messages name the nearest one.
	if err := oneOf("preset", r.Preset, gateway.Presets()); err != nil {
		return err
	}
	if err := oneOf("pin", r.Pin, pins()); err != nil {
		return err
	}
	if err := oneOf("reveal", r.Reveal, reveals()); err != nil {
		return err
	}
	if err := oneOf("language", r.Language, gateway.Languages()); err != nil {
		return err
	}
	// Without a passphrase the page would hide the file name for ever (after), or the flag
	// would have no effect (before), which the service accepts.
	if r.Reveal != "" && f.passphraseFile == "" && !f.makePassphrase {
		return command.Usage("--reveal "+r.Reveal+" needs a passphrase",
			"add --make-passphrase or --passphrase-file, or omit --reveal")
	}
	if err := checkUse(r); err != nil {
		return err
	}
	if r.IdempotencyKey != "" && !idempotencyKey.MatchString(r.IdempotencyKey) {
		return command.Usage("--idempotency-key must have 1 to 128 printable ASCII characters", "use another text")
	}
	return checkQRFile(f.qrFile)
}

// checkUse refuses limits of use that no link can have. The hints show the form, because
// most of these mistakes are in the form.
func checkUse(r *api.IssueRequest) error {
	if r.MaxClicks != nil && *r.MaxClicks < 1 {
		return command.Usage("--max-clicks must be at least 1", "omit it for a link without a limit")
	}
	return checkAllow(r.Allow)
}

// checkAllow refuses values of --allow that are no address and no network.
func checkAllow(texts []string) error {
	for _, text := range texts {
		if _, err := gateway.ParsePrefix(text); err != nil {
			return command.Usage(fmt.Sprintf("--allow: %q is neither an address nor a network", text),
				"write it as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
		}
	}
	return nil
}

// idempotencyKey matches valid values of the header Idempotency-Key.
var idempotencyKey = regexp.MustCompile(`^[ -~]{1,128}$`)

// pins returns the values of --pin.
func pins() []string {
	return []string{gateway.PinAuto, gateway.PinVersion, gateway.PinETag, gateway.PinNone}
}

// reveals returns the values of --reveal.
func reveals() []string { return []string{gateway.RevealAfter, gateway.RevealBefore} }

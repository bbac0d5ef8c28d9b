package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
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
	notBefore      string
	labels         []string // name=value
	makePassphrase bool
	// How the command asks and prints.
	yes    bool
	qr     bool
	qrFile string
	quiet  bool
	json   bool
}

// newShare builds keyhole share.
func newShare(env *command.Env) *cobra.Command {
	f := &shareFlags{}
	cmd := &cobra.Command{
		Use:        "share s3://BUCKET/KEY",
		SuggestFor: []string{"issue", "create", "add", "new"},
		Short:      "Issue a link for one object",
		Long: `Issues a link for one object and prints only its URL to standard output. It prints the
properties of the link and warnings to standard error. On a terminal it asks whether the
object is sensitive, unless a flag says so.

KEY is taken literally: nothing in it is unescaped.`,
		Example: `  keyhole share s3://reports/q3.pdf --expires 1h
  keyhole share s3://reports/q3.pdf --preset handoff --sensitive | pbcopy
  keyhole share s3://reports/q3.pdf --max-clicks 1 --allow 192.0.2.0/24
  keyhole share s3://reports/q3.pdf --make-passphrase --qr`,
		Args: command.ExactArgs(1, "one object, s3://BUCKET/KEY"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args[0]) },
	}
	flags := cmd.Flags()
	f.operator.add(cmd)
	flags.StringVar(&f.request.Storage, "storage", "", "the storage, if several have this bucket")
	flags.StringVar(&f.request.Preset, "preset", "",
		"how long the link lives, by a preset: handoff, troubleshooting, business or extended")
	flags.StringVar(&f.request.ExpiresIn, "expires", "", "how long the link lives, such as 15m, 24h or 7d")
	flags.BoolVar(&f.sensitive, "sensitive", false,
		"the object is sensitive: the link lives at most 24h, unless policy.caps says otherwise")
	flags.BoolVar(&f.notSensitive, "not-sensitive", false,
		"the object is not sensitive: the link lives at most 7d, unless policy.caps says otherwise")
	flags.Int64Var(&f.maxClicks, "max-clicks", 0,
		"how often the link can be used; recipients see a page first, and only its button counts")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "file with a passphrase that recipients have to enter")
	flags.BoolVar(&f.makePassphrase, "make-passphrase", false,
		"generate a passphrase and print it separately from the URL")
	flags.StringVar(&f.request.Reveal, "reveal", "",
		"when the page shows the file name: after the passphrase (default) or before")
	flags.StringVar(&f.request.Filename, "filename", "",
		"the file name for recipients (default: the last part of the key)")
	flags.BoolVar(&f.inline, "inline", false, "let browsers show the file instead of saving it")
	flags.BoolVar(&f.request.Confirm, "confirm", false, "show recipients a page before the download")
	flags.StringArrayVar(&f.request.Allow, "allow", nil,
		"a network or address that may use the link, such as 192.0.2.0/24; may be repeated")
	flags.StringVar(&f.notBefore, "not-before", "", "when the link begins to work, such as 2026-12-01T08:00:00Z")
	flags.StringVar(&f.request.Pin, "pin", "", "what the link is pinned to: auto (default), version, etag or none")
	flags.StringVar(&f.request.VersionID, "version-id", "", "share this version of the object instead of the current one")
	flags.StringVar(&f.request.Note, "note", "", "a note, which recipients see on pages")
	flags.StringArrayVar(&f.labels, "label", nil, "a label, name=value; may be repeated")
	flags.StringVar(&f.request.IdempotencyKey, "idempotency-key", "",
		"a text that identifies this request: repeating it returns the same link")
	flags.BoolVar(&f.yes, "yes", false, "do not ask whether the object is sensitive")
	flags.BoolVar(&f.qr, "qr", false, "also draw the URL as a QR code on standard error")
	flags.StringVar(&f.qrFile, "qr-file", "", "also write the URL as a QR code into this file, .png or .svg")
	flags.BoolVar(&f.quiet, "quiet", false, "print only the URL, and a generated passphrase")
	flags.BoolVar(&f.json, "json", false, "print the whole response as JSON instead of the URL")
	cmd.ValidArgsFunction = asking(env, &f.operator, completeObjects)
	completeNames(cmd, "preset", gateway.Presets())
	completeNames(cmd, "pin", pins())
	completeNames(cmd, "reveal", reveals())
	return cmd
}

// run issues the link. Everything that can fail on this machine is done before the request,
// because a link that was issued and not printed is lost: nobody can read its URL again.
func (f *shareFlags) run(cmd *cobra.Command, env *command.Env, object string) error {
	if err := f.complete(cmd, env, object); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	// A question needs a person who reads it and can answer. If the URL goes into a pipe,
	// another program waits for it, so the command does not ask and says so afterwards.
	asks := f.request.Sensitive == nil && !f.yes && term.IsTerminal(env.Stdin) && term.IsTerminal(env.Stderr)
	if asks && term.IsTerminal(env.Stdout) {
		if f.request.Sensitive, err = askSensitivity(cmd.Context(), env, c, &f.request); err != nil {
			return err
		}
	}
	// The file is created before the link, so that a mistake in its name issues no link.
	var picture *qrFile
	if f.qrFile != "" {
		if picture, err = createQRFile(f.qrFile); err != nil {
			return err
		}
		defer picture.discard()
	}
	link, err := c.Issue(cmd.Context(), f.request)
	if err != nil {
		return f.mayBeIssued(nearObject(cmd.Context(), c, f.request.Bucket, f.request.Key, inFlags(err, f.sensitive, object)))
	}
	switch {
	case !f.quiet:
		checklist(env.Stderr, &f.request, &link, time.Now())
		if asks && !term.IsTerminal(env.Stdout) && link.Sensitive == nil {
			fmt.Fprintln(env.Stderr,
				"  note      sensitivity was not asked because output is not a terminal: use --sensitive or --not-sensitive")
		}
	case !explain.Usable(&link):
		fmt.Fprintf(env.Stderr, "warning: an earlier request issued this link, and it is %s\n", term.Plain(link.State))
	}
	if f.makePassphrase {
		tellPassphrase(env.Stderr, *f.request.Passphrase, f.quiet)
	}
	if err := f.print(env, &link, picture); err != nil {
		return &command.Error{
			Err:  fmt.Errorf("the link %s was issued, but its URL cannot be written: %w", link.ID, err),
			Hint: "keyhole revoke " + link.ID, Code: command.ExitFailed,
		}
	}
	return nil
}

// mayBeIssued adds a hint to an error after which the link may exist: how to repeat the
// request without issuing a second link.
func (f *shareFlags) mayBeIssued(err error) error {
	var refused *client.Error
	var failed *net.OpError
	switch {
	case errors.As(err, &refused):
		// The service issued nothing if it answered with a client error. After its own
		// failure, such as not_confirmed, the link may exist.
		if refused.Status < http.StatusInternalServerError {
			return err
		}
	case errors.As(err, &failed) && failed.Op == "dial": // nothing was sent
		return err
	case !errors.Is(err, client.ErrUnreachable) && !errors.Is(err, client.ErrBrokeOff) && !errors.Is(err, client.ErrProxy):
		return err
	}
	hint := "repeat the command with --idempotency-key " + term.ShellWord(f.request.IdempotencyKey) +
		": this issues no second link"
	if f.makePassphrase {
		hint = "keyhole list shows whether the link was issued: revoke it, and share again"
	}
	if errors.Is(err, client.ErrUnreachable) && !errors.Is(err, context.Canceled) {
		hint = unreachableHint + "\n  then " + hint
	}
	return &command.Error{Err: err, Hint: hint, Code: command.ExitFailed}
}

// print prints the URL, then its QR code if requested. The URL comes first because it
// exists nowhere else.
func (f *shareFlags) print(env *command.Env, link *api.Link, picture *qrFile) error {
	var err error
	if f.json {
		err = term.PrintJSON(env.Stdout, link)
	} else {
		_, err = fmt.Fprintln(env.Stdout, term.Plain(link.URL))
	}
	if err != nil || !f.qr && picture == nil {
		return err
	}
	code, err := term.EncodeQR(link.URL)
	if err != nil {
		return err
	}
	if f.qr {
		columns := code.Size + 2*term.QuietZone
		if width := term.ScreenOf(env.Stderr).Width; width > 0 && width < columns {
			fmt.Fprintf(env.Stderr, "warning: the QR code needs %d columns; use --qr-file\n", columns)
		} else {
			fmt.Fprint(env.Stderr, term.QRText(code, term.IsTerminal(env.Stderr)))
		}
	}
	if picture != nil {
		return picture.write(code)
	}
	return nil
}

// complete builds the request from the flags and the argument. It finds mistakes in them
// before anything is asked or sent.
func (f *shareFlags) complete(cmd *cobra.Command, env *command.Env, object string) error {
	var err error
	if f.request.Bucket, f.request.Key, err = parseObject(object); err != nil {
		return err
	}
	switch {
	case f.sensitive && f.notSensitive:
		return command.Usage("--sensitive and --not-sensitive cannot be combined", "use one of them, or neither")
	case f.sensitive, f.notSensitive:
		f.request.Sensitive = &f.sensitive
	}
	if f.inline {
		f.request.Disposition = gateway.DispositionInline
	}
	if cmd.Flags().Changed("max-clicks") {
		f.request.MaxClicks = &f.maxClicks
	}
	if f.notBefore != "" {
		f.request.NotBefore = &f.notBefore
	}
	if f.request.Labels, err = parseLabels(f.labels); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.makePassphrase && f.passphraseFile != "":
		return command.Usage("--make-passphrase and --passphrase-file cannot be combined", "use one of them")
	case f.makePassphrase && f.request.IdempotencyKey != "":
		return command.Usage("--make-passphrase and --idempotency-key cannot be combined, because each passphrase is "+
			"another request", "write the passphrase into a file and use --passphrase-file")
	case f.makePassphrase:
		f.request.Passphrase = new(makePassphrase())
	case f.passphraseFile != "":
		passphrase, err := readPassphrase(env.Stderr, f.passphraseFile)
		if err != nil {
			return err
		}
		f.request.Passphrase = &passphrase
	}
	// Each request has a key, so that a failed one can be repeated without a second link.
	if f.request.IdempotencyKey == "" {
		f.request.IdempotencyKey = rand.Text()
	}
	return nil
}

// check refuses flags that every service would refuse, whatever its policy. Everything that
// depends on the policy, such as the longest life, is left to the service.
func (f *shareFlags) check() error {
	r := &f.request
	if r.Preset != "" && r.ExpiresIn != "" {
		return command.Usage("--preset and --expires cannot be combined", "use one of them, or neither")
	}
	if r.ExpiresIn != "" {
		if _, err := gateway.ParseLife(r.ExpiresIn); err != nil {
			return command.Usage("--expires: "+err.Error(), "write it as 15m, 24h or 7d")
		}
	}
	if err := oneOf("preset", r.Preset, gateway.Presets()); err != nil {
		return err
	}
	if err := oneOf("pin", r.Pin, pins()); err != nil {
		return err
	}
	if err := oneOf("reveal", r.Reveal, reveals()); err != nil {
		return err
	}
	if r.Reveal == gateway.RevealAfter && f.passphraseFile == "" && !f.makePassphrase {
		return command.Usage("--reveal after needs a passphrase", "add --make-passphrase or --passphrase-file")
	}
	if r.MaxClicks != nil && *r.MaxClicks < 1 {
		return command.Usage("--max-clicks must be at least 1", "omit it for a link without a limit")
	}
	for _, text := range r.Allow {
		if _, err := gateway.ParsePrefix(text); err != nil {
			return command.Usage(fmt.Sprintf("--allow: %q is neither an address nor a network", text),
				"write it as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
		}
	}
	if r.NotBefore != nil {
		if _, err := time.Parse(time.RFC3339, *r.NotBefore); err != nil {
			return command.Usage(fmt.Sprintf("--not-before: %q is not a time", *r.NotBefore),
				"write it as 2026-12-01T08:00:00Z, with the time zone")
		}
	}
	if r.IdempotencyKey != "" && !idempotencyKey.MatchString(r.IdempotencyKey) {
		return command.Usage("--idempotency-key must have 1 to 128 printable ASCII characters", "use another text")
	}
	return checkQRFile(f.qrFile)
}

// idempotencyKey matches valid values of the header Idempotency-Key.
var idempotencyKey = regexp.MustCompile(`^[ -~]{1,128}$`)

// pins returns the values of --pin.
func pins() []string {
	return []string{gateway.PinAuto, gateway.PinVersion, gateway.PinETag, gateway.PinNone}
}

// reveals returns the values of --reveal.
func reveals() []string { return []string{gateway.RevealAfter, gateway.RevealBefore} }

// parseObject splits s3://BUCKET/KEY. The key is everything behind the bucket, without
// unescaping.
func parseObject(arg string) (bucket, key string, err error) {
	bucket, key = splitS3(arg)
	if bucket == "" || key == "" {
		return "", "", notS3(arg, "an object", "s3://BUCKET/KEY")
	}
	return bucket, key, nil
}

// splitS3 splits s3://BUCKET/REST at the bucket's slash. Both are empty if arg is not an
// s3:// URL. Nothing in REST is unescaped.
func splitS3(arg string) (bucket, rest string) {
	if path, ok := strings.CutPrefix(arg, "s3://"); ok {
		bucket, rest, _ = strings.Cut(path, "/")
	}
	return bucket, rest
}

// parseLabels parses name=value pairs. It returns nil for none. A value may be empty and may
// contain an equals sign; the service checks length and letters.
func parseLabels(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	labels := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, command.Usage(fmt.Sprintf("%q is not a label", pair), "write it as --label name=value")
		}
		if _, twice := labels[name]; twice {
			return nil, command.Usage(fmt.Sprintf("the label %q is repeated", name), "use each label once")
		}
		labels[name] = value
	}
	return labels, nil
}

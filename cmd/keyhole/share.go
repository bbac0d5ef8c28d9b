package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"keyhole/gateway"
	"keyhole/gateway/api"
)

// shareFlags is what share was told beside the object.
type shareFlags struct {
	operator       operatorFlags
	request        api.IssueRequest
	sensitive      bool
	notSensitive   bool
	inline         bool
	maxClicks      int64
	passphraseFile string
	notBefore      string
	labels         []string
	makePassphrase bool
	yes            bool
	qr             bool
	qrFile         string
	quiet          bool
	json           bool
}

// newShare builds keyhole share.
func newShare(world *surroundings) *cobra.Command {
	f := &shareFlags{}
	cmd := &cobra.Command{
		Use:   "share s3://BUCKET/KEY",
		Short: "Issue a link for one object",
		Long: `Issues a link for one object and prints its URL, alone, on standard output. What
is shared, for how long, and what to mind is printed on standard error. On a
terminal it asks whether the object is sensitive, where that was not said.

KEY is taken literally: nothing in it is unescaped.`,
		Example: `  keyhole share s3://reports/q3.pdf --expires 1h
  keyhole share s3://reports/q3.pdf --preset handoff --sensitive | pbcopy
  keyhole share s3://reports/q3.pdf --max-clicks 1 --allow 192.0.2.0/24
  keyhole share s3://reports/q3.pdf --make-passphrase --qr`,
		Args: exactly(1, "one object, s3://BUCKET/KEY"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, world, args[0]) },
	}
	flags := cmd.Flags()
	f.operator.add(cmd)
	flags.StringVar(&f.request.Storage, "storage", "", "the storage, where several have the bucket")
	flags.StringVar(&f.request.Preset, "preset", "", "how long the link lives: handoff, troubleshooting, business or extended")
	flags.StringVar(&f.request.ExpiresIn, "expires", "", "how long the link lives, such as 15m, 24h or 7d")
	flags.BoolVar(&f.sensitive, "sensitive", false, "the object is sensitive: shorter life, at most 24h")
	flags.BoolVar(&f.notSensitive, "not-sensitive", false, "the object is not sensitive: up to 7d")
	flags.Int64Var(&f.maxClicks, "max-clicks", 0, "how often it can be used; recipients see a page first, and its button alone counts")
	flags.StringVar(&f.passphraseFile, "passphrase-file", "", "file with a passphrase that recipients must know")
	flags.BoolVar(&f.makePassphrase, "make-passphrase", false, "make a passphrase up, and print it apart from the URL")
	flags.StringVar(&f.request.Filename, "filename", "", "the file name that recipients are offered (default: the key's last part)")
	flags.BoolVar(&f.inline, "inline", false, "let browsers show the file instead of saving it")
	flags.BoolVar(&f.request.Confirm, "confirm", false, "show recipients a page before the download")
	flags.StringArrayVar(&f.request.Allow, "allow", nil, "a network or address that may use it, such as 192.0.2.0/24; may be repeated")
	flags.StringVar(&f.notBefore, "not-before", "", "when it begins to work, such as 2026-12-01T08:00:00Z")
	flags.StringVar(&f.request.Pin, "pin", "", "what a click must find: auto (default), version, etag or none")
	flags.StringVar(&f.request.VersionID, "version-id", "", "share this version of the object, not the current one")
	flags.StringVar(&f.request.Note, "note", "", "a note, which recipients see too where they are shown a page")
	flags.StringArrayVar(&f.labels, "label", nil, "a label, name=value; may be repeated")
	flags.StringVar(&f.request.IdempotencyKey, "idempotency-key", "", "repeat the issue that was made with this text, or make the first")
	flags.BoolVar(&f.yes, "yes", false, "do not ask whether the object is sensitive")
	flags.BoolVar(&f.qr, "qr", false, "draw the URL as a QR code on standard error too")
	flags.StringVar(&f.qrFile, "qr-file", "", "write the URL as a QR code into this file, .png or .svg")
	flags.BoolVar(&f.quiet, "quiet", false, "print the URL alone, and warnings")
	flags.BoolVar(&f.json, "json", false, "print the whole answer as JSON instead of the URL")
	cmd.ValidArgsFunction = asking(world, &f.operator, completeObjects)
	completeNames(cmd, "preset", gateway.Presets())
	completeNames(cmd, "pin", []string{gateway.PinAuto, gateway.PinVersion, gateway.PinETag, gateway.PinNone})
	return cmd
}

// run issues the link.
func (f *shareFlags) run(cmd *cobra.Command, world *surroundings, object string) error {
	if err := f.complete(cmd, object); err != nil {
		return err
	}
	c, err := f.operator.client(world)
	if err != nil {
		return err
	}
	if f.request.Sensitive == nil && !f.yes && isTerminal(world.stdin) && isTerminal(world.stdout) && isTerminal(world.stderr) {
		if f.request.Sensitive, err = askSensitivity(cmd.Context(), world, c, &f.request); err != nil {
			return err
		}
	}
	link, err := c.Issue(cmd.Context(), f.request)
	if err != nil {
		return nearObject(cmd.Context(), c, f.request.Bucket, f.request.Key, inFlags(err, f.sensitive))
	}
	if f.quiet {
		warnings(world.stderr, &link)
	} else {
		checklist(world.stderr, &f.request, &link, time.Now())
	}
	if f.makePassphrase {
		fmt.Fprintf(world.stderr, "\nPassphrase: %s\nSend it another way than the link, by phone for instance. It is shown this once.\n", *f.request.Passphrase)
	}
	return f.print(world, &link)
}

// print prints the URL, and its QR code where that was asked for. The URL comes
// first: it exists nowhere else.
func (f *shareFlags) print(world *surroundings, link *api.Link) error {
	var err error
	if f.json {
		err = printJSON(world.stdout, link)
	} else {
		_, err = fmt.Fprintln(world.stdout, link.URL)
	}
	if err != nil || !f.qr && f.qrFile == "" {
		return err
	}
	code, err := encodeQR(link.URL)
	if err != nil {
		return err
	}
	if f.qr {
		fmt.Fprint(world.stderr, qrText(code, isTerminal(world.stderr)))
	}
	if f.qrFile != "" {
		return writeQRFile(f.qrFile, code)
	}
	return nil
}

// complete puts flags and argument into the request.
func (f *shareFlags) complete(cmd *cobra.Command, object string) error {
	var err error
	if f.request.Bucket, f.request.Key, err = parseObject(object); err != nil {
		return err
	}
	switch {
	case f.sensitive && f.notSensitive:
		return usage("--sensitive and --not-sensitive contradict each other", "give one of them, or neither")
	case f.sensitive, f.notSensitive:
		f.request.Sensitive = &f.sensitive
	}
	if f.request.Preset != "" && f.request.ExpiresIn != "" {
		return usage("--preset and --expires contradict each other", "give one of them, or neither")
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
	if err := checkQRFile(f.qrFile); err != nil {
		return err
	}
	switch {
	case f.makePassphrase && f.passphraseFile != "":
		return usage("--make-passphrase and --passphrase-file contradict each other", "give one of them")
	case f.makePassphrase && f.request.IdempotencyKey != "":
		return usage("--make-passphrase makes another request each time", "write the passphrase into a file, and repeat the request with --passphrase-file")
	case f.makePassphrase:
		f.request.Passphrase = new(makePassphrase())
	}
	if f.passphraseFile != "" {
		text, err := os.ReadFile(f.passphraseFile)
		if err != nil {
			return usage(fmt.Sprintf("the passphrase file cannot be read: %v", err), "give a readable file by --passphrase-file")
		}
		if !utf8.Valid(text) {
			return usage("the passphrase is not valid UTF-8", "write it in UTF-8 into the file of --passphrase-file")
		}
		f.request.Passphrase = new(strings.TrimRight(string(text), "\r\n"))
	}
	f.request.Labels, err = parseLabels(f.labels)
	return err
}

// parseObject splits s3://BUCKET/KEY. The key is everything behind the bucket,
// as it stands.
func parseObject(arg string) (bucket, key string, err error) {
	bucket, key = splitS3(arg)
	if bucket == "" || key == "" {
		return "", "", notS3(arg, "an object", "s3://BUCKET/KEY")
	}
	return bucket, key, nil
}

// splitS3 splits s3://BUCKET/REST at the bucket's slash, and leaves both empty of
// what is no s3:// URL. Nothing in REST is unescaped.
func splitS3(arg string) (bucket, rest string) {
	if path, ok := strings.CutPrefix(arg, "s3://"); ok {
		bucket, rest, _ = strings.Cut(path, "/")
	}
	return bucket, rest
}

// parseLabels reads name=value pairs.
func parseLabels(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	labels := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := labels[name]; !ok || twice {
			return nil, usage(fmt.Sprintf("%q is not a label of its own", pair), "write each label once, as --label name=value")
		}
		labels[name] = value
	}
	return labels, nil
}

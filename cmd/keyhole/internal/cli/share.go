package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/explain"
)

// newShare builds keyhole share.
func newShare(env *command.Env) *cobra.Command {
	f := &shareFlags{}
	cmd := &cobra.Command{
		Use:        "share s3://BUCKET/KEY...",
		SuggestFor: []string{"issue", "create", "add", "new"},
		Short:      "Issue a link for one object, or one link for each of several",
		Long: `Issues a link for one object and prints only its URL to standard output. It prints the
properties of the link and warnings to standard error. On a terminal it asks whether the
object is sensitive, unless a flag says so.

KEY is taken literally: nothing in it is unescaped. With several objects, each gets a
link with the same properties, or none does if one is refused. The argument - reads
objects from standard input, one on each line.

Scripts use --dry-run to check everything first, --ndjson to read one link a line, and
--idempotency-key to repeat a request without a second link.`,
		Example: `  keyhole share s3://reports/q3.pdf --expires 1h
  keyhole share s3://reports/q3.pdf --preset handoff --sensitive | pbcopy
  keyhole share s3://reports/q3.pdf --max-clicks 1 --allow 192.0.2.0/24
  keyhole share s3://reports/q3.pdf s3://reports/2026/q3-figures.csv --expires 2h
  keyhole share s3://reports/q3.pdf --make-passphrase --qr
  keyhole share s3://reports/q3.pdf s3://reports/2026/q3-figures.csv --dry-run --ndjson
  keyhole share s3://reports/q3.pdf s3://reports/2026/q3-figures.csv --ndjson --idempotency-key job-4711`,
		Args: someObjects,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, env, args) },
	}
	f.operator.add(cmd)
	f.addLimits(cmd)
	f.addProperties(cmd)
	f.addOutput(cmd)
	cmd.Flags().BoolVar(&f.partial, "partial", false,
		"with several objects, share the others if some are refused")
	f.addScripts(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeObjects)
	completeFlag(cmd, "preset", completePresets(env, &f.operator))
	completeFlag(cmd, "label", asking(env, &f.operator, completeLabels))
	helpWithPresets(cmd, env, &f.operator)
	completeNames(cmd, "pin", pins())
	completeNames(cmd, "reveal", reveals())
	completeNames(cmd, "language", gateway.Languages())
	return cmd
}

// someObjects checks that share has an argument.
func someObjects(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return command.ExactArgs(1, "one object, s3://BUCKET/KEY")(cmd, args)
}

// run issues a link for one object, or several links. Everything that can fail on this
// machine is done before the request, because a link that was issued and not printed is
// lost: nobody can read its URL again.
func (f *shareFlags) run(cmd *cobra.Command, env *command.Env, args []string) error {
	objects, err := f.readObjects(env, args)
	if err != nil {
		return err
	}
	if err := f.complete(cmd, env, len(objects) > 1); err != nil {
		return err
	}
	c, err := f.operator.client(env)
	if err != nil {
		return err
	}
	if f.dryRun {
		return f.tryAll(cmd.Context(), env, c, objects)
	}
	if len(objects) > 1 {
		return f.shareAll(cmd.Context(), env, c, objects)
	}
	f.request.Bucket, f.request.Key = objects[0].bucket, objects[0].key
	return f.shareOne(cmd.Context(), env, c, objects[0].String())
}

// shareOne issues the link of the request. object is the argument that names its object in
// refusals.
func (f *shareFlags) shareOne(ctx context.Context, env *command.Env, c *client.Client, object string) error {
	var err error
	if f.mayAsk(env) && term.IsTerminal(env.Stdout) {
		if f.request.Sensitive, err = askSensitivity(ctx, env, c, &f.request, func() string {
			return f.lifeOfEarlier(ctx, c, time.Now())
		}); err != nil {
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
	f.expiryToSend(nil, time.Now())
	link, err := f.issue(ctx, c)
	if err != nil {
		shorter := f.longestInstead(ctx, c, err)
		err = withLatest(inFlags(err, f.sensitive, object), !f.until.IsZero(), time.Now(), time.Local)
		err = f.mayBeIssued(nearObject(ctx, c, f.request.Bucket, f.request.Key, err))
		if shorter != "" {
			return &command.Error{Err: err, Hint: shorter, Code: command.ExitFailed}
		}
		return err
	}
	f.describe(env, &link)
	err = f.print(ctx, env, &link, picture)
	warnOfEnded(env.Stderr, "this link", &link) // even with --quiet
	if err != nil {
		return &command.Error{
			Err:  fmt.Errorf("the link %s was issued, but: %w", link.ID, err),
			Hint: "keyhole revoke " + link.ID, Code: command.ExitFailed,
		}
	}
	return nil
}

// issue issues the link. It makes a generated passphrase longer until the policy of the
// service accepts it.
func (f *shareFlags) issue(ctx context.Context, c *client.Client) (api.Link, error) {
	for {
		link, err := c.Issue(ctx, f.request)
		var refused *client.Error
		if !errors.As(err, &refused) || !f.lengthenPassphrase(refused.Errors) {
			return link, err
		}
	}
}

// mayAsk tells whether sensitivity was not stated and a person can be asked for it. A
// question needs a person who reads it and can answer. If the URL goes into a pipe, another
// program waits for it, so the command does not ask and says so afterwards.
func (f *shareFlags) mayAsk(env *command.Env) bool {
	return f.request.Sensitive == nil && !f.yes && !f.fromStdin &&
		term.IsTerminal(env.Stdin) && term.IsTerminal(env.Stderr)
}

// describe prints to standard error what was shared. It does so before the URL is printed,
// so that on a terminal the URL stands below the text and is easy to find.
func (f *shareFlags) describe(env *command.Env, link *api.Link) {
	if !f.quiet {
		why := explain.ExpiryReason(&f.request, link)
		if f.sameLife {
			why = f.likeEarlier()
		}
		checklist(env.Stderr, &f.request, link, why, time.Now())
		f.tellClock(env, link)
		f.tellNotAsked(env, link)
		f.tellFile(env, link)
		f.tellRepeated(env.Stderr, link)
	}
	if f.makePassphrase {
		tellPassphrase(env.Stderr, *f.request.Passphrase, f.quiet)
	}
}

// tellFile says that the message omits the name of the file, and that the link of resend
// delivers another file than the earlier link.
func (f *shareFlags) tellFile(env *command.Env, link *api.Link) {
	if f.message && explain.HidesFile(link) {
		fmt.Fprintln(env.Stderr,
			"  note      the message omits the file name, because the page hides it until the passphrase")
	}
	if f.earlier != nil && otherObject(f.earlier, link) {
		fmt.Fprintln(env.Stderr,
			"  warning   the object was replaced since the other link was issued: check that it is the right one")
	}
}

// tellNotAsked says that nobody was asked whether an object is sensitive, although a person
// is there. The policy may have decided, and then the answer would have changed nothing.
func (f *shareFlags) tellNotAsked(env *command.Env, link *api.Link) {
	why := "output is not a terminal"
	switch {
	case f.request.Sensitive != nil || f.yes || link.Sensitive != nil || !term.IsTerminal(env.Stderr):
		return
	case f.fromStdin:
		why = "standard input lists the objects"
	case !term.IsTerminal(env.Stdin) || term.IsTerminal(env.Stdout):
		return
	}
	const text = "  note      sensitivity was not asked because %s: use --sensitive or --not-sensitive\n"
	fmt.Fprintf(env.Stderr, text, why)
}

// mayBeIssued adds a hint to an error after which the link may exist: how to repeat the
// request without issuing a second link.
func (f *shareFlags) mayBeIssued(err error) error {
	if !leavesOpen(err) {
		return err
	}
	hint := f.howToRepeat()
	if f.makePassphrase {
		hint = "keyhole list shows whether the link was issued: revoke it, and share again"
	}
	if refused, is := errors.AsType[*client.Error](err); is && refused.Code == string(gateway.CodeUnavailable) {
		hint += "\n" + findCause
	}
	return unknownResult(err, hint)
}

// leavesOpen tells whether the service may have carried out a request that failed.
func leavesOpen(err error) bool {
	// The service issued nothing if it answered with a client error. After its own failure,
	// such as not_confirmed, the link may exist.
	if refused, is := errors.AsType[*client.Error](err); is {
		return refused.Status >= http.StatusInternalServerError
	}
	if failed, is := errors.AsType[*net.OpError](err); is && failed.Op == "dial" {
		return false // nothing was sent
	}
	return errors.Is(err, client.ErrUnreachable) || errors.Is(err, client.ErrBrokeOff) || errors.Is(err, client.ErrProxy)
}

// howToRepeat returns the hint by which the same command makes the same request.
func (f *shareFlags) howToRepeat() string {
	with := "repeat the command with --idempotency-key " + term.ShellWord(f.request.IdempotencyKey)
	if instead := f.fixed(); instead != "" {
		with += " and with " + instead
	}
	return with + ": this issues no second link"
}

// unknownResult returns an error after which links may exist, with what to do.
func unknownResult(err error, hint string) error {
	if errors.Is(err, client.ErrUnreachable) && !errors.Is(err, context.Canceled) {
		hint = unreachableHint + "\n  then " + hint
	}
	return &command.Error{Err: err, Hint: hint, Code: command.ExitFailed}
}

// print prints the URL or the message as the last lines. The QR code and the word of the
// clipboard come before it. If one of them fails, the URL is printed all the same, because
// it exists nowhere else.
func (f *shareFlags) print(ctx context.Context, env *command.Env, link *api.Link, picture *qrFile) error {
	var drawn error
	if f.qr || picture != nil {
		drawn = f.printQR(env, link, picture)
	}
	text := term.Plain(link.URL) + "\n"
	if f.message {
		text = messageOf(link, time.Local)
	}
	copied := f.copyText(ctx, env, text)
	var err error
	switch {
	case f.json:
		err = term.PrintJSON(env.Stdout, link)
	case f.ndjson:
		err = printLines(env, []api.Link{*link})
	default:
		_, err = io.WriteString(env.Stdout, text)
	}
	if err != nil {
		err = fmt.Errorf("its URL cannot be written: %w", err)
	}
	return errors.Join(err, drawn, copied)
}

// printQR draws the QR code of a link and writes it into the file.
func (f *shareFlags) printQR(env *command.Env, link *api.Link, picture *qrFile) error {
	code, err := term.EncodeQR(link.URL)
	if err != nil {
		return err
	}
	if f.qr {
		drawQR(env.Stderr, code)
	}
	if picture != nil {
		return picture.write(code)
	}
	return nil
}

// drawQR draws a code, unless the terminal is too narrow: a phone cannot read a code with
// wrapped lines.
func drawQR(stderr io.Writer, code *qr.Code) {
	columns := code.Size + 2*term.QuietZone
	if width := term.ScreenOf(stderr).Width; width > 0 && width < columns {
		fmt.Fprintf(stderr, "warning: the QR code needs %d columns; use --qr-file\n", columns)
		return
	}
	fmt.Fprint(stderr, term.QRText(code, term.IsTerminal(stderr)))
}

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

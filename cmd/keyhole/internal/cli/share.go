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
	f.operator.add(cmd)
	f.addLimits(cmd)
	f.addProperties(cmd)
	f.addOutput(cmd)
	cmd.ValidArgsFunction = asking(env, &f.operator, completeObjects)
	completeFlag(cmd, "preset", completePresets(env, &f.operator))
	completeFlag(cmd, "label", asking(env, &f.operator, completeLabels))
	helpWithPresets(cmd, env, &f.operator)
	completeNames(cmd, "pin", pins())
	completeNames(cmd, "reveal", reveals())
	completeNames(cmd, "language", gateway.Languages())
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
	if f.mayAsk(env) && term.IsTerminal(env.Stdout) {
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
	f.describe(env, &link)
	if err := f.print(env, &link, picture); err != nil {
		return &command.Error{
			Err:  fmt.Errorf("the link %s was issued, but its URL cannot be written: %w", link.ID, err),
			Hint: "keyhole revoke " + link.ID, Code: command.ExitFailed,
		}
	}
	return nil
}

// mayAsk tells whether sensitivity was not stated and a person can be asked for it. A
// question needs a person who reads it and can answer. If the URL goes into a pipe, another
// program waits for it, so the command does not ask and says so afterwards.
func (f *shareFlags) mayAsk(env *command.Env) bool {
	return f.request.Sensitive == nil && !f.yes && term.IsTerminal(env.Stdin) && term.IsTerminal(env.Stderr)
}

// describe prints to standard error what was shared. It does so before the URL is printed,
// so that on a terminal the URL stands below the text and is easy to find.
func (f *shareFlags) describe(env *command.Env, link *api.Link) {
	switch {
	case !f.quiet:
		checklist(env.Stderr, &f.request, link, time.Now())
		// The policy may have decided, and then the answer would have changed nothing.
		if f.mayAsk(env) && !term.IsTerminal(env.Stdout) && link.Sensitive == nil {
			fmt.Fprintln(env.Stderr,
				"  note      sensitivity was not asked because output is not a terminal: use --sensitive or --not-sensitive")
		}
	case !explain.Usable(link):
		// Even --quiet warns of a URL that does not work: it is about to be sent to someone.
		fmt.Fprintf(env.Stderr, "warning: an earlier request issued this link, and it is %s\n", term.Plain(link.State))
	}
	if f.makePassphrase {
		tellPassphrase(env.Stderr, *f.request.Passphrase, f.quiet)
	}
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

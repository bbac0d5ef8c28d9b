package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// Every command below root has a description for --help and for the manual pages.
func TestEveryCommandIsDescribed(t *testing.T) {
	t.Parallel()
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s is described by %q", c.CommandPath(), c.Short)
		}
		for _, line := range strings.Split(c.Long, "\n") {
			if len([]rune(line)) > 90 {
				t.Errorf("%s has a line of %d columns in --help: %s", c.CommandPath(), len(line), line)
			}
		}
		for _, f := range collect(c.LocalFlags().VisitAll) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s is described by %q", c.CommandPath(), f.Name, f.Usage)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(NewRoot(&command.Env{}))
}

// A mistyped command or flag exits with 2, and the hint names the nearest one.
func TestMistypedCommands(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"shar s3://a/b":     `unknown command "shar"` + "\n  did you mean: keyhole share",
		"rm x":              "did you mean: keyhole revoke",
		"ls":                "did you mean: keyhole list",
		"zzzzzzzz":          "see: keyhole --help",
		"key nw":            "did you mean: keyhole key new",
		"list --bukket x":   "did you mean --bucket? see: keyhole list --help",
		"list --zzzzzzzz":   "unknown flag: --zzzzzzzz\n  see: keyhole list --help",
		"list --limit many": `--limit is "many"; it must be a whole number` + "\n  see: keyhole list --help",
		"list --limit 1e9":  `--limit is "1e9"; it must be a whole number`,
		"list --json=maybe": `--json is "maybe"; it must be true or false`,
		"share s3://a/b --max-clicks one": `--max-clicks is "one"; it must be a whole number` +
			"\n  see: keyhole share --help",
		"share s3://a/b --max-clicks 99999999999999999999":  `"99999999999999999999"; the number is too large`,
		"share s3://a/b --max-clicks -99999999999999999999": `"-99999999999999999999"; the number is too small`,
		"list extra": "keyhole list takes flags, and one object or folder as s3://BUCKET/KEY or s3://BUCKET/PREFIX/\n",
		"show": "keyhole show needs one link, by ID, URL or reference\n" +
			"  usage: keyhole show ID|URL|REFERENCE",
		"share":                   "keyhole share needs one object, s3://BUCKET/KEY\n",
		"completion":              "keyhole completion needs one shell: bash, zsh or fish\n",
		"list --bucket= --json":   "--bucket is empty; omit it or give it a value\n  is the variable in it unset?",
		"share s3://a/b --allow=": "--allow is empty; omit it or give it a value",
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
}

// Without a command, and with --help, the help goes to standard output.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}, {"key"}, {"share", "--help"}} {
		if got := runOver(t, &fakeAPI{}, args...); got.code != command.ExitOK || got.stderr != "" ||
			!strings.Contains(got.stdout, "Usage:") {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// The hint fits the error that is known best, and the code says who has to act.
func TestHintsOfErrors(t *testing.T) {
	t.Parallel()
	refusal := &client.Error{Problem: api.Problem{Code: "not_found", Detail: "there is no such link"}}
	for name, tt := range map[string]struct {
		err  error
		code int
		hint string
	}{
		"a command's own": {command.Usage("p", "do this"), command.ExitUsage, "do this"},
		"around another": {
			&command.Error{Err: refusal, Hint: "do that", Code: command.ExitFailed}, command.ExitFailed, "do that",
		},
		"a refusal":      {fmt.Errorf("cannot revoke a: %w", refusal), command.ExitFailed, "check the ID of the link"},
		"interrupted":    {context.Canceled, command.ExitFailed, "the command was interrupted"},
		"unreachable":    {client.ErrUnreachable, command.ExitFailed, "is the service running"},
		"another server": {client.ErrNotKeyhole, command.ExitFailed, "not the address for recipients?"},
		"broken off":     {client.ErrBrokeOff, command.ExitFailed, "the request may have succeeded"},
		"not UTF-8":      {client.ErrNotUTF8, command.ExitUsage, "write it in UTF-8"},
		"any other":      {errors.New("disk full"), command.ExitFailed, "correct it and try again"},
	} {
		var stderr strings.Builder
		code := report(&stderr, tt.err)
		if code != tt.code || !strings.HasPrefix(stderr.String(), "keyhole: ") ||
			!strings.Contains(stderr.String(), "\n  "+tt.hint) && !strings.Contains(stderr.String(), tt.hint+"\n") {
			t.Errorf("%s: exit %d, %q, want %d, %q", name, code, stderr.String(), tt.code, tt.hint)
		}
	}
	var stderr strings.Builder
	unread := fmt.Errorf("serve: %w", &command.Unprinted{Err: command.Usage("p", "h")})
	if code := report(&stderr, unread); code != command.ExitUsage || stderr.Len() > 0 {
		t.Errorf("without a reader: exit %d, %q", code, stderr.String())
	}
}

// After an error, share says how to repeat the request without a second link, unless
// certainly none was issued.
func TestMayBeIssued(t *testing.T) {
	t.Parallel()
	refused := func(status int) error { return &client.Error{Problem: api.Problem{Status: status, Code: "x"}} }
	dial := fmt.Errorf("%w: %w", client.ErrUnreachable, &net.OpError{Op: "dial", Err: errors.New("refused")})
	read := fmt.Errorf("%w: %w", client.ErrUnreachable, &net.OpError{Op: "read", Err: errors.New("reset")})
	for name, tt := range map[string]struct {
		err  error
		hint string // empty: the error is unchanged
	}{
		"refused":         {refused(422), ""},
		"no connection":   {dial, ""},
		"another error":   {errors.New("x"), ""},
		"its own failure": {refused(500), "repeat the command with --idempotency-key 'a b'"},
		"not confirmed":   {refused(503), "repeat the command with --idempotency-key 'a b'"},
		"lost reply":      {read, unreachableHint + "\n  then repeat the command"},
		"broken off":      {client.ErrBrokeOff, "repeat the command"},
		"a proxy":         {client.ErrProxy, "repeat the command"},
		"interrupted":     {fmt.Errorf("%w: %w", client.ErrUnreachable, context.Canceled), "repeat the command"},
	} {
		f := &shareFlags{request: api.IssueRequest{IdempotencyKey: "a b"}}
		err := f.mayBeIssued(tt.err)
		var known *command.Error
		if !errors.As(err, &known) {
			known = &command.Error{}
		}
		if !errors.Is(err, tt.err) || !strings.HasPrefix(known.Hint, tt.hint) || (known.Hint == "") != (tt.hint == "") {
			t.Errorf("%s: got %v, %q", name, err, known.Hint)
		}
	}
	// A repeated request would draw another passphrase.
	f := &shareFlags{makePassphrase: true}
	var known *command.Error
	if err := f.mayBeIssued(client.ErrBrokeOff); !errors.As(err, &known) || !strings.Contains(known.Hint, "revoke it") {
		t.Errorf("with a generated passphrase: %v", err)
	}
}

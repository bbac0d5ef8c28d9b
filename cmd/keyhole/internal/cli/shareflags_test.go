package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// usageOf returns the problem and the hint of an error of wrong usage, or two empty texts
// for nil.
func usageOf(t *testing.T, err error) (problem, hint string) {
	t.Helper()
	if err == nil {
		return "", ""
	}
	var known *command.Error
	if !errors.As(err, &known) || known.Code != command.ExitUsage {
		t.Fatalf("%v is no error of usage", err)
	}
	return known.Error(), known.Hint
}

// check accepts every value of its sets and refuses the others, each with the whole message.
func TestShareFlagsCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flags         shareFlags
		problem, hint string // empty: the flags are valid
	}{
		"none":              {},
		"message":           {flags: shareFlags{message: true}},
		"JSON and quiet":    {flags: shareFlags{json: true, quiet: true}},
		"preset":            {flags: shareFlags{request: api.IssueRequest{Preset: gateway.PresetExtended}}},
		"expires":           {flags: shareFlags{expires: "1h"}},
		"one click":         {flags: shareFlags{request: api.IssueRequest{MaxClicks: new(int64(1))}}},
		"reveal, generated": {flags: shareFlags{makePassphrase: true, request: api.IssueRequest{Reveal: "before"}}},
		"reveal, file":      {flags: shareFlags{passphraseFile: "p", request: api.IssueRequest{Reveal: "after"}}},
		"networks": {flags: shareFlags{request: api.IssueRequest{
			Allow: []string{"192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "::1"},
		}}},
		"longest key": {flags: shareFlags{request: api.IssueRequest{IdempotencyKey: strings.Repeat(" ~", 64)}}},
		"QR code":     {flags: shareFlags{qrFile: "dir.gif/LINK.SVG"}},
		"preset twice": {
			shareFlags{expires: "1h", request: api.IssueRequest{Preset: "handoff"}},
			"--preset and --expires cannot be combined", "use one of them, or neither",
		},
		"two outputs": {shareFlags{message: true, json: true}, "--message and --json cannot be combined", "use one of them"},
		"preset of another service": {
			shareFlags{request: api.IssueRequest{Preset: "custom"}},
			`--preset is "custom", which is not a valid value`, "use one of handoff, troubleshooting, business, extended",
		},
		"pin": {
			shareFlags{request: api.IssueRequest{Pin: "etags"}},
			`--pin is "etags", which is not a valid value`,
			"did you mean etag? use one of auto, version, etag, none",
		},
		"reveal": {
			shareFlags{makePassphrase: true, request: api.IssueRequest{Reveal: "never"}},
			`--reveal is "never", which is not a valid value`, "use one of after, before",
		},
		"reveal without a passphrase": {
			shareFlags{request: api.IssueRequest{Reveal: "before"}},
			"--reveal before needs a passphrase",
			"add --make-passphrase or --passphrase-file, or omit --reveal",
		},
		"no click": {
			shareFlags{request: api.IssueRequest{MaxClicks: new(int64(-1))}},
			"--max-clicks must be at least 1",
			"omit it for a link without a limit",
		},
		"second network": {
			shareFlags{request: api.IssueRequest{Allow: []string{"192.0.2.7", "example.com"}}},
			`--allow: "example.com" is neither an address nor a network`,
			"write it as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
		},
		"key too long": {
			shareFlags{request: api.IssueRequest{IdempotencyKey: strings.Repeat("a", 129)}},
			"--idempotency-key must have 1 to 128 printable ASCII characters", "use another text",
		},
		"key with a line break": {
			shareFlags{request: api.IssueRequest{IdempotencyKey: "a\nX-Header: b"}},
			"--idempotency-key must have 1 to 128 printable ASCII characters", "use another text",
		},
		"QR code without an extension": {
			shareFlags{qrFile: "link"},
			"a QR code can be written as PNG or SVG",
			"name the file with this extension, such as --qr-file link.png",
		},
	} {
		if problem, hint := usageOf(t, tt.flags.check()); problem != tt.problem || hint != tt.hint {
			t.Errorf("%s: got %q, %q, want %q, %q", name, problem, hint, tt.problem, tt.hint)
		}
	}
	for _, pin := range pins() {
		if err := oneOf("pin", pin, pins()); err != nil {
			t.Errorf("--pin %s: %v", pin, err)
		}
	}
}

// A value that means another request with each call cannot be repeated under one
// --idempotency-key. Values that always mean the same can.
func TestReadTimesOfRepeatedRequests(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	const why = " and --idempotency-key cannot be combined, because it is another request with each call"
	for name, tt := range map[string]struct {
		expires, notBefore, key  string
		wantExpires, wantBegin   string
		wantUntil, problem, hint string
	}{
		"nothing":          {},
		"duration":         {expires: "24h", key: "k", wantExpires: "24h"},
		"weeks":            {expires: "2w", key: "k", wantExpires: "14d"},
		"fixed start":      {notBefore: "2026-12-01T08:00:00Z", key: "k", wantBegin: "2026-12-01T08:00:00Z"},
		"day of the start": {notBefore: "2026-12-01", key: "k", wantBegin: "2026-12-01T00:00:00+01:00"},
		"date": {
			expires: "2026-11-28", wantExpires: "10h59m59s", wantUntil: "2026-11-28T23:59:59+01:00",
		},
		"start from now": {notBefore: "2h", wantBegin: "2026-11-28T15:00:00+01:00"},
		"date, repeated": {
			expires: "2026-11-28", key: "k", problem: "--expires 2026-11-28" + why,
			hint: "write a duration, such as 24h or 7d",
		},
		"start from now, repeated": {
			notBefore: "2h", key: "k", problem: "--not-before 2h" + why, hint: "write a time, such as 2026-12-01T08:00:00Z",
		},
		"over": {
			expires: "2026-11-27", problem: "--expires: 2026-11-27T23:59:59+01:00 is over",
			hint: "name a time in the future; this machine's clock says 2026-11-28T13:00:00+01:00",
		},
	} {
		f := &shareFlags{expires: tt.expires, notBefore: tt.notBefore}
		f.request.IdempotencyKey = tt.key
		problem, hint := usageOf(t, f.readTimes(now, zone))
		if problem != tt.problem || hint != tt.hint {
			t.Errorf("%s: got %q, %q, want %q, %q", name, problem, hint, tt.problem, tt.hint)
		}
		if tt.problem != "" {
			continue
		}
		begin, until := "", ""
		if f.request.NotBefore != nil {
			begin = *f.request.NotBefore
		}
		if !f.until.IsZero() {
			until = f.until.Format(time.RFC3339)
		}
		if f.request.ExpiresIn != tt.wantExpires || begin != tt.wantBegin || until != tt.wantUntil {
			t.Errorf("%s: got %q, %q until %q", name, f.request.ExpiresIn, begin, until)
		}
	}
}

// Mistakes are reported in an order in which the cheap ones come first: no file is read and
// nothing is sent for a command that another flag makes invalid.
func TestShareReportsTheFirstMistake(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	for args, want := range map[string]string{
		"--sensitive --not-sensitive --max-clicks 0":       "--sensitive and --not-sensitive cannot be combined",
		"--label x --preset nope":                          `"x" is not a label`,
		"--expires never --passphrase-file " + missing:     `--expires: "never" is not a duration`,
		"--qr-file x.gif --passphrase-file " + missing:     "a QR code can be written as PNG or SVG",
		"--passphrase-file " + missing:                     "cannot read the passphrase file",
		"--make-passphrase --passphrase-file " + missing:   "--make-passphrase and --passphrase-file cannot be combined",
		"--filename b.pdf --passphrase-file " + missing:    "cannot read the passphrase file",
		"s3://reports/b --qr --passphrase-file " + missing: "--qr is for one object",
		"s3://reports/b --filename b.pdf":                  "--filename is for one object",
		"s3://reports/b --version-id v1":                   "--version-id is for one object",
		"s3://reports/b --qr-file b.png":                   "--qr-file is for one object",
		"s3://reports/a":                                   "s3://reports/a is listed twice",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"share", "s3://reports/a"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 ||
			!strings.HasPrefix(got.stderr, "keyhole: "+want) {
			t.Errorf("%s: %+v after %d requests, want %q", args, got, len(f.requests), want)
		}
	}
}

// The reason why a passphrase file is refused never repeats its text.
func TestSharePassphraseFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, sent, want string }{
		"a line of Windows":   {text: " open sesame \r\n", sent: " open sesame "},
		"without a line end":  {text: "größe", sent: "größe"},
		"empty":               {want: "the passphrase file is empty\n"},
		"only a line end":     {text: "\n", want: "the passphrase file is empty\n"},
		"two lines":           {text: "canary\ncanary\n", want: "the passphrase contains line breaks or control characters"},
		"an escape sequence":  {text: "canary\x1b[2J\n", want: "the passphrase contains line breaks or control characters"},
		"another encoding":    {text: "canary \xe4\n", want: "the passphrase is not valid UTF-8\n"},
		"larger than allowed": {text: strings.Repeat("canary", 20_000), want: "cannot read the passphrase file: "},
	} {
		file := filepath.Join(t.TempDir(), "passphrase")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
		got := runOver(t, f, "share", "s3://reports/a", "--passphrase-file", file)
		if strings.Contains(got.stdout+got.stderr, "canary") {
			t.Errorf("%s: the passphrase is repeated: %+v", name, got)
		}
		if tt.want != "" {
			if got.code != command.ExitUsage || len(f.requests) > 0 || !strings.HasPrefix(got.stderr, "keyhole: "+tt.want) {
				t.Errorf("%s: %+v after %d requests", name, got, len(f.requests))
			}
			continue
		}
		// Each request, also the one of the checklist, has the same passphrase.
		if got.code != command.ExitOK || len(f.requests) == 0 {
			t.Errorf("%s: %+v", name, got)
		}
		for _, r := range f.requests {
			if r.body["passphrase"] != tt.sent {
				t.Errorf("%s: sent %q, want %q", name, r.body["passphrase"], tt.sent)
			}
		}
	}
}

// fixed names only the flags that would mean another request when they are typed again.
func TestFixedFlags(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ expires, notBefore, want string }{
		"nothing":        {},
		"both are fixed": {expires: "24h", notBefore: "2026-12-01T08:00:00Z"},
		"a date":         {expires: "2026-12-01", want: "--expires 7d"},
		"from now":       {notBefore: "2h", want: "--not-before 2026-12-01T08:00:00Z"},
		"both":           {expires: "2026-12-01", notBefore: "2h", want: "--expires 7d --not-before 2026-12-01T08:00:00Z"},
	} {
		f := &shareFlags{expires: tt.expires, notBefore: tt.notBefore}
		f.request.ExpiresIn, f.request.NotBefore = "7d", new("2026-12-01T08:00:00Z")
		if got := f.fixed(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Each mistake in the flags of change has its exact message and hint, and sends nothing.
func TestChangeRefusesFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := secretFile(t, "canary\n\n")
	for args, want := range map[string]string{
		"--pause --resume":        "--pause and --resume cannot be combined\n  use one of them",
		"--label a=1 --no-labels": "--label and --no-labels cannot be combined\n  use one of them",
		"--label =1":              `"=1" is not a label` + "\n  write it as --label name=value",
		"--label a=1 --label a=":  `the label "a" is repeated` + "\n  use each label once",
		"--allow 192.0.2.0/24 --allow example.com": `--allow: "example.com" is neither an address nor a network` +
			"\n  write it as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32",
		"--allow 192.0.2.7 --no-allow": "--allow and --no-allow cannot be combined\n  use one of them",
		"--no-passphrase --passphrase-file /does/not/exist": "--no-passphrase cannot be combined with " +
			"--make-passphrase or --passphrase-file\n  use one of them",
		"--make-passphrase --passphrase-file /does/not/exist": "--make-passphrase and --passphrase-file cannot be " +
			"combined\n  use one of them",
		"--passphrase-file /does/not/exist": "cannot read the passphrase file: no such file or directory" +
			"\n  name a readable file in --passphrase-file",
		"--passphrase-file " + dir: "cannot read the passphrase file: is a directory" +
			"\n  name a readable file in --passphrase-file",
		"--passphrase-file " + secret: "the passphrase contains line breaks or control characters, which recipients " +
			"cannot type\n  write one line into the file of --passphrase-file",
		"--not-before 2026-12-01T25:00":     `--not-before: "2026-12-01T25:00" is not a time`,
		"--max-clicks many":                 `--max-clicks is "many"; it must be a whole number`,
		"--max-clicks 1e3":                  `--max-clicks is "1e3"; it must be a whole number`,
		"--max-clicks 99999999999999999999": `--max-clicks is "99999999999999999999"; the number is too large`,
		"--expires= --pause":                "--expires is empty; omit it or give it a value",
		"--not-before= --pause":             "--not-before is empty; omit it or give it a value",
		"--passphrase-file= --pause":        "--passphrase-file is empty; omit it or give it a value",
		"--language de-AT":                  `--language is "de-AT", which is not a valid value`,
		"--pause=perhaps":                   `--pause is "perhaps"; it must be true or false`,
		"--json":                            "no change was requested\n  see: keyhole change --help",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 ||
			!strings.HasPrefix(got.stderr, "keyhole: "+want) || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v after %q\nwant %s", args, got, f.lines(), want)
		}
	}
}

// A wrong --expires of change is wrong usage, as for share, with the forms as the hint.
func TestChangeRefusesAnExpiry(t *testing.T) {
	t.Parallel()
	const forms = "  write it as 90m, 24h, 3d, 2w, 2026-12-01 (until the end of that day here), "
	for expiry, want := range map[string]string{
		"soon":                 `--expires: "soon" is not a duration`,
		"0w":                   `--expires: "0w" is too short: a link lives for at least one second`,
		"2026-12-01 25:00":     `--expires: "2026-12-01 25:00" is not a duration`,
		"2020-12-01T08:00Z":    "--expires: 2020-12-01T08:00:00Z is over",
		"2020-01-01T00:00:00Z": "--expires: 2020-01-01T00:00:00Z is over",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, "change", testID(), "--expires", expiry)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 {
			t.Errorf("%s: %+v after %q", expiry, got, f.lines())
		}
		has(t, got.stderr, "keyhole: "+want)
		if over := strings.Contains(want, "is over"); strings.Contains(got.stderr, forms) == over ||
			strings.Contains(got.stderr, "  name a time in the future; this machine's clock says ") != over {
			t.Errorf("%s: the hint is wrong: %s", expiry, got.stderr)
		}
	}
}

// The arguments of change are one link. Nothing else is sent.
func TestChangeNamesOneLink(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--pause":                              "one link, by ID or URL",
		"--pause " + testID() + " " + testID(): "one link, by ID or URL",
		"--pause s3://reports/q3.pdf": "keyhole: this is an object or a prefix, not a link\n  keyhole list --bucket " +
			"reports --key q3.pdf lists its links; ",
		"--pause x": "keyhole: this is neither the ID nor the URL of a link\n  an ID has 26 letters and digits",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"change"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 {
			t.Errorf("%s: %+v after %q", args, got, f.lines())
		}
		has(t, got.stderr, want)
	}
}

// Each refusal of a change has its exact lines; the command never repeats a change.
func TestChangeRefusalMessages(t *testing.T) {
	t.Parallel()
	for want, problem := range map[string]api.Problem{
		"keyhole: this key may not change links\n  use a key that allows this, or ask the operator of the service to " +
			"extend this key's \"can\"\n": {Status: 403, Code: "forbidden", Detail: "this key may not change links"},
		"keyhole: link " + testID() + ": there is no such link\n  check the ID of the link; " +
			"keyhole list shows the links that this key may " +
			"see\n": {Status: 404, Code: "not_found", Detail: "there is no such link"},
		"keyhole: the key's max_expiry is 1h\n  request a shorter life, or use a key with a longer max_expiry; see " +
			"--expires\n": {Status: 403, Code: "too_long", Detail: "the key's max_expiry is 1h"},
		"keyhole: --allow[1]: it is no network; --label.team: it is too long\n  correct the values named above and try " +
			"again\n": {Status: 422, Code: "invalid", Errors: []api.FieldError{
			{Field: "allow[1]", Code: "x", Message: "it is no network"},
			{Field: "labels.team", Code: "x", Message: "it is too long"},
		}},
		"keyhole: --no-passphrase, --no-allow or --not-before now: there is nothing to remove\n  correct the values " +
			"named above and try again\n": {Status: 422, Code: "invalid", Errors: []api.FieldError{
			{Field: "remove", Code: "x", Message: "there is nothing to remove"},
		}},
		"keyhole: too many requests\n  try again in a minute; if the key is refused, check it\n": {
			Status: 429, Code: "rate_limited", Detail: "too many requests",
		},
		"keyhole: it failed\n  try again; if it fails again, see the service's log\n" +
			"  request id: r-1 (the log of the service has it)\n": {
			Status: 500, Code: "internal", Detail: "it failed", RequestID: "r-1",
		},
	} {
		f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): problem}}
		got := runOver(t, f, "change", testID(), "--pause", "--make-passphrase", "--json")
		if got.code != command.ExitFailed || got.stdout != "" || got.stderr != want || len(f.requests) != 1 {
			t.Errorf("%d: after %q: %+v\nwant %s", problem.Status, f.lines(), got, want)
		}
	}
}

// After a cut answer the service may have made the change. The command does not repeat it,
// and prints no passphrase that may have no effect.
func TestChangeWithBrokenAnswers(t *testing.T) {
	t.Parallel()
	for want, handler := range map[string]http.Handler{
		"keyhole: the answer broke off":                                 wireAnswer{200, `{"id":"`, true},
		"keyhole: the answer is not from Keyhole's operator API":        wireAnswer{200, "<html>", false},
		"keyhole: SERVER answers 502 Bad Gateway: the answer is not":    wireAnswer{502, "<html>", false},
		"keyhole: SERVER answers 401 Unauthorized: the answer is not":   wireAnswer{401, "", false},
		"keyhole: SERVER answers 302 Found: the answer is not from Key": wireAnswer{302, "", false},
	} {
		got, requests := runBeside(t, handler, "change", testID(), "--make-passphrase", "--json")
		if got.code != command.ExitFailed || got.stdout != "" || requests != 1 ||
			!strings.HasPrefix(got.stderr, want) || strings.Contains(got.stderr, "Passphrase:") {
			t.Errorf("after %d requests: %+v\nwant %s", requests, got, want)
		}
		if broke := strings.Contains(got.stderr, "check before you repeat it"); broke != strings.Contains(want, "broke") {
			t.Errorf("the hint is wrong: %s", got.stderr)
		}
	}
}

// A change prints the link to standard output, and what it brings with it to standard error,
// both without text that a terminal obeys. With --json standard error stays empty.
func TestChangePrints(t *testing.T) {
	t.Parallel()
	link := testLink()
	link.Warnings = []api.Warning{{Code: "open", Message: "anyone\x1b[2J can use it"}}
	link.Notes = []api.Note{{Code: "sessions", Message: "open pages\nstay open"}}
	f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): link}}
	got := runOver(t, f, "change", testID(), "--no-allow")
	want := `warning: anyone\x1b[2J can use it (open)` + "\n" + `notice: open pages\nstay open (sessions)` + "\n"
	if got.code != command.ExitOK || got.stderr != want {
		t.Errorf("%+v, want %s", got, want)
	}
	has(t, got.stdout, testID(), `s3://reports/q3\x1b.pdf`)
	got = runOver(t, f, "change", testID(), "--no-allow", "--json")
	if got.code != command.ExitOK || got.stderr != "" {
		t.Errorf("--json: %+v", got)
	}
	has(t, got.stdout, `"code": "open"`, `"code": "sessions"`)
	got = runOver(t, f, "change", testID(), "--make-passphrase", "--json")
	sent, _ := f.requests[len(f.requests)-1].body["passphrase"].(string)
	if got.stderr != "\nPassphrase: "+sent+"\n" || sent == "" || strings.Contains(got.stdout, sent) {
		t.Errorf("a passphrase: %+v", got)
	}
}

// The new passphrase of a link whose description cannot be printed exists nowhere else, so it
// is printed all the same.
func TestChangeTellsThePassphraseWithoutOutput(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--json", "--pause"} {
		f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): testLink()}}
		server := httptest.NewServer(f)
		var stderr strings.Builder
		code := runCLI(t.Context(), []string{"change", testID(), "--make-passphrase", flag}, command.Env{
			Stdin: strings.NewReader(""), Stdout: noSpace{}, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		server.Close()
		if code != command.ExitFailed {
			t.Errorf("%s: exit %d", flag, code)
		}
		sent, _ := f.requests[len(f.requests)-1].body["passphrase"].(string)
		has(t, stderr.String(), "\nPassphrase: "+sent+"\n", "keyhole: no space left on device\n")
	}
}

// A file that everyone can read is used for a passphrase, with a command that corrects it.
func TestPassphraseFileOfEveryone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "my secret")
	if err := os.WriteFile(path, []byte("a b c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): api.Link{ID: testID()}}}
	got := runOver(t, f, "change", testID(), "--passphrase-file", path)
	want := map[string]any{"passphrase": "a b c"}
	if got.code != command.ExitOK || !reflect.DeepEqual(f.requests[len(f.requests)-1].body, want) ||
		strings.Contains(got.stderr, "a b c") {
		t.Errorf("%+v, sent %v", got, f.requests)
	}
	has(t, got.stderr, "warning: everyone on this machine can read the passphrase file: chmod 600 '"+path+"'\n")
}

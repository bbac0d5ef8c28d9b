package cli

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// secretFile writes a file that only its owner can read.
func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A passphrase is one line that recipients can type. Spaces in it count; only the line
// break at its end does not. Errors never contain the text.
func TestReadPassphrase(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ passphrase, problem string }{
		"a b\n":      {"a b", ""},
		"a b\r\n":    {"a b", ""},
		" a ":        {" a ", ""},
		"größe":      {"größe", ""},
		"":           {"", "the passphrase file is empty"},
		"\n":         {"", "the passphrase file is empty"},
		"canary\n\n": {"", "line breaks or control characters"},
		"canary\tb":  {"", "line breaks or control characters"},
		"canary\xff": {"", "not valid UTF-8"},
		"canary" + strings.Repeat("x", 1024) + "\n": {"", "it is larger than 1024 bytes"},
	} {
		got, err := readPassphrase(t.Context(), &command.Env{Stderr: io.Discard}, secretFile(t, text))
		var known *command.Error
		if got != want.passphrase || (err == nil) != (want.problem == "") {
			t.Errorf("%.20q: got %q, %v", text, got, err)
			continue
		}
		if err != nil && (!errors.As(err, &known) || known.Code != command.ExitUsage || known.Hint == "" ||
			!strings.Contains(err.Error(), want.problem) || strings.Contains(err.Error()+known.Hint, "canary")) {
			t.Errorf("%.20q: got %v, %+v", text, err, known)
		}
	}
}

// A generated passphrase has 80 random bits, and no digit that looks like a letter.
func TestMakePassphrase(t *testing.T) {
	t.Parallel()
	shape, seen := regexp.MustCompile(`^[a-z2-7]{4}(-[a-z2-7]{4}){3}$`), map[string]bool{}
	for range 200 {
		passphrase := makePassphrase(fewestGroups)
		if !shape.MatchString(passphrase) || seen[passphrase] {
			t.Fatalf("got %q", passphrase)
		}
		seen[passphrase] = true
	}
}

// The passphrase is printed apart from the URL, with how to pass it on unless --quiet.
func TestTellPassphrase(t *testing.T) {
	t.Parallel()
	for quiet, want := range map[bool]string{true: "\nPassphrase: a-b\n", false: "It is shown only once.\n"} {
		var stderr strings.Builder
		tellPassphrase(&stderr, "a-b", quiet)
		if !strings.HasPrefix(stderr.String(), "\nPassphrase: a-b\n") || !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("quiet %v: %q", quiet, stderr.String())
		}
	}
}

// share sends the passphrase of the file, and prints one that it generated only to
// standard error.
func TestSharePassphrase(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	got := runOver(t, f, "share", "s3://reports/a", "--passphrase-file", secretFile(t, "from a file\n"))
	if got.code != command.ExitOK || f.requests[0].body["passphrase"] != "from a file" ||
		strings.Contains(got.stdout+got.stderr, "from a file") {
		t.Errorf("%+v, sent %v", got, f.requests[0].body)
	}
	got = runOver(t, f, "share", "s3://reports/a", "--make-passphrase", "--reveal", "after", "--quiet")
	sent, _ := f.requests[1].body["passphrase"].(string)
	if sent == "" || got.stderr != "\nPassphrase: "+sent+"\n" || strings.Contains(got.stdout, sent) {
		t.Errorf("%+v, sent %v", got, f.requests[1].body)
	}
}

// --passphrase-file - reads standard input, on a terminal without showing it. Standard input
// cannot also list the objects.
func TestPassphraseOfStandardInput(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]string{
		"share s3://reports/a": "POST /api/v1/links", "change " + testID(): "PATCH /api/v1/links/" + testID(),
	} {
		f := &fakeAPI{answers: map[string]any{method: testLink()}}
		args := append(strings.Fields(name), "--passphrase-file", "-")
		got := runTyping(t, f, "a b c d e\n", args...)
		sent := f.requests[len(f.requests)-1]
		if got.code != 0 || sent.body["passphrase"] != "a b c d e" || strings.Contains(got.stdout+got.stderr, "a b c d e") {
			t.Errorf("%s: %+v, sent %v", name, got, sent)
		}
		if got := runTyping(t, f, strings.Repeat("a", 2000), args...); got.code != command.ExitUsage ||
			!strings.Contains(got.stderr, "it is larger than 1024 bytes") {
			t.Errorf("%s, too long: %+v", name, got)
		}
	}
	f := &fakeAPI{answers: map[string]any{"PATCH /api/v1/links/" + testID(): testLink()}}
	got := runAt(t, f, "a b c d e\n", false, "change", testID(), "--passphrase-file", "-", "--json")
	has(t, got.stderr, "Passphrase for recipients (it is not shown): ")
	if got.code != 0 || f.requests[0].body["passphrase"] != "a b c d e" {
		t.Errorf("on a terminal: %+v, sent %v", got, f.requests)
	}
	got = runTyping(t, &fakeAPI{}, "s3://reports/a\n", "share", "-", "--passphrase-file", "-")
	has(t, got.stderr, "standard input cannot be both the list of objects and the passphrase")
	if got.code != command.ExitUsage {
		t.Errorf("both: %+v", got)
	}
}

// runTyping is runOver with a text on standard input, which is no terminal.
func runTyping(t *testing.T, f *fakeAPI, typed string, args ...string) result {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(typed), Stdout: &stdout, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	return result{code, stdout.String(), stderr.String()}
}

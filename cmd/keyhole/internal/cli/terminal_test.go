package cli

import (
	"bufio"
	"encoding/base64"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// terminal is a pseudo-terminal whose user has typed something in advance.
type terminal struct {
	tty    *os.File
	screen chan string // gets everything that was printed, after close
}

// newTerminal opens a terminal of 80 columns. The typed text waits in its line buffer, so
// that a command reads it when it asks.
func newTerminal(t *testing.T, typed string) *terminal {
	t.Helper()
	user, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = user.Close() })
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(user, typed); err != nil {
		t.Fatal(err)
	}
	// The kernel echoes in its own time. An echo in the middle of what the command prints
	// would hide it from a test.
	echo := make([]byte, len(strings.NewReplacer("\x04", "", "\n", "\r\n").Replace(typed)))
	if _, err := io.ReadFull(user, echo); err != nil {
		t.Fatal(err)
	}
	screen := make(chan string, 1)
	go func() {
		// After endOfScreen, nothing is printed. Without it, reading ends with EIO.
		text, _ := bufio.NewReader(user).ReadString(endOfScreen)
		text = strings.TrimSuffix(text, string(endOfScreen))
		screen <- strings.ReplaceAll(text, "\r\n", "\n")
	}()
	return &terminal{tty: tty, screen: screen}
}

// endOfScreen ends what a terminal shows. No command prints it.
const endOfScreen = '\x00'

// close closes the terminal and returns what the command has shown. Linux can lose what
// nobody has read when a terminal is closed, so everything is read before.
func (s *terminal) close(t *testing.T) string {
	t.Helper()
	if _, err := s.tty.Write([]byte{endOfScreen}); err != nil {
		t.Error(err)
	}
	shown := <-s.screen
	if err := s.tty.Close(); err != nil {
		t.Error(err)
	}
	return shown
}

// runAt runs a command whose standard input and error are a terminal, and whose standard
// output is one too unless it goes into a pipe. What the terminal shows is the result's
// stderr.
func runAt(t *testing.T, f *fakeAPI, typed string, pipe bool, args ...string) result {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	at := newTerminal(t, typed)
	var stdout strings.Builder
	env := command.Env{
		Stdin: at.tty, Stdout: at.tty, Stderr: at.tty,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	}
	if pipe {
		env.Stdout = &stdout
	}
	code := runCLI(t.Context(), args, env)
	return result{code, stdout.String(), at.close(t)}
}

// On a terminal share asks whether the object is sensitive, and sends the answer. Flags that
// answer the question, and a pipe that waits for the URL, suppress it.
func TestShareAsksOnATerminal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		typed string
		pipe  bool
		args  []string
		asks  bool
		sent  any // the field sensitive of the request
	}{
		"yes":                {"y\n", false, nil, true, true},
		"no":                 {"no\n", false, nil, true, false},
		"Enter":              {"\n", false, nil, true, nil},
		"after a wrong one":  {"perhaps\ny\n", false, nil, true, true},
		"with --yes":         {"", false, []string{"--yes"}, false, nil},
		"with --sensitive":   {"", false, []string{"--sensitive"}, false, true},
		"with the other one": {"", false, []string{"--not-sensitive"}, false, false},
		"into a pipe":        {"", true, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeAPI{answers: map[string]any{
				"GET /api/v1/objects": objectPage(false), "POST /api/v1/links": testLink(),
			}}
			got := runAt(t, f, tt.typed, tt.pipe, append([]string{"share", "s3://reports/q3.pdf"}, tt.args...)...)
			if got.code != command.ExitOK {
				t.Fatalf("%+v", got)
			}
			if asked := strings.Contains(got.stderr, "Is the object sensitive"); asked != tt.asks {
				t.Errorf("asked: %v\n%s", asked, got.stderr)
			}
			if sent := f.requests[len(f.requests)-1].body["sensitive"]; sent != tt.sent {
				t.Errorf("sent %v, want %v", sent, tt.sent)
			}
			// A pipe gets the URL and nothing else.
			if shown := got.stderr + got.stdout; !strings.Contains(shown, testLink().URL) ||
				tt.pipe && got.stdout != testLink().URL+"\n" {
				t.Errorf("%+v", got)
			}
			note := strings.Contains(got.stderr, "sensitivity was not asked because output is not a terminal")
			if note != tt.pipe {
				t.Errorf("says that it did not ask: %v", note)
			}
		})
	}
}

// Several objects are asked about once, unless the policy decides about all of them, and the
// URLs are the last lines. The answer does not replace the decision of the policy.
func TestShareSeveralAsksOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		typed string
		sent  any
	}{"yes": {"y\n", true}, "no": {"n\n", false}, "Enter": {"\n", nil}} {
		f := batchAPI(nil, nil)
		got := runAt(t, f, tt.typed, false, "share", "s3://reports/a", "s3://reports/b", "--expires", "2d")
		if got.code != command.ExitOK || strings.Count(got.stderr, "Is any of the objects sensitive") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(got.stderr, "\r", "")), "\n")
		if last := lines[max(len(lines)-2, 0):]; !slices.Equal(last, []string{
			"https://dl.example.com/1", "https://dl.example.com/2",
		}) {
			t.Errorf("%s: it ends with %q", name, last)
		}
		if len(f.requests) != 3 {
			t.Fatalf("%s: sent %q", name, f.lines())
		}
		// The question is asked without the life, which depends on the answer.
		first := f.requests[0].body["links"].([]any)[0].(map[string]any)
		sent := f.requests[2].body["links"].([]any)[1].(map[string]any)
		if first["expires_in"] != nil || sent["expires_in"] != "2d" || sent["sensitive"] != tt.sent {
			t.Errorf("%s: asked about %v, sent %v", name, first, sent)
		}
	}
	f := batchAPI(nil, nil)
	got := runAt(t, f, "\x04", false, "share", "s3://reports/a", "s3://reports/b")
	if got.code != command.ExitFailed || strings.Contains(strings.Join(f.lines(), "\n")+"\n", "links:batch\n") {
		t.Errorf("without an answer: %+v after %q", got, f.lines())
	}
}

// Over ssh the terminal gets the URL for its clipboard. The command does not claim that the
// terminal has set the clipboard.
func TestShareCopiesThroughTheTerminal(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	server := httptest.NewServer(f)
	defer server.Close()
	at := newTerminal(t, "")
	code := runCLI(t.Context(), []string{"share", "s3://reports/q3.pdf", "--copy", "--yes"}, command.Env{
		Stdin: at.tty, Stdout: at.tty, Stderr: at.tty,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL, "SSH_TTY=/dev/pts/7"},
	})
	shown := at.close(t)
	encoded := base64.StdEncoding.EncodeToString([]byte(testLink().URL))
	if code != command.ExitOK || !strings.Contains(shown, "\x1b]52;c;"+encoded+"\a") {
		t.Errorf("exit %d, %q", code, shown)
	}
	has(t, shown, "the URL was sent to your terminal, which can put it into the clipboard")
}

// Ctrl-D is no answer: nothing is shared, and the hint names the flags that answer.
func TestShareOnATerminalWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/objects": objectPage(false), "POST /api/v1/links": testLink()}}
	got := runAt(t, f, "\x04", false, "share", "s3://reports/q3.pdf")
	if got.code != command.ExitFailed || slices.ContainsFunc(f.lines(), func(line string) bool {
		return strings.HasPrefix(line, "POST ")
	}) {
		t.Errorf("%+v after %q", got, f.lines())
	}
	has(t, got.stderr, "nothing was shared, because there was no answer", "use --sensitive, --not-sensitive or")
}

// A bulk revocation on a terminal counts, asks, and revokes only after a yes.
func TestRevokeOnATerminal(t *testing.T) {
	t.Parallel()
	const path = "POST /api/v1/revocations"
	for name, tt := range map[string]struct {
		typed    string
		args     []string
		requests int
		code     int
		want     string
	}{
		"yes":            {"y\n", nil, 2, command.ExitOK, "2 links revoked"},
		"no":             {"n\n", nil, 1, command.ExitFailed, "nothing was revoked"},
		"Enter":          {"\n", nil, 1, command.ExitFailed, "answer y to revoke the links, or use --yes"},
		"Ctrl-D":         {"\x04", nil, 1, command.ExitFailed, "nothing was revoked"},
		"with --yes":     {"", []string{"--yes"}, 1, command.ExitOK, "2 links revoked"},
		"with --dry-run": {"", []string{"--dry-run"}, 1, command.ExitOK, "2 links would be revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeAPI{answers: map[string]any{path: api.Revocation{Matched: 2, Revoked: 2, Done: true}}}
			got := runAt(t, f, tt.typed, false, append([]string{"revoke", "--bucket", "reports"}, tt.args...)...)
			sent := slices.DeleteFunc(f.lines(), func(line string) bool { return !strings.HasPrefix(line, "POST ") })
			if got.code != tt.code || len(sent) != tt.requests {
				t.Errorf("%+v after %q", got, f.lines())
			}
			has(t, got.stderr, tt.want)
			asked := strings.Contains(got.stderr, "Revoke 2 links to objects of s3://reports? [y/N] ")
			if asked != (len(tt.args) == 0) {
				t.Errorf("asked: %v\n%s", asked, got.stderr)
			}
		})
	}
}

// A person who cannot read the question must not answer it: without --yes nothing is sent.
func TestRevokeWithHiddenQuestion(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/revocations": api.Revocation{Done: true}}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	at := newTerminal(t, "y\n")
	var stderr strings.Builder
	code := runCLI(t.Context(), []string{"revoke", "--all"}, command.Env{
		Stdin: at.tty, Stdout: at.tty, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	at.close(t)
	if code != command.ExitUsage || len(f.requests) > 0 {
		t.Errorf("exit %d after %d requests", code, len(f.requests))
	}
	has(t, stderr.String(), "cannot ask for confirmation, because standard error is not a terminal", "add --yes")
}

// A count of nothing asks nothing: it warns, because the filters may be mistyped.
func TestRevokeNothingOnATerminal(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/revocations": api.Revocation{Done: true}}}
	got := runAt(t, f, "", false, "revoke", "--label", "team=a")
	if got.code != command.ExitOK || strings.Contains(got.stderr, "[y/N]") {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "warning: the filters select no live link", "0 links revoked")
}

// A QR code that does not fit on the terminal is not drawn; the warning names the width and
// the flag for a file.
func TestShareDrawsQROnTerminals(t *testing.T) {
	t.Parallel()
	for columns, fits := range map[uint16]bool{80: true, 20: false} {
		f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		at := newTerminal(t, "")
		if err := pty.Setsize(at.tty, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
			t.Fatal(err)
		}
		var stdout strings.Builder
		code := runCLI(t.Context(), []string{"share", "s3://reports/a", "--qr", "--quiet"}, command.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: at.tty,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		screen := at.close(t)
		if code != command.ExitOK || stdout.String() != testLink().URL+"\n" {
			t.Errorf("%d columns: exit %d, %s", columns, code, stdout.String())
		}
		warns := strings.Contains(screen, "columns; use --qr-file")
		if warns == fits || strings.Contains(screen, "█") != fits {
			t.Errorf("%d columns:\n%s", columns, screen)
		}
	}
}

// The file of --qr-file has its own name only when it is complete, so a terminal that asks
// and gets no answer leaves nothing.
func TestQRFileWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/objects": objectPage(false)}}
	got := runAt(t, f, "\x04", false, "share", "s3://reports/q3.pdf", "--qr-file", filepath.Join(dir, "a.png"))
	left, err := os.ReadDir(dir)
	if got.code != command.ExitFailed || err != nil || len(left) > 0 {
		t.Errorf("%+v, left %v, %v", got, left, err)
	}
}

// The question says what its answer decides, unless a flag has decided it.
func TestQuestionNamesLives(t *testing.T) {
	t.Parallel()
	const lives = "If it is sensitive, the link lives 10m without --expires, and at most 2h; if not, 12h without " +
		"--expires, and at most 2h.\n"
	for flag, says := range map[string]bool{"": true, "--expires=1h": false, "--preset=handoff": false} {
		for _, objects := range []string{"s3://reports/q3.pdf", "s3://reports/a s3://reports/b"} {
			ask := func() result {
				f := batchAPI(nil, nil)
				f.answers["GET /api/v1/objects"], f.answers["POST /api/v1/links"] = objectPage(false), testLink()
				f.answers["GET /api/v1/operator"] = aOperator()
				return runAt(t, f, "n\n", false, append([]string{"share"}, strings.Fields(objects+" "+flag)...)...)
			}
			want := ""
			if says {
				want = lives
			}
			got := inTime(want, ask)
			if got.code != command.ExitOK || strings.Contains(got.stderr, lives) != says {
				t.Errorf("%s %s: %+v", objects, flag, got)
			}
		}
	}
}

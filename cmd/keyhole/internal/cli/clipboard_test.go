package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
)

// programs writes shell scripts into a directory and returns it for PATH. Each writes its
// arguments and input into the file "got" beside it.
func programs(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		text := "#!/bin/sh\n" + strings.ReplaceAll(script, "GOT", filepath.Join(dir, "got")) + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The clipboard is set by the first program whose display is there. Over ssh, only programs
// that reach the person's display, or the terminal, are used.
func TestFindClipboard(t *testing.T) {
	t.Parallel()
	all := programs(t, map[string]string{"wl-copy": "", "xclip": "", "xsel": "", "pbcopy": "", "clip.exe": ""})
	x := programs(t, map[string]string{"xsel": ""})
	none := t.TempDir()
	if err := os.WriteFile(filepath.Join(none, "pbcopy"), nil, 0o600); err != nil { // not executable
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		want    string // the program; empty: none
	}{
		"Wayland":           {[]string{"PATH=" + all, "WAYLAND_DISPLAY=w", "DISPLAY=:0"}, "wl-copy"},
		"X11":               {[]string{"PATH=" + all, "DISPLAY=:0"}, "xclip"},
		"X11 with xsel":     {[]string{"PATH=" + none + ":" + x, "DISPLAY=:0", "WAYLAND_DISPLAY=w"}, "xsel"},
		"no display":        {[]string{"PATH=" + x}, ""},
		"macOS":             {[]string{"PATH=" + all}, "pbcopy"},
		"ssh":               {[]string{"PATH=" + all, "SSH_CONNECTION=a 1 b 2", "WAYLAND_DISPLAY=w"}, ""},
		"ssh -X":            {[]string{"PATH=" + all, "SSH_TTY=/dev/pts/0", "DISPLAY=localhost:10"}, "xclip"},
		"nothing":           {[]string{"PATH=" + none}, ""},
		"an empty PATH":     {nil, ""},
		"an empty PATH dir": {[]string{"PATH=:"}, ""},
	} {
		env := &command.Env{Environ: tt.environ, Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}}
		board, err := findClipboard(env)
		got := ""
		if board != nil {
			got = filepath.Base(board.program)
		}
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// --copy hands the URL or message to the program and says so only afterwards. Without a
// clipboard no link is issued. If the program fails, the URL is printed all the same.
func TestShareCopy(t *testing.T) {
	t.Parallel()
	dir := programs(t, map[string]string{"xclip": `echo "$@" >GOT; cat >>GOT`, "wl-copy": "exit 3"})
	run := func(f *fakeAPI, environ []string, args ...string) result {
		t.Helper()
		return runWith(t, f, append(environ, "PATH="+dir+":/usr/bin:/bin"), append([]string{"share"}, args...)...)
	}
	issuing := func() *fakeAPI { return &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}} }
	copied := func() string {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(dir, "got"))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	got := run(issuing(), []string{"DISPLAY=:0"}, "s3://reports/q3.pdf", "--copy")
	if got.code != command.ExitOK || got.stdout != testLink().URL+"\n" ||
		copied() != "-selection clipboard\n"+testLink().URL {
		t.Errorf("got %+v, copied %q", got, copied())
	}
	has(t, got.stderr, "  copy      the URL was copied to the clipboard with xclip\n")
	got = run(issuing(), []string{"DISPLAY=:0"}, "s3://reports/q3.pdf", "--copy", "--message", "--quiet")
	if got.stderr != "" || copied() != "-selection clipboard\n"+strings.TrimSuffix(got.stdout, "\n") {
		t.Errorf("--message: %+v, copied %q", got, copied())
	}

	got = run(issuing(), []string{"WAYLAND_DISPLAY=w"}, "s3://reports/q3.pdf", "--copy")
	if got.code != command.ExitFailed || got.stdout != testLink().URL+"\n" || strings.Contains(got.stderr, "copied to") {
		t.Errorf("a failure: %+v", got)
	}
	has(t, got.stderr, "was issued, but: it was not copied: wl-copy: exit status 3", "keyhole revoke "+testID())

	f := issuing()
	got = run(f, nil, "s3://reports/q3.pdf", "--copy")
	if got.code != command.ExitUsage || len(f.requests) != 0 {
		t.Errorf("no clipboard: %+v after %q", got, f.lines())
	}
	has(t, got.stderr, "there is no clipboard that --copy can set", "install wl-copy (Wayland), xclip or xsel (X11)")
	got = run(f, []string{"SSH_TTY=/dev/pts/0"}, "s3://reports/q3.pdf", "--copy")
	has(t, got.stderr, "over ssh, --copy needs a terminal")

	several := run(batchAPI(nil, nil), []string{"DISPLAY=:0"}, "s3://reports/a", "s3://reports/b", "--copy")
	has(t, several.stderr, "  copy      2 URLs were copied to the clipboard with xclip\n")
	if copied() != "-selection clipboard\nhttps://dl.example.com/1\nhttps://dl.example.com/2" {
		t.Errorf("several: %+v, copied %q", several, copied())
	}
}

// A terminal gets the text in the sequence of OSC 52. It does not answer, so the command
// claims only that it was sent.
func TestCopyThroughTheTerminal(t *testing.T) {
	t.Parallel()
	var screen bytes.Buffer
	said, err := (&clipboard{screen: &screen}).set(t.Context(), nil, "https://x")
	if err != nil || screen.String() != "\x1b]52;c;aHR0cHM6Ly94\a" || !strings.HasPrefix(said, "sent to your terminal") {
		t.Errorf("got %q, %q, %v", screen.String(), said, err)
	}
	if got := utf16Text("é\n"); got != "\xff\xfe\xe9\x00\n\x00" {
		t.Errorf("for Windows: %q", got)
	}
}

// clip.exe gets UTF-16, because it reads the code page of Windows otherwise.
func TestShareCopiesUTF16(t *testing.T) {
	t.Parallel()
	dir := programs(t, map[string]string{"clip.exe": "cat >GOT"})
	link := testLink()
	link.Filename, link.Passphrase = "Zürich 🗝.pdf", false
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": link}}
	environ := []string{"PATH=" + dir + ":/usr/bin:/bin"}
	got := runWith(t, f, environ, "share", "s3://reports/q3.pdf", "--copy", "--message")
	copied, err := os.ReadFile(filepath.Join(dir, "got"))
	if err != nil || got.code != command.ExitOK || string(copied) != utf16Text(strings.TrimSuffix(got.stdout, "\n")) {
		t.Errorf("%+v, copied %q, %v", got, copied, err)
	}
	// The key is outside the basic plane and needs two units, D83D and DDDD.
	if !strings.Contains(string(copied), "\x3d\xd8\xdd\xdd") {
		t.Errorf("copied %q", copied)
	}
	has(t, got.stderr, "  copy      the message was copied to the clipboard with clip.exe\n")
}

// A program that does not end is stopped. If a program fails or cannot start, or if the
// terminal is gone, the command does not claim that the text was copied.
func TestClipboardFails(t *testing.T) {
	t.Parallel()
	dir := programs(t, map[string]string{"wl-copy": "exec sleep 60", "xsel": "echo canary >&2; exit 1"})
	for name, want := range map[string]string{
		"wl-copy": "wl-copy: it did not end in time", "xsel": "xsel: exit status 1",
		"missing": "missing: fork/exec " + filepath.Join(dir, "missing") + ": no such file or directory",
	} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if name == "wl-copy" {
			ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
		}
		board := &clipboard{program: filepath.Join(dir, name)}
		said, err := board.set(ctx, []string{"PATH=/usr/bin:/bin"}, "https://x")
		cancel()
		if said != "" || err == nil || err.Error() != want {
			t.Errorf("%s: %q, %v, want %s", name, said, err, want)
		}
	}
	var stderr strings.Builder
	f := &shareFlags{board: &clipboard{screen: fullDisk{}}}
	err := f.copyText(t.Context(), &command.Env{Stderr: &stderr}, "https://x\n")
	if err == nil || err.Error() != "it was not copied: no space left on device" || stderr.Len() > 0 {
		t.Errorf("a terminal: %v, %q", err, stderr.String())
	}
}

// If the QR code and the clipboard both fail, the URL is printed, and the error names both.
func TestShareNamesEachFailure(t *testing.T) {
	t.Parallel()
	dir := programs(t, map[string]string{"pbcopy": "exit 4"})
	link := testLink()
	link.URL = "https://dl.example.com/" + strings.Repeat("y", 4000)
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": link}}
	picture := filepath.Join(t.TempDir(), "a.svg")
	got := runWith(t, f, []string{"PATH=" + dir}, "share", "s3://reports/a", "--qr-file", picture, "--copy", "--quiet")
	lines := strings.Split(got.stderr, "\n")
	if got.code != command.ExitFailed || got.stdout != link.URL+"\n" || len(lines) != 4 ||
		!strings.HasPrefix(lines[0], "keyhole: the link "+testID()+" was issued, but: ") ||
		lines[1] != "it was not copied: pbcopy: exit status 4" || lines[2] != "  keyhole revoke "+testID() {
		t.Errorf("exit %d: %q", got.code, lines)
	}
	if _, err := os.Stat(picture); !os.IsNotExist(err) {
		t.Errorf("the picture: %v", err)
	}
	several := runWith(t, batchAPI(nil, nil), []string{"PATH=" + dir}, "share", "s3://reports/a", "s3://reports/b",
		"--copy", "--quiet", "--json")
	if several.code != command.ExitFailed || !strings.HasPrefix(several.stdout, "{") {
		t.Errorf("several: %+v", several)
	}
	has(t, several.stderr, "keyhole: 2 links issued, but: it was not copied: pbcopy: exit status 4\n",
		"  keyhole list shows the links; keyhole revoke ID ends one\n")
}

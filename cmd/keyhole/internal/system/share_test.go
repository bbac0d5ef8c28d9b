//go:build system

package system

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"rsc.io/qr"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/logtest"
)

// terminal is a command with a person at its terminal.
type terminal struct {
	t       *testing.T
	file    *os.File
	output  *logtest.Buffer
	command *exec.Cmd
	ended   chan struct{} // when all output has been read
}

// openTerminal starts a command of the gateway's on a terminal.
func (g *instance) openTerminal(t *testing.T, in *installation, args ...string) *terminal {
	t.Helper()
	return g.openProgram(t, in, binary, args...)
}

// openProgram starts any program on a terminal, with what commands of the gateway's need.
func (g *instance) openProgram(t *testing.T, in *installation, program string, args ...string) *terminal {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, args...)
	command.Env = append(os.Environ(), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key)
	file, err := pty.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, file: file, output: &logtest.Buffer{}, command: command, ended: make(chan struct{})}
	go func() {
		defer close(term.ended)
		_, _ = io.Copy(term.output, file) // It ends with EIO when the command does.
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // It may have ended.
		_ = file.Close()
	})
	return term
}

// waitFor waits until text has been shown.
func (term *terminal) waitFor(text string) {
	term.t.Helper()
	eventually(term.t, "the terminal to show "+text, func() error {
		if !strings.Contains(term.output.String(), text) {
			return errors.New(term.output.Tail(1 << 10))
		}
		return nil
	})
}

// enter types a line.
func (term *terminal) enter(text string) {
	term.t.Helper()
	if _, err := io.WriteString(term.file, text); err != nil {
		term.t.Fatal(err)
	}
}

// end waits for the command, and returns its exit code and all that was shown.
func (term *terminal) end() (int, string) {
	term.t.Helper()
	select {
	case <-term.ended:
	case <-time.After(20 * time.Second):
		term.t.Fatalf("it does not end:\n%s", term.output.String())
	}
	_ = term.command.Wait() // The code says it.
	return term.command.ProcessState.ExitCode(), term.output.String()
}

// On a terminal share asks for what was not said, and for nothing else.
func TestShareAsks(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.put(t, "invoices/1.txt", []byte("content"))
	g := in.start()
	const question = "Is the object sensitive"
	for name, tt := range map[string]struct {
		args     []string
		answers  string
		asked    int
		code     int
		contains []string
	}{
		"yes": {
			nil, "y\n", 1, 0,
			[]string{"size      7 B", "sensitive yes\r\n", "in 15m (handoff, because the object is sensitive)"},
		},
		"no": {nil, "no\n", 1, 0, []string{"sensitive no\r\n", "in 24h (business, because the object is not sensitive)"}},
		"does not know": {
			nil, "\n", 1, 0,
			[]string{"sensitive not stated\r\n", "in 1h (troubleshooting, because sensitivity"},
		},
		"something else":  {nil, "perhaps\ny\n", 2, 0, []string{"sensitive yes\r\n"}},
		"no answer":       {nil, "\x04", 1, 1, []string{"nothing was shared", "use --sensitive, --not-sensitive"}},
		"said before":     {[]string{"--not-sensitive"}, "", 0, 0, []string{"sensitive no\r\n"}},
		"not to be asked": {[]string{"--yes"}, "", 0, 0, []string{"sensitive not stated\r\n"}},
		"policy answers": {
			[]string{"--note", "of the invoices"},
			"", 0, 0,
			[]string{"sensitive yes: the policy's sensitive_objects says so\r\n"},
		},
		"not there": {
			nil, "", 0, 1,
			[]string{"there is no such object", "list the objects: keyhole objects s3://reports/"},
		},
		"no such bucket": {nil, "", 0, 1, []string{"did you mean s3://reports/file.txt?"}},
		"a mistake":      {[]string{"--expires", "1 day"}, "", 0, 2, []string{"is not a duration"}},
		"a life is no answer": {
			[]string{"--expires", "10m"},
			"n\n", 1, 0,
			[]string{"in 10m (as requested)", "sensitive no\r\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := "s3://reports/file.txt"
			switch name {
			case "policy answers":
				object = "s3://reports/invoices/1.txt"
			case "not there":
				object = "s3://reports/missing.txt"
			case "no such bucket":
				object = "s3://report/file.txt"
			}
			term := g.openTerminal(t, in, append([]string{"share", object}, tt.args...)...)
			if tt.asked > 0 {
				term.waitFor(question)
			}
			term.enter(tt.answers)
			code, shown := term.end()
			if code != tt.code || strings.Count(shown, question) != tt.asked {
				t.Errorf("it ends with %d and asks %d times, want %d and %d:\n%s", code, strings.Count(shown, question), tt.code,
					tt.asked, shown)
			}
			for _, text := range tt.contains {
				if !strings.Contains(shown, text) {
					t.Errorf("it does not show %q:\n%s", text, shown)
				}
			}
			if issued := strings.Contains(shown, g.public+"/"); issued != (tt.code == 0) {
				t.Errorf("a link was issued: %v", issued)
			}
		})
	}
}

// What goes into a pipe is not asked about, and that is said to whoever is at the
// terminal. A question that nobody would see is none.
func TestQuestionsBesideAPipe(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	for _, tt := range []struct {
		script string
		want   []string
	}{
		{
			binary + " share s3://reports/file.txt | cat",
			[]string{"note      sensitivity was not asked", "sensitive not stated"},
		},
		{binary + " share s3://reports/file.txt --sensitive | cat", []string{"sensitive yes"}},
		{binary + " revoke --all 2>/dev/null; echo ended with $?", []string{"ended with 2"}},
		{binary + " revoke --all | cat", []string{"Revoke 2 links? [y/N] "}},
	} {
		script := tt.script
		term := g.openProgram(t, in, "sh", "-c", script)
		if strings.Contains(script, "all | cat") {
			term.waitFor("[y/N]")
			term.enter("n\n")
		}
		_, shown := term.end()
		for _, text := range tt.want {
			if !strings.Contains(shown, text) {
				t.Errorf("%s: it does not show %q:\n%s", script, text, shown)
			}
		}
		if strings.Contains(shown, "Is the object sensitive") || strings.Contains(script, "--sensitive") &&
			strings.Contains(shown, "was not asked") {
			t.Errorf("%s: it shows\n%s", script, shown)
		}
	}
}

// A command that is interrupted at its question has shared nothing.
func TestShareIsInterrupted(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	term := g.openTerminal(t, in, "share", "s3://reports/file.txt")
	term.waitFor("Is the object sensitive")
	term.enter("\x03")
	if code, shown := term.end(); code == 0 || strings.Contains(shown, g.public+"/") {
		t.Errorf("it ends with %d:\n%s", code, shown)
	}
	if n := in.redis.MustDo(t, "EVAL", `return #redis.call('KEYS', 'keyhole:{p*}:l:*')`, "0"); n != "0" {
		t.Errorf("%s links", n)
	}
}

// The QR code of a terminal, a PNG and an SVG all read as the URL.
func TestShareDrawsQRCodes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"zbarimg", "chromium"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed: run deploy/test, which installs it", name)
		}
	}
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	dir := t.TempDir()
	for _, format := range []string{"png", "svg"} {
		path := filepath.Join(dir, "link."+format)
		url, shown := shareAs(t, g, in, "--qr", "--qr-file", path)
		picture := path
		if format == "svg" {
			picture = filepath.Join(dir, "rendered.png")
			render(t, path, picture)
		}
		if got := readQR(t, picture); got != url {
			t.Errorf("%s: it reads %q, want %q", format, got, url)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", format, info, err)
		}
		drawn := filepath.Join(dir, "terminal.png")
		drawText(t, drawn, shown)
		if got := readQR(t, drawn); got != url {
			t.Errorf("the terminal's reads %q, want %q", got, url)
		}
	}
}

// shareAs shares a file in a pipe and returns the URL, which is all of standard
// output, and what else was shown.
func shareAs(t *testing.T, g *instance, in *installation, args ...string) (url, shown string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, append([]string{"share", "s3://reports/file.txt"}, args...)...)
	command.Env = append(os.Environ(), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	url = strings.TrimSuffix(stdout.String(), "\n")
	if !strings.HasPrefix(url, g.public+"/") || strings.ContainsAny(url, "\n ") {
		t.Fatalf("standard output is %q", stdout.String())
	}
	return url, stderr.String()
}

// readQR reads the code of a picture.
func readQR(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "zbarimg", "--quiet", "--raw", path).Output()
	if err != nil {
		t.Fatalf("zbarimg %s: %v", path, err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// render makes a picture of a drawing as a browser shows it.
func render(t *testing.T, drawing, picture string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
		"--user-data-dir="+t.TempDir(), "--window-size=600,600", "--screenshot="+picture, "file://"+drawing).CombinedOutput()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
}

// drawText draws what a terminal shows of a code: two rows of modules in a line.
func drawText(t *testing.T, path, shown string) {
	t.Helper()
	var rows []string
	for line := range strings.Lines(shown) {
		if line = strings.TrimRight(line, "\n"); regexp.MustCompile(`^[█▀▄ ]+$`).MatchString(line) {
			rows = append(rows, line)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("there is no code in\n%s", shown)
	}
	// The size of what is drawn is a code's with its quiet zone, so a Code draws it.
	var bits []byte
	size := len([]rune(rows[0]))
	stride := (size + 7) / 8
	bits = make([]byte, stride*size)
	for i, row := range rows {
		for x, r := range []rune(row) {
			for half, light := range []bool{r == '█' || r == '▀', r == '█' || r == '▄'} {
				if y := 2*i + half; !light && y < size {
					bits[y*stride+x/8] |= 1 << (7 - x%8)
				}
			}
		}
	}
	picture := (&qr.Code{Bitmap: bits, Size: size, Stride: stride, Scale: 8}).PNG()
	if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A link that may be there although no URL came is asked for again as the error says:
// another try would make another link.
func TestShareMayBeIssued(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start("KEYHOLE_REDIS_WAIT_REPLICAS=1", shortTimeout) // There is no replica.
	share := func(args ...string) (code int, shown string) {
		var stderr bytes.Buffer
		code = runBinary(t.Context(), append([]string{"share", "s3://reports/file.txt"}, args...), command.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=" + in.key, "KEYHOLE_OPERATOR_URL=" + g.operator},
		})
		return code, stderr.String()
	}
	code, shown := share()
	again := regexp.MustCompile(
		`(?m)^  repeat the command with (--idempotency-key) (\S+): this issues no second link$`).FindStringSubmatch(shown)
	if code != command.ExitFailed || again == nil {
		t.Fatalf("it ends with %d:\n%s", code, shown)
	}
	if code, shown := share(again[1:]...); code != command.ExitFailed || !strings.Contains(shown, again[0]) {
		t.Errorf("again it ends with %d:\n%s", code, shown)
	}
	if code, shown := share("--make-passphrase"); code != command.ExitFailed ||
		strings.Contains(shown, "--idempotency-key") ||
		!strings.Contains(shown, "keyhole list shows whether the link was issued") {
		t.Errorf("with a passphrase that it makes up it ends with %d:\n%s", code, shown)
	}
	if n := in.redis.MustDo(t, "EVAL", `return #redis.call('KEYS', 'keyhole:{p*}:l:*')`, "0"); n != "0" {
		t.Errorf("%s links, although not even what a retry finds was confirmed", n)
	}
}

// A passphrase that is made up opens the link, and stands nowhere near the URL.
func TestShareMakesAPassphrase(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	url, shown := shareAs(t, g, in, "--make-passphrase")
	match := regexp.MustCompile(`(?m)^Passphrase: ([a-z2-7]{4}(?:-[a-z2-7]{4}){3})$`).FindStringSubmatch(shown)
	if match == nil || strings.Contains(shown, url) {
		t.Fatalf("it shows\n%s", shown)
	}
	c := unfollowed()
	defer c.CloseIdleConnections()
	for passphrase, want := range map[string]int{"wrong": 403, match[1]: 303} {
		a, err := ask(t.Context(), c, "POST", url, strings.NewReader("confirm=1&passphrase="+passphrase), "Content-Type",
			"application/x-www-form-urlencoded")
		if err != nil || a.status != want {
			t.Errorf("%d, %v; want %d", a.status, err, want)
		}
	}
	if _, other := shareAs(t, g, in, "--make-passphrase"); strings.Contains(other, match[1]) {
		t.Error("it makes the same passphrase twice")
	}
}

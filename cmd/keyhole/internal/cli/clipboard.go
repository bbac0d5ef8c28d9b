package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode/utf16"

	"keyhole/cmd/keyhole/internal/cli/term"
	"keyhole/cmd/keyhole/internal/command"
)

// clipboardTimeout bounds the program that sets the clipboard. Without a limit, the program
// would wait for ever for a display that does not answer.
const clipboardTimeout = 5 * time.Second

// clipboard sets the clipboard of the person at the terminal.
type clipboard struct {
	program string    // its path; empty: the terminal sets the clipboard
	args    []string  // of the program
	wide    bool      // the program reads UTF-16
	screen  io.Writer // the terminal, if there is no program
}

// clipboardPrograms are the programs that set a clipboard, in the order in which they are
// tried, with the variable that must be set for their display.
func clipboardPrograms() []clipboardProgram {
	return []clipboardProgram{
		{name: "wl-copy", needs: "WAYLAND_DISPLAY"},
		{name: "xclip", args: []string{"-selection", "clipboard"}, needs: "DISPLAY", forwarded: true},
		{name: "xsel", args: []string{"--clipboard", "--input"}, needs: "DISPLAY", forwarded: true},
		{name: "pbcopy"},
		{name: "clip.exe", wide: true},
	}
}

// clipboardProgram is one of clipboardPrograms.
type clipboardProgram struct {
	name      string
	args      []string
	needs     string // a variable; empty: none
	wide      bool
	forwarded bool // the program can use the person's display over ssh
}

// findClipboard returns the clipboard of the person. It is called before a link is issued,
// so that a missing one is a mistake in the command. Over ssh, the clipboard of this machine
// is not the person's, and only the terminal reaches the right one.
func findClipboard(env *command.Env) (*clipboard, error) {
	// sshd sets both for a terminal, and only the first for a command without one.
	remote := env.Getenv("SSH_CONNECTION") != "" || env.Getenv("SSH_TTY") != ""
	for _, p := range clipboardPrograms() {
		if p.needs != "" && env.Getenv(p.needs) == "" || remote && !p.forwarded {
			continue
		}
		if path := lookPath(env.Getenv("PATH"), p.name); path != "" {
			return &clipboard{program: path, args: p.args, wide: p.wide}, nil
		}
	}
	for _, stream := range []io.Writer{env.Stderr, env.Stdout} {
		if remote && term.IsTerminal(stream) {
			return &clipboard{screen: stream}, nil
		}
	}
	hint := "install wl-copy (Wayland), xclip or xsel (X11), or omit --copy"
	if remote {
		hint = "over ssh, --copy needs a terminal, or a forwarded display with xclip or xsel; otherwise omit --copy"
	}
	return nil, command.Usage("there is no clipboard that --copy can set", hint)
}

// lookPath returns the path of a program in one of the directories of PATH, or "". Unlike
// exec.LookPath it reads the environment of the command.
func lookPath(path, name string) string {
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue // an empty entry means the working directory, where anyone may have put a program
		}
		file := filepath.Join(dir, name)
		info, err := os.Stat(file)
		if err == nil && info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || runtime.GOOS == "windows") {
			return file
		}
	}
	return ""
}

// set sets the clipboard, and returns the words that describe the result.
func (c *clipboard) set(ctx context.Context, environ []string, text string) (said string, err error) {
	if c.program == "" {
		// OSC 52 of xterm. A terminal may ignore it, and does not answer.
		_, err = fmt.Fprintf(c.screen, "\x1b]52;c;%s\a", base64.StdEncoding.EncodeToString([]byte(text)))
		return "sent to your terminal, which can put it into the clipboard", err
	}
	ctx, cancel := context.WithTimeout(ctx, clipboardTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, c.args...) //nolint:gosec // One of clipboardPrograms, in the user's PATH.
	cmd.Env = environ
	cmd.Stdin = strings.NewReader(text)
	if c.wide {
		cmd.Stdin = strings.NewReader(utf16Text(text))
	}
	// xclip and wl-copy leave a process that serves the clipboard; it must not hold a pipe
	// for which Run would wait.
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.New("it did not end in time")
		}
		return "", fmt.Errorf("%s: %w", filepath.Base(c.program), err)
	}
	return "copied to the clipboard with " + filepath.Base(c.program), nil
}

// utf16Text encodes a text as Windows does, with a byte order mark.
func utf16Text(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit), byte(unit>>8)) //nolint:gosec // The two halves.
	}
	return string(b)
}

// copyText copies the printed text without its last line break, if --copy is given. It
// reports the copy only after it has succeeded.
func (f *shareFlags) copyText(ctx context.Context, env *command.Env, text string) error {
	if f.board == nil {
		return nil
	}
	said, err := f.board.set(ctx, env.Environ, strings.TrimSuffix(text, "\n"))
	if err != nil {
		return fmt.Errorf("it was not copied: %w", err)
	}
	if !f.quiet {
		what, n := "the URL was", strings.Count(text, "\n")
		if f.message {
			what, n = "the message was", strings.Count(text, "\n\n")+1
		}
		if n > 1 {
			what = fmt.Sprintf("%d %ss were", n, map[bool]string{true: "message", false: "URL"}[f.message])
		}
		fmt.Fprintf(env.Stderr, "  copy      %s %s\n", what, said)
	}
	return nil
}

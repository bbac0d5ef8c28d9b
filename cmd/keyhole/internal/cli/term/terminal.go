package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// IsTerminal tells whether stream is a terminal. Tests hand in buffers, which are none.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// ReadLine reads a line. It returns when ctx ends, because an interrupt must end a
// question; a line that is typed later is lost.
func ReadLine(ctx context.Context, lines *bufio.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := lines.ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-read:
		return l.text, l.err
	}
}

// Progress shows the progress of a slow command on one line, which it overwrites. It prints
// nothing if its writer is not a terminal.
type Progress struct {
	w     io.Writer
	shown bool
}

// NewProgress returns a progress line on w. In a log or a pipe, lines that overwrite each
// other would be unreadable.
func NewProgress(w io.Writer) *Progress {
	if !IsTerminal(w) {
		w = io.Discard
	}
	return &Progress{w: w}
}

// eraseLine returns to the beginning of the line and erases it (ECMA-48, EL).
const eraseLine = "\r\x1b[K"

// Say replaces the text of the line.
func (p *Progress) Say(format string, args ...any) {
	p.shown = true
	fmt.Fprintf(p.w, eraseLine+format, args...)
}

// Clear erases the line, so that only the result remains.
func (p *Progress) Clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, eraseLine)
	}
}

// ShellWord quotes a text, if needed, so that a POSIX shell reads it as one word.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plainWord matches words that no shell interprets.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9/.:_@%+=,-]+$`)

// ErrTooLong means that a line is as long as a terminal can pass on, so its end may be
// missing.
var ErrTooLong = errors.New("the line is too long for a terminal")

// maxLine returns the number of bytes that a terminal passes on of one line, without the
// line break (MAX_CANON of the system).
func maxLine() int {
	if runtime.GOOS == "linux" {
		return 4095
	}
	return 1023
}

// ReadSecret reads a line from a terminal that does not show it. It returns when ctx ends,
// and then the terminal shows again what is typed.
func ReadSecret(ctx context.Context, stream any) (string, error) {
	file, ok := stream.(*os.File)
	if !ok {
		return "", os.ErrInvalid
	}
	state, err := term.GetState(int(file.Fd()))
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(int(file.Fd()))
		read <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(file.Fd()), state))
	case l := <-read:
		if len(l.text) >= maxLine() {
			return "", ErrTooLong
		}
		return string(l.text), l.err
	}
}

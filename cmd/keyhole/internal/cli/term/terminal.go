package term

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// IsTerminal tells whether a person is at the other end of stream.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// ReadLine reads a person's line. It does not wait for it beyond ctx, which an
// interrupt ends: what is read then is nobody's any more.
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

// Progress tells a person how far something is that takes long, on one line that is
// written over. It says nothing to what is no terminal.
type Progress struct {
	w     io.Writer
	shown bool
}

// NewProgress returns a progress on w.
func NewProgress(w io.Writer) *Progress {
	if !IsTerminal(w) {
		w = io.Discard
	}
	return &Progress{w: w}
}

// eraseLine goes back to the beginning of the line and erases it (ECMA-48, EL).
const eraseLine = "\r\x1b[K"

// Say replaces what was said before.
func (p *Progress) Say(format string, args ...any) {
	p.shown = true
	fmt.Fprintf(p.w, eraseLine+format, args...)
}

// Clear takes away what was said, so that the result stands alone.
func (p *Progress) Clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, eraseLine)
	}
}

// ShellWord quotes what a POSIX shell would not take for one plain word.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plainWord is what no shell gives a meaning of its own.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9/.:_@%+=,-]+$`)

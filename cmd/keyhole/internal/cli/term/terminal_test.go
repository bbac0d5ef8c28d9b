package term

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// A file that is not a terminal, and anything that is not a file, is not a terminal.
func TestIsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, stream := range map[string]any{
		"nil": nil, "a buffer": &bytes.Buffer{}, "a file": file, "a closed pipe": io.Discard,
	} {
		if IsTerminal(stream) {
			t.Errorf("%s is taken for a terminal", name)
		}
	}
	if s := ScreenOf(file); s != (screen{}) {
		t.Errorf("the screen of a file is %+v", s)
	}
	if s := ScreenOf(&bytes.Buffer{}); s != (screen{}) {
		t.Errorf("the screen of a buffer is %+v", s)
	}
}

// Each line is read once, and the last one may have no line break.
func TestReadLine(t *testing.T) {
	t.Parallel()
	lines := bufio.NewReader(strings.NewReader("y\n\nno"))
	for _, want := range []struct {
		text string
		err  error
	}{{"y\n", nil}, {"\n", nil}, {"no", io.EOF}, {"", io.EOF}} {
		got, err := ReadLine(t.Context(), lines)
		if got != want.text || !errors.Is(err, want.err) {
			t.Errorf("got %q, %v, want %q, %v", got, err, want.text, want.err)
		}
	}
}

// An interrupt ends a question that nobody answers.
func TestReadLineIsInterrupted(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = errors.Join(reader.Close(), writer.Close()) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := ReadLine(ctx, bufio.NewReader(reader))
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Progress overwrites one line of a terminal and leaves nothing behind. Elsewhere it
// prints nothing.
func TestProgress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &Progress{w: &out} // as NewProgress makes it for a terminal
	p.Clear()
	if out.Len() > 0 {
		t.Errorf("erased a line that was not written: %q", out.String())
	}
	p.Say("%d found", 1)
	p.Say("%d found", 20)
	p.Clear()
	p.Clear()
	if want := "\r\x1b[K1 found\r\x1b[K20 found\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	p = NewProgress(&out)
	p.Say("%d found", 1)
	p.Clear()
	if out.Len() > 0 {
		t.Errorf("printed to a pipe: %q", out.String())
	}
}

// The end of the context ends a hidden question and shows again what is typed. A stream
// that is no terminal is refused.
func TestReadSecretEnds(t *testing.T) {
	t.Parallel()
	user, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	// Closing the other end ends the read that ReadSecret has left behind. tty itself stays
	// open, because that read uses its descriptor until then.
	t.Cleanup(func() { _ = user.Close() })
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := ReadSecret(ctx, tty)
		ended <- err
	}()
	for hidden := false; !hidden; {
		state, err := term.GetState(int(tty.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		hidden = !reflect.DeepEqual(state, before)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if after, err := term.GetState(int(tty.Fd())); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("the terminal stays changed: %v", err)
	}
	if _, err := ReadSecret(t.Context(), strings.NewReader("khk_key\n")); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("no terminal: %v", err)
	}
}

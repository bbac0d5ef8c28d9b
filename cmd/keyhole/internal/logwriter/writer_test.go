package logwriter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowWriter takes what is written once it is let, or fails.
type slowWriter struct {
	let chan error

	mu     sync.Mutex
	writes []string
}

func (w *slowWriter) Write(p []byte) (int, error) {
	if err := <-w.let; err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

// text is everything that was written.
func (w *slowWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.writes, "")
}

// closeSoon is Close for a writer that takes everything.
func closeSoon(t *testing.T, l *Writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestLines writes lines while a write hangs: none is lost or out of order, and
// those that came meanwhile are one write.
func TestLines(t *testing.T) {
	w := &slowWriter{let: make(chan error)}
	l := New(w, nil)
	var want strings.Builder
	write := func(line string) {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("took %d bytes, %v", n, err)
		}
		want.WriteString(line)
	}
	write("first\n")
	w.let <- nil // the first line is on its way, alone or with nothing
	for i := range 100 {
		write(fmt.Sprintf("line %d\n", i))
	}
	close(w.let)
	closeSoon(t, l)
	if got := w.text(); got != want.String() {
		t.Errorf("wrote %q", got)
	}
	if len(w.writes) > 3 {
		t.Errorf("%d writes for lines that came together", len(w.writes))
	}
	if n := l.Dropped(); n != 0 {
		t.Errorf("%d lines are counted as dropped", n)
	}
}

// A write that fails in the middle loses only the lines behind it. The notice of the loss
// comes with the next line that can be written, and only once.
func TestPartialWrites(t *testing.T) {
	t.Parallel()
	out := &partialWriter{left: len("one\nt"), failing: true}
	l := New(out, func(lost uint64) []byte { return fmt.Appendf(nil, "lost %d\n", lost) })
	if _, err := l.Write([]byte("one\ntwo\nthree\n")); err != nil {
		t.Fatal(err)
	}
	closeSoon(t, l)
	if n := l.Dropped(); n != 2 {
		t.Errorf("%d lines are counted as dropped, want 2", n)
	}
	out.recover()
	for _, line := range []string{"four\n", "five\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		closeSoon(t, l)
	}
	if got := out.text(); got != "one\ntfour\nlost 2\nfive\n" {
		t.Errorf("wrote %q", got)
	}
}

// partialWriter fails after some bytes, until it has recovered.
type partialWriter struct {
	mu      sync.Mutex
	left    int
	failing bool
	written strings.Builder
}

func (w *partialWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.failing {
		return w.written.Write(p)
	}
	n := min(w.left, len(p))
	w.left -= n
	w.written.Write(p[:n])
	return n, errors.New("no space left on device")
}

// recover lets all further writes succeed.
func (w *partialWriter) recover() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing = false
}

// text returns everything that was written.
func (w *partialWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.String()
}

package logwriter

import (
	"context"
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

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// slowWriter takes what is written once it is let.
type slowWriter struct {
	let chan struct{}

	mu     sync.Mutex
	writes []string
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.let
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

// TestLines writes lines while a write hangs: none is lost or out of order, and
// those that came meanwhile are one write.
func TestLines(t *testing.T) {
	w := &slowWriter{let: make(chan struct{})}
	l := newLines(w)
	var want strings.Builder
	write := func(line string) {
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("took %d bytes, %v", n, err)
		}
		want.WriteString(line)
	}
	write("first\n")
	w.let <- struct{}{} // the first line is on its way, alone or with nothing
	for i := range 100 {
		write(fmt.Sprintf("line %d\n", i))
	}
	close(w.let)
	l.Close()
	if got := strings.Join(w.writes, ""); got != want.String() {
		t.Errorf("wrote %q", got)
	}
	if len(w.writes) > 3 {
		t.Errorf("%d writes for lines that came together", len(w.writes))
	}
}

// TestLinesFull lets whoever logs wait, when too much is unwritten, and loses none.
func TestLinesFull(t *testing.T) {
	w := &slowWriter{let: make(chan struct{})}
	l := newLines(w)
	big := strings.Repeat("x", mostUnwritten)
	done := make(chan struct{})
	go func() {
		for range 4 {
			_, _ = l.Write([]byte(big))
		}
		close(done)
	}()
	for range 2 {
		w.let <- struct{}{}
	}
	close(w.let)
	<-done
	l.Close()
	if total := len(strings.Join(w.writes, "")); total != 4*mostUnwritten {
		t.Errorf("wrote %d bytes, want %d", total, 4*mostUnwritten)
	}
}

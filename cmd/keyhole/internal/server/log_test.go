package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/logwriter"
	"keyhole/config"
)

// TestLinesFull logs more than is kept for a reader that does not read: nobody
// waits, whole lines are dropped and counted, and the log says how many.
func TestLinesFull(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"level":"ERROR","msg":"log lines were dropped because the log was not read fast enough","lines":`,
		"text": `level=ERROR msg="log lines were dropped because the log was not read fast enough" lines=`,
	} {
		w := &gatedWriter{let: make(chan error)}
		l := NewLog(config.Log{Level: "error", Format: format}, w).lines
		const all = 5000
		line := strings.Repeat("x", 1023) + "\n"
		for range all {
			_, _ = l.Write([]byte(line))
		}
		dropped := l.Dropped()
		if dropped == 0 || dropped > all {
			t.Fatalf("%d of %d lines are counted as dropped", dropped, all)
		}
		if err := l.Close(ended(t)); err == nil {
			t.Error("Close does not say that lines are left")
		}
		close(w.let)
		closeLog(t, l)
		text := w.text()
		if kept := strings.Count(text, line); fmt.Sprint(all-kept) != fmt.Sprint(dropped) {
			t.Errorf("%d lines written, %d counted as dropped, want %d together", kept, dropped, all)
		}
		if notice := text[strings.LastIndex(text, "x\n")+2:]; strings.Count(notice, "\n") != 1 ||
			!strings.Contains(notice, fmt.Sprint(want, dropped)) {
			t.Errorf("%s: the log ends with %q, want %s%d", format, notice, want, dropped)
		}
		if n := l.Dropped(); n != dropped {
			t.Errorf("%d lines are counted after all was written, want %d", n, dropped)
		}
	}
}

// TestLinesFail loses lines to a full disk: they are counted too, and the log says
// so when it can be written again.
func TestLinesFail(t *testing.T) {
	w := &gatedWriter{let: make(chan error, 1)}
	w.let <- errors.New("no space left on device")
	log := NewLog(config.Log{Level: "info", Format: "json"}, w)
	l := log.lines
	log.Info("one")
	closeLog(t, l)
	if n := l.Dropped(); n != 1 {
		t.Errorf("%d lines are counted as dropped, want 1", n)
	}
	close(w.let)
	log.Info("two")
	closeLog(t, l)
	if got := w.text(); !strings.HasPrefix(got[strings.Index(got, `"msg"`):], `"msg":"two"`) ||
		!strings.Contains(got, `"lines":1}`) {
		t.Errorf("wrote %s", got)
	}
}

// gatedWriter writes when it is told to on its channel, or fails with the error that
// it receives.
type gatedWriter struct {
	let chan error

	mu      sync.Mutex
	written strings.Builder
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	if err := <-w.let; err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.Write(p)
}

// text returns everything that was written.
func (w *gatedWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written.String()
}

// closeLog closes a log whose writer takes everything.
func closeLog(t *testing.T, l *logwriter.Writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

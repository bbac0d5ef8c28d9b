package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keyhole/config"
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
func closeSoon(t *testing.T, l *lines) {
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
	l := newLines(w, config.Log{})
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
	if n := l.dropped.Load(); n != 0 {
		t.Errorf("%d lines are counted as dropped", n)
	}
}

// TestLinesFull logs more than is kept for a reader that does not read: nobody
// waits, whole lines are dropped and counted, and the log says how many.
func TestLinesFull(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"level":"ERROR","msg":"log lines were dropped because the log was not read fast enough","lines":`,
		"text": `level=ERROR msg="log lines were dropped because the log was not read fast enough" lines=`,
	} {
		w := &slowWriter{let: make(chan error)}
		l := newLines(w, config.Log{Level: "error", Format: format})
		const all = 5000
		line := strings.Repeat("x", 1023) + "\n"
		for range all {
			_, _ = l.Write([]byte(line))
		}
		dropped := l.dropped.Load()
		if dropped == 0 || dropped > all {
			t.Fatalf("%d of %d lines are counted as dropped", dropped, all)
		}
		if err := l.Close(canceled(t)); err == nil {
			t.Error("Close does not say that lines are left")
		}
		close(w.let)
		closeSoon(t, l)
		text := w.text()
		if kept := strings.Count(text, line); fmt.Sprint(all-kept) != fmt.Sprint(dropped) {
			t.Errorf("%d lines written, %d counted as dropped, want %d together", kept, dropped, all)
		}
		if notice := text[strings.LastIndex(text, "x\n")+2:]; strings.Count(notice, "\n") != 1 || !strings.Contains(notice, fmt.Sprint(want, dropped)) {
			t.Errorf("%s: the log ends with %q, want %s%d", format, notice, want, dropped)
		}
		if n := l.dropped.Load(); n != dropped {
			t.Errorf("%d lines are counted after all was written, want %d", n, dropped)
		}
	}
}

// canceled is a context that has ended.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestLinesFail loses lines to a full disk: they are counted too, and the log says
// so when it can be written again.
func TestLinesFail(t *testing.T) {
	w := &slowWriter{let: make(chan error, 1)}
	w.let <- errors.New("no space left on device")
	l := newLines(w, config.Log{Level: "info", Format: "json"})
	log := newLogger(config.Log{Level: "info", Format: "json"}, l)
	log.Info("one")
	closeSoon(t, l)
	if n := l.dropped.Load(); n != 1 {
		t.Errorf("%d lines are counted as dropped, want 1", n)
	}
	close(w.let)
	log.Info("two")
	closeSoon(t, l)
	if got := w.text(); !strings.HasPrefix(got[strings.Index(got, `"msg"`):], `"msg":"two"`) || !strings.Contains(got, `"lines":1}`) {
		t.Errorf("wrote %s", got)
	}
}

// A service whose standard error nobody reads, or whose reader has ended, answers
// operators and recipients, counts the lines that it drops, and ends on SIGTERM.
func TestUnreadLog(t *testing.T) {
	for name, read := range map[string]func(*os.File) error{
		"unread": func(*os.File) error { return nil },
		"closed": func(r *os.File) error { return r.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t)
			public, operator := freeAddress(t), freeAddress(t)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			command := exec.Command(binary, "serve", "--config", in.writeConfig(public, operator))
			command.Stderr = writer
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- command.Wait() }()
			defer func() { _ = command.Process.Kill() }()
			if err := errors.Join(writer.Close(), read(reader)); err != nil {
				t.Fatal(err)
			}
			answersUnread(t, "http://"+public, "http://"+operator)
			if err := command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the service ends with %v", err)
				}
			case <-time.After(exitWithin):
				t.Errorf("the service does not end within %s of SIGTERM", exitWithin)
			}
		})
	}
}

// answersUnread asks a service for more than its log can hold, and expects answers
// and the number of lines that were dropped.
func answersUnread(t *testing.T, public, operator string) {
	t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections()
	eventually(t, "the service to listen", func() error {
		_, err := ask(t.Context(), c, http.MethodGet, operator+"/livez", nil)
		return err
	})
	// A refused request writes a line of some 150 bytes, and a mebibyte is kept.
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 4000 {
				a, err := ask(t.Context(), c, http.MethodGet, operator+"/api/v1/links", nil)
				if err != nil || a.status != http.StatusUnauthorized {
					t.Errorf("an operator is answered %d, %v", a.status, err)
					return
				}
			}
		})
	}
	asking.Wait()
	eventually(t, "lines to be dropped", func() error {
		a, err := ask(t.Context(), c, http.MethodGet, operator+"/metrics", nil)
		switch {
		case err == nil && !strings.Contains(a.body, "\nkeyhole_log_lines_dropped_total "):
			return fatal{errors.New("there is no keyhole_log_lines_dropped_total")}
		case err == nil && strings.Contains(a.body, "\nkeyhole_log_lines_dropped_total 0\n"):
			return errors.New("no lines are dropped")
		}
		return err
	})
	if a, err := ask(t.Context(), c, http.MethodGet, public+"/x", nil); err != nil || a.status != http.StatusNotFound {
		t.Errorf("a recipient is answered %d, %v", a.status, err)
	}
}

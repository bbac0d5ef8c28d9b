//go:build system

package system

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A service whose standard error nobody reads, or whose reader has ended, answers
// operators and recipients, counts the lines that it drops, and ends on SIGTERM.
func TestUnreadLog(t *testing.T) {
	t.Parallel()
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
	// A refused request writes a line of some 300 bytes, and a mebibyte is kept.
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 2500 {
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

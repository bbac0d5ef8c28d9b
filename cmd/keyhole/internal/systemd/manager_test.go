package systemd

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listen opens the socket of a manager.
func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is written to it
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// variables returns a getenv over NAME=value.
func variables(all ...string) func(string) string {
	return func(name string) string {
		for _, v := range all {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// Every state arrives as one datagram, on a socket of the file system and on an abstract one.
func TestStates(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{
		"file": filepath.Join(t.TempDir(), "notify"), "abstract": "@keyhole-test-" + t.Name() + time.Now().String(),
	} {
		conn := listen(t, socket)
		m := New(variables("NOTIFY_SOCKET="+socket), 1)
		for _, step := range []struct {
			report func(context.Context) error
			want   string
		}{
			{m.Ready, "READY=1"},
			{m.Reloading, "RELOADING=1"},
			{m.Stopping, "STOPPING=1"},
			{m.Alive, "WATCHDOG=1"},
			{
				func(ctx context.Context) error { return m.Extend(ctx, 1500*time.Microsecond) },
				"EXTEND_TIMEOUT_USEC=1500",
			},
		} {
			if err := step.report(t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := make([]byte, 100)
			n, err := conn.Read(got)
			if err != nil || string(got[:n]) != step.want {
				t.Errorf("%s: got %q, %v, want %q", name, got[:n], err, step.want)
			}
		}
	}
}

// The watchdog is the one of this process, and only if there is a socket to answer on.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	const pid = 7
	for name, tt := range map[string]struct {
		variables []string
		want      time.Duration
	}{
		"none": {[]string{"NOTIFY_SOCKET=/n"}, 0},
		"of this process": {
			[]string{"NOTIFY_SOCKET=/n", "WATCHDOG_USEC=3000", "WATCHDOG_PID=7"}, 3 * time.Millisecond,
		},
		"of no process in words": {[]string{"NOTIFY_SOCKET=/n", "WATCHDOG_USEC=1500"}, 1500 * time.Microsecond},
		"of another process":     {[]string{"NOTIFY_SOCKET=/n", "WATCHDOG_USEC=3000", "WATCHDOG_PID=8"}, 0},
		"no number":              {[]string{"NOTIFY_SOCKET=/n", "WATCHDOG_USEC=soon"}, 0},
		"negative":               {[]string{"NOTIFY_SOCKET=/n", "WATCHDOG_USEC=-1"}, 0},
		"without a socket":       {[]string{"WATCHDOG_USEC=30000000"}, 0},
	} {
		if got := New(variables(tt.variables...), pid).Watchdog(); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// Without systemd nothing is sent; a socket that has gone is an error that names the state.
func TestNoManager(t *testing.T) {
	t.Parallel()
	if err := New(variables(), 1).Ready(t.Context()); err != nil {
		t.Errorf("without a manager: %v", err)
	}
	gone := New(variables("NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "gone")), 1)
	if err := gone.Stopping(t.Context()); err == nil || !strings.Contains(err.Error(), "STOPPING=1") {
		t.Errorf("without a socket: got %v", err)
	}
}

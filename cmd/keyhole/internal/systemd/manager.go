package systemd

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// sendTimeout bounds one message. systemd reads its socket at once; a full socket must not
// stop a reload or a shutdown.
const sendTimeout = time.Second

// Manager is the service manager that started this process. Without one, all methods do
// nothing. The zero value has no manager.
type Manager struct {
	socket   string
	watchdog time.Duration
}

// New returns the manager that NOTIFY_SOCKET names. pid is that of this process: WATCHDOG_USEC
// for another WATCHDOG_PID is ignored.
func New(getenv func(name string) string, pid int) Manager {
	m := Manager{socket: getenv("NOTIFY_SOCKET")}
	if of := getenv("WATCHDOG_PID"); of != "" && of != strconv.Itoa(pid) {
		return m
	}
	// systemd itself writes the number. Any other value means that no watchdog waits.
	if micros, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && micros > 0 {
		m.watchdog = time.Duration(micros) * time.Microsecond
	}
	return m
}

// Watchdog returns how long the manager waits for the next Alive; 0: not at all.
func (m Manager) Watchdog() time.Duration {
	if m.socket == "" {
		return 0
	}
	return m.watchdog
}

// Ready ends a start or a reload.
func (m Manager) Ready(ctx context.Context) error { return m.send(ctx, "READY=1") }

// Reloading reports the begin of a reload. Ready must follow, also if the reload fails.
func (m Manager) Reloading(ctx context.Context) error { return m.send(ctx, "RELOADING=1") }

// Extend lets a start go on beyond its configured time while a further message comes within d.
func (m Manager) Extend(ctx context.Context, d time.Duration) error {
	return m.send(ctx, "EXTEND_TIMEOUT_USEC="+strconv.FormatInt(d.Microseconds(), 10))
}

// Stopping reports the begin of the shutdown.
func (m Manager) Stopping(ctx context.Context) error { return m.send(ctx, "STOPPING=1") }

// Alive starts the time of the watchdog again.
func (m Manager) Alive(ctx context.Context) error { return m.send(ctx, "WATCHDOG=1") }

// send sends one datagram.
func (m Manager) send(ctx context.Context, state string) error {
	if m.socket == "" {
		return nil
	}
	dialer := net.Dialer{Timeout: sendTimeout}
	conn, err := dialer.DialContext(ctx, "unixgram", m.socket)
	if err != nil {
		return fmt.Errorf("report %s to systemd: %w", state, err)
	}
	defer func() { _ = conn.Close() }() // The message is sent, or its error is known.
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return fmt.Errorf("report %s to systemd: %w", state, err)
	}
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("report %s to systemd: %w", state, err)
	}
	return nil
}

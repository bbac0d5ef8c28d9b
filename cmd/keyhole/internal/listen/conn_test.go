package listen

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// timed is a connection that counts how often its timers are set.
type timed struct {
	net.Conn

	reads, writes int
}

func (c *timed) SetReadDeadline(t time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(t)
}

func (c *timed) SetWriteDeadline(t time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(t)
}

// newConn returns a connection of an acceptor without background reads, what it counts, and its peer.
func newConn(t *testing.T) (*conn, *timed, net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = errors.Join(here.Close(), there.Close()) })
	counting := &timed{Conn: here}
	from := newAcceptor(nil, slog.New(slog.DiscardHandler))
	from.noBackgroundRead = true
	c := &conn{Conn: counting, from: from, accepted: time.Now()}
	return c, counting, there
}

// writeTimer tells whether the timer of writes is set.
func (c *conn) writeTimer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.write.set.IsZero()
}

// TestConnDeadlines moves deadlines as net/http does for each request: the timers
// are set once.
func TestConnDeadlines(t *testing.T) {
	c, timers, _ := newConn(t)
	now := time.Now()
	for i := range 100 {
		at := now.Add(time.Duration(i) * time.Second)
		for _, deadline := range []time.Time{
			at.Add(10 * time.Second), at.Add(30 * time.Second),
			{},
			time.Unix(1, 0),
			{},
			at.Add(2 * time.Minute),
		} {
			if err := c.SetReadDeadline(deadline); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(c.SetWriteDeadline(at.Add(90*time.Second)), c.SetWriteDeadline(time.Time{})); err != nil {
			t.Fatal(err)
		}
	}
	if timers.reads != 1 || timers.writes != 1 {
		t.Errorf("the timers were set %d and %d times, want once each", timers.reads, timers.writes)
	}
}

// TestConnTimer lets a timer go off before the deadline that was put off since, and
// at one that was not. Its clock is not that of the machine, which may stall.
func TestConnTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, timers, peer := newConn(t)
		begun := time.Now()
		const early, late = 20 * time.Millisecond, 120 * time.Millisecond
		if err := errors.Join(c.SetReadDeadline(begun.Add(early)), c.SetReadDeadline(begun.Add(late))); err != nil {
			t.Fatal(err)
		}
		_, err := c.Read(make([]byte, 10))
		if took := time.Since(begun); !errors.Is(err, os.ErrDeadlineExceeded) || took != late {
			t.Errorf("the read ended after %v with %v", took, err)
		}
		if timers.reads != 2 {
			t.Errorf("the timer was set %d times, want twice", timers.reads)
		}
		// A write that is cut in two by such a timer goes on where it was.
		begun = time.Now()
		if err := errors.Join(c.SetWriteDeadline(begun.Add(early)), c.SetWriteDeadline(time.Time{})); err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("abcdef"))
			written <- err
		}()
		got := make([]byte, 3)
		if _, err := peer.Read(got); err != nil || string(got) != "abc" {
			t.Fatalf("read %q, %v", got, err)
		}
		time.Sleep(late) // The timer goes off while half of it is written.
		if synctest.Wait(); c.writeTimer() {
			t.Error("the timer of the write is still set")
		}
		if _, err := peer.Read(got); err != nil || string(got) != "def" {
			t.Errorf("read %q, %v", got, err)
		}
		if err := <-written; err != nil {
			t.Errorf("write: %v", err)
		}
	})
}

// TestConnAhead lets net/http try to read ahead: nothing is read, and the next
// request comes whole.
func TestConnAhead(t *testing.T) {
	c, _, peer := newConn(t)
	go func() { _, _ = peer.Write([]byte("GET")) }()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("read ahead %d bytes, %v", n, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	if n, err := c.Read(got); string(got[:n]) != "GET" || err != nil {
		t.Errorf("read %q, %v", got[:n], err)
	}
	// With a deadline one byte is one byte.
	go func() { _, _ = peer.Write([]byte("H")) }()
	if n, err := c.Read(got[:1]); n != 1 || got[0] != 'H' || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

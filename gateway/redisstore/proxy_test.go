package redisstore_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between a client and a server. Armed, it lets the next script
// through, keeps its reply to itself and hangs up. With a delay it is a server
// far away.
type proxy struct {
	addr  string
	armed atomic.Bool
	lost  atomic.Int64 // replies kept
	delay atomic.Int64 // of every reply, in nanoseconds
}

// startProxy starts a proxy before upstream.
func startProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{addr: listener.Addr().String()}
	go func() {
		for {
			down, err := listener.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", upstream) //nolint:noctx // Loopback.
			if err != nil {
				_ = down.Close()
				return
			}
			keep := new(atomic.Bool)
			go p.carry(up, down, func(request []byte) bool {
				keep.Store(p.armed.Load() && bytes.Contains(request, []byte("eval")))
				return true
			})
			go p.carry(p.late(down), up, func([]byte) bool {
				if keep.Load() {
					p.lost.Add(1)
				}
				return !keep.Load()
			})
		}
	}()
	return p
}

// late returns what writes to conn after the delay, in order.
func (p *proxy) late(conn net.Conn) io.WriteCloser {
	type part struct {
		due  time.Time
		text []byte
	}
	parts := make(chan part, 1024)
	go func() {
		defer func() { _ = conn.Close() }()
		for part := range parts {
			<-time.After(time.Until(part.due))
			_, _ = conn.Write(part.text)
		}
	}()
	return lateWriter{
		write: func(text []byte) {
			parts <- part{time.Now().Add(time.Duration(p.delay.Load())), bytes.Clone(text)}
		},
		end: func() { close(parts) },
	}
}

// lateWriter is what late returns.
type lateWriter struct {
	write func([]byte)
	end   func()
}

func (w lateWriter) Write(text []byte) (int, error) {
	w.write(text)
	return len(text), nil
}

func (w lateWriter) Close() error {
	w.end()
	return nil
}

// carry copies what pass lets through, and hangs up at the first it does not.
func (*proxy) carry(to io.WriteCloser, from net.Conn, pass func([]byte) bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !pass(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

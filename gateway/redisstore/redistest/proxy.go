package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy forwards connections to a server and simulates the faults of a network. A test may
// set its fields at any time.
type Proxy struct {
	Addr string // 127.0.0.1:port

	Upstream atomic.Pointer[string] // the address of the server
	Lose     atomic.Bool            // forwards scripts, drops their replies and closes the connection
	Lost     atomic.Int64           // number of dropped replies
	Opened   atomic.Int64           // number of connections that clients have opened
	Delay    atomic.Int64           // of every reply, in nanoseconds
	Silent   atomic.Bool            // reads from both sides and forwards nothing
	Double   atomic.Int64           // repeats the last reply before one of this many scripts; 0: never
	Behind   atomic.Bool            // drops the replication stream; call HangUp afterwards

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// StartProxy starts a proxy that ends with the test. If upstream is empty, set Upstream
// before the first connection.
func StartProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	p := &Proxy{Addr: listener.Addr().String(), conns: map[net.Conn]struct{}{}}
	p.Upstream.Store(&upstream)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.HangUp()
	})
	go func() {
		for {
			down, err := listener.Accept()
			if err != nil {
				return
			}
			p.Opened.Add(1)
			p.open(down)
		}
	}()
	return p
}

// HangUp closes every connection.
func (p *Proxy) HangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// open forwards one connection. A script and its reply are recognised by bytes that are in
// one read: clients send a command in one write, and loopback keeps it together.
func (p *Proxy) open(down net.Conn) {
	up, err := net.Dial("tcp", *p.Upstream.Load()) //nolint:noctx // Loopback.
	if err != nil {
		_ = down.Close()
		return
	}
	p.mu.Lock()
	p.conns[down], p.conns[up] = struct{}{}, struct{}{}
	p.mu.Unlock()
	// The two directions run in goroutines of their own and share these.
	var keep, replicates atomic.Bool
	var scripts int64
	var last atomic.Pointer[[]byte]
	answers := p.late(down)
	go p.carry(up, down, func(request []byte) verdict {
		script := bytes.Contains(request, []byte("eval"))
		if often := p.Double.Load(); often > 0 && script {
			if scripts++; scripts%often == 0 && last.Load() != nil {
				_, _ = answers.Write(*last.Load())
			}
		}
		if bytes.Contains(request, []byte("PSYNC")) {
			replicates.Store(true)
		}
		// The reply to be dropped is the one that follows this request.
		keep.Store(p.Lose.Load() && script)
		return pass
	})
	go p.carry(answers, up, func(reply []byte) verdict {
		if p.Double.Load() > 0 {
			copied := bytes.Clone(reply)
			last.Store(&copied)
		}
		switch {
		case keep.Load():
			p.Lost.Add(1)
			return hangUp
		case replicates.Load() && p.Behind.Load():
			return swallow
		}
		return pass
	})
}

// verdict tells what to do with the bytes of one read.
type verdict int

const (
	pass    verdict = iota
	swallow         // drop them
	hangUp          // drop them and close the connection
)

// late returns a writer that writes to conn after the delay, in order.
func (p *Proxy) late(conn net.Conn) io.WriteCloser {
	// The channel keeps the order of replies while each waits for its own time.
	parts := make(chan part, 1024)
	w := &lateWriter{p: p, parts: parts}
	go func() {
		defer func() { _ = conn.Close() }()
		for part := range parts {
			if wait := time.Until(part.due); wait > 0 {
				<-time.After(wait)
			}
			_, _ = conn.Write(part.text)
		}
	}()
	return w
}

// part is bytes to write, and when.
type part struct {
	due  time.Time
	text []byte
}

// lateWriter queues bytes. Closing it closes the connection after the last byte.
type lateWriter struct {
	p *Proxy

	mu     sync.Mutex
	parts  chan part
	closed bool
}

// Write implements io.Writer.
func (w *lateWriter) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	w.parts <- part{time.Now().Add(time.Duration(w.p.Delay.Load())), bytes.Clone(text)}
	return len(text), nil
}

// Close implements io.Closer. It may be called more than once.
func (w *lateWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.parts)
	}
	return nil
}

// carry copies bytes for which decide returns pass, until a side closes.
func (p *Proxy) carry(to io.WriteCloser, from net.Conn, decide func([]byte) verdict) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		switch v := decide(buffer[:n]); {
		case v == hangUp:
			return
		case v == swallow, p.Silent.Load():
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

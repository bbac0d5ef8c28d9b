package redisstore_test

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
)

// proxy stands between a client and a server. Armed, it lets the next script
// through, keeps its reply to itself and hangs up.
type proxy struct {
	addr  string
	armed atomic.Bool
	lost  atomic.Int64 // replies kept
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
			go p.carry(down, up, func([]byte) bool {
				if keep.Load() {
					p.lost.Add(1)
				}
				return !keep.Load()
			})
		}
	}()
	return p
}

// carry copies what pass lets through, and hangs up at the first it does not.
func (*proxy) carry(to, from net.Conn, pass func([]byte) bool) {
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

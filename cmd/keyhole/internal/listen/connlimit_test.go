package listen

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// limited opens a listener of three connections and serves nothing. It returns a
// function that connects, and both ends of the connection.
func limited(t *testing.T) (*acceptor, func() (client net.Conn, server *conn)) {
	t.Helper()
	opened, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newAcceptor(opened, slog.New(slog.DiscardHandler))
	a.limit = 3
	t.Cleanup(func() { _ = a.Close() })
	return a, func() (net.Conn, *conn) {
		client, err := net.Dial("tcp", opened.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		accepted, err := a.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = accepted.Close() })
		return client, accepted.(*conn)
	}
}

// isClosed tells whether the acceptor has closed a connection.
func isClosed(a *acceptor, c *conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, open := a.open[c]
	return !open
}

// At the limit the connection that has waited longest for its client makes room,
// and none that is being answered.
func TestConnectionLimit(t *testing.T) {
	a, connect := limited(t)
	_, first := connect()
	_, second := connect()
	_, third := connect()
	a.track(first, http.StateActive)
	a.track(first, http.StateIdle) // idle for less long than the others are new
	a.track(second, http.StateActive)
	want := map[*conn]bool{}
	expect := func(what string, closed *conn) {
		t.Helper()
		want[closed] = true
		for _, c := range []*conn{first, second, third} {
			if isClosed(a, c) != want[c] {
				t.Errorf("%s: closed %v %v %v", what, isClosed(a, first), isClosed(a, second), isClosed(a, third))
				return
			}
		}
	}
	_, fourth := connect()
	expect("the third waited longest", third)
	_, fifth := connect()
	expect("then the first", first)
	a.track(fourth, http.StateActive)
	a.track(fifth, http.StateActive)
	// All are being answered: the next one has to wait until one has ended.
	if full, longest, _ := a.room(netip.Prefix{}); !full || longest != nil {
		t.Errorf("beside three that are being answered: full %v, closing %v", full, longest)
	}
	accepted := make(chan net.Conn)
	client, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	go func() {
		c, _ := a.Accept() // nil fails below
		accepted <- c
	}()
	a.track(fourth, http.StateIdle)
	if c := <-accepted; c == nil {
		t.Error("the connection that waited was not accepted")
	} else {
		defer c.Close()
	}
	if isClosed(a, second) || !isClosed(a, fourth) || isClosed(a, fifth) {
		t.Error("not the one that became idle was closed")
	}
}

// A connection that is being answered for longer than any click takes stalls, and
// makes room where no other can.
func TestConnectionLimitStalled(t *testing.T) {
	a, connect := limited(t)
	var all []*conn
	for range 3 {
		_, c := connect()
		a.track(c, http.StateActive)
		all = append(all, c)
	}
	all[1].since.Add(-int64(stalledAfter))
	connect()
	for i, c := range all {
		if isClosed(a, c) != (i == 1) {
			t.Errorf("connection %d: closed %v", i, isClosed(a, c))
		}
	}
}

// One client holds at most its share: its own longest idle connection makes room for its
// next one. If all are being answered, the next one is closed. A proxy has no share.
func TestConnectionShare(t *testing.T) {
	a, connect := limited(t)
	a.limit, a.share = 100, 2
	_, first := connect()
	_, second := connect()
	a.track(first, http.StateActive)
	_, third := connect()
	if isClosed(a, first) || !isClosed(a, second) || isClosed(a, third) {
		t.Error("the idle connection of the client did not make room for its next one")
	}
	a.track(third, http.StateActive)
	if a.admit(first.client) {
		t.Error("a client got a connection beyond its share")
	}
	other := netip.MustParsePrefix("192.0.2.1/32")
	if !a.admit(other) {
		t.Error("another client was refused")
	}
	a.exempt = func(address netip.Addr) bool { return address.IsLoopback() }
	connect()
	_, last := connect()
	if isClosed(a, first) || isClosed(a, third) || last.client.IsValid() {
		t.Error("a proxy was limited to a share")
	}
	_ = first.Close()
	_ = third.Close()
	if len(a.clients) != 0 {
		t.Errorf("%d clients without connections are kept", len(a.clients))
	}
}

// At the limit, the clients with many connections make room, not those with few, also if
// theirs are idle for longer. A client with many gets no place of one with few.
func TestConnectionWeights(t *testing.T) {
	a, _ := limited(t)
	a.limit, a.share = 101, 100
	many, other, few := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32"),
		netip.MustParsePrefix("192.0.2.3/32")
	open := func(client netip.Prefix, since int64) *conn {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		c := &conn{Conn: here, from: a, client: client}
		c.since.Store(since)
		a.add(c)
		return c
	}
	first := open(few, 0)
	var busy []*conn
	for i := range 100 {
		busy = append(busy, open(many, int64(1+i)))
	}
	for _, client := range []netip.Prefix{few, other} {
		if !a.makeRoom(client) || isClosed(a, first) {
			t.Error("a client with few connections made room for another one")
		}
		open(client, int64(200))
	}
	if !isClosed(a, busy[0]) || !isClosed(a, busy[1]) || isClosed(a, busy[2]) {
		t.Error("the longest idle connections of the client with the most did not make room")
	}
	for _, c := range busy {
		a.track(c, http.StateActive)
	}
	a.victims = nil
	if a.makeRoom(many) || isClosed(a, first) {
		t.Error("a client with many connections got the place of one with few")
	}
	a.track(first, http.StateActive)
	for _, client := range []netip.Prefix{few, other} {
		for c := range a.clients[client].open {
			a.track(c, http.StateActive)
		}
	}
	a.victims = nil
	if a.makeRoom(many) {
		t.Error("a client with many connections got a place that is not free")
	}
}

// A client has a weight from 32 connections on, or from half of a small share.
func TestUsualConnections(t *testing.T) {
	for share, want := range map[int]int{1: 1, 6: 3, 20: 10, 64: 32, 2000: 32} {
		if got := usualConnections(share); got != want {
			t.Errorf("share %d: %d, want %d", share, got, want)
		}
	}
	a, connect := limited(t)
	a.limit, a.share = 100, 4
	for want := range 3 {
		_, c := connect()
		if got := c.held.weight(); got != (want+1)/2 {
			t.Errorf("%d connections of a share of 4: weight %d", want+1, got)
		}
	}
}

// Answers that stall make room before connections that are idle for a shorter time, so that
// clients with slow requests do not displace others.
func TestStalledBeforeIdle(t *testing.T) {
	a, connect := limited(t)
	_, stalled := connect()
	_, fresh := connect()
	_, answered := connect()
	a.track(stalled, http.StateActive)
	stalled.since.Add(-int64(stalledAfter))
	a.track(answered, http.StateActive)
	connect()
	if !isClosed(a, stalled) || isClosed(a, fresh) || isClosed(a, answered) {
		t.Error("not the connection that stalls was closed")
	}
}

// One client is one address of IPv4, and one /64 of IPv6.
func TestConnectionClient(t *testing.T) {
	a := newAcceptor(nil, slog.New(slog.DiscardHandler))
	a.share = 1
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%lo": "fe80::/64",
	} {
		from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))
		if got := a.client(fromAddress{remote: from}); got.String() != want {
			t.Errorf("%s is the client %s, want %s", address, got, want)
		}
	}
}

// fromAddress is a connection from an address.
type fromAddress struct {
	net.Conn

	remote net.Addr
}

func (c fromAddress) RemoteAddr() net.Addr { return c.remote }

// max_connections caps what the descriptors allow. A client holds a tenth of it, and more
// only if few descriptors lower the limit.
func TestConnectionLimits(t *testing.T) {
	for name, tt := range map[string]struct{ configured, possible, limit, share int }{
		"default":                  {20_000, 32_640, 20_000, 2_000},
		"default, unlimited files": {20_000, 2_097_024, 20_000, 2_000},
		"default, exact files":     {20_000, 20_000, 20_000, 2_000},
		"two listeners":            {20_000, 16_320, 16_320, 1_632},
		"1024 files":               {20_000, 384, 384, 38},
		"256 files":                {20_000, 64, 64, 16},
		"96 files":                 {20_000, 24, 24, 6},
		"16 files":                 {20_000, 4, 4, 1},
		"no files":                 {20_000, 0, 0, 1},
		"small by configuration":   {50, 32_640, 50, 5},
		"smallest":                 {10, 32_640, 10, 1},
		"small, few files":         {100, 24, 24, 6},
		"smaller, few files":       {40, 24, 24, 4},
	} {
		limit, share := shares(tt.configured, tt.possible)
		if limit != tt.limit || share != tt.share {
			t.Errorf("%s: limit %d, share %d, want %d, %d", name, limit, share, tt.limit, tt.share)
		}
	}
}

// A listener takes the limit of its options, and the listener for redirects the same one.
func TestListenerTakesTheLimit(t *testing.T) {
	files, err := descriptors()
	if err != nil {
		t.Fatal(err)
	}
	for _, sharedBy := range []int{0, 1, 2} {
		l := &Listener{acceptor: newAcceptor(nil, slog.New(slog.DiscardHandler)), log: slog.New(slog.DiscardHandler)}
		l.options = Options{MaxConnections: 30, SharedBy: sharedBy}
		if err := l.limitConnections(); err != nil {
			t.Fatal(err)
		}
		limit, share := shares(30, possibleConnections(files)/max(sharedBy, 1))
		if l.acceptor.limit != limit || l.acceptor.share != share || limit > 30 {
			t.Errorf("shared by %d: limit %d, share %d", sharedBy, l.acceptor.limit, l.acceptor.share)
		}
	}
}

// Listeners for operators and metrics have a limit too, of which one client may hold a half.
// Their requests may take longer than clicks before they make room.
func TestOperatorConnections(t *testing.T) {
	for descriptors, want := range map[uint64][2]int{
		16: {4, 2}, 96: {6, 3}, 1024: {64, 32}, 16_000: {1000, 500}, 65536: {1000, 500}, 1 << 63: {1000, 500},
	} {
		if limit, share := operatorShares(descriptors); limit != want[0] || share != want[1] {
			t.Errorf("%d descriptors: limit %d, share %d, want %v", descriptors, limit, share, want)
		}
	}
	l := &Listener{acceptor: newAcceptor(nil, slog.New(slog.DiscardHandler)), log: slog.New(slog.DiscardHandler)}
	if err := l.limitConnections(); err != nil {
		t.Fatal(err)
	}
	a := l.acceptor
	if a.limit == 0 || a.limit > operatorConnections || a.share != a.limit/2 || a.answerTimeout != operatorsStalledAfter {
		t.Errorf("limit %d, share %d, answerTimeout %v", a.limit, a.share, a.answerTimeout)
	}
}

// The limit leaves descriptors for operators, Redis and the storages, whatever the
// process may open.
func TestPublicConnections(t *testing.T) {
	for descriptors, want := range map[uint64]int{
		16: 4, 64: 16, 96: 24, 256: 64, 1024: 384, 65536: 32_640, 1 << 63: 2_097_024,
	} {
		if got := possibleConnections(descriptors); got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
}

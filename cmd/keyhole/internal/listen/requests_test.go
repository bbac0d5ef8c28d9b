package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"keyhole/gateway/logtest"
)

// The requests of a connection that closes are forgotten at once, and not a second time when
// they end.
func TestRequestsOfClosedConnections(t *testing.T) {
	t.Parallel()
	a, connect := limited(t)
	a.limit, a.share = 100, 2
	_, c := connect()
	var begun int64
	for range 2 {
		at, stalled, admitted := a.beginRequest(c)
		if stalled != nil || !admitted {
			t.Fatalf("a request within the share: %v, %v", stalled, admitted)
		}
		begun = at
	}
	if _, _, admitted := a.beginRequest(c); admitted {
		t.Error("a request beyond the share is admitted")
	}
	held := c.held
	_ = c.Close()
	if a.requests != 0 || held.requests != 0 {
		t.Errorf("%d requests of the closed connection are left, %d of the client", a.requests, held.requests)
	}
	a.endRequest(c, begun)
	a.endRequest(c, begun)
	if a.requests != 0 || held.requests != 0 || len(c.running) != 0 {
		t.Errorf("%d requests are left, %d of the client, %d of the connection", a.requests, held.requests, len(c.running))
	}
}

// requestOver returns a request of HTTP/2 over a connection.
func requestOver(t *testing.T, c *conn) *http.Request {
	t.Helper()
	ctx := context.WithValue(t.Context(), connKey{}, c)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/secret", http.NoBody)
	r.ProtoMajor = 2
	return r
}

// A request beyond the limits gets a whole answer, is counted, and is logged at most once a
// minute, without its client.
func TestRefusedRequest(t *testing.T) {
	t.Parallel()
	a, connect := limited(t)
	log := &logtest.Buffer{}
	a.log = slog.New(slog.NewTextHandler(log, nil))
	a.limit, a.share = 100, 1
	_, c := connect()
	a.beginRequest(c)
	refusing := limitRequests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request beyond the limits has a handler")
	}))
	for range 2 {
		answer := httptest.NewRecorder()
		refusing.ServeHTTP(answer, requestOver(t, c))
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", answer.Code)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store, no-transform", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Robots-Tag": "noindex, nofollow", "Content-Length": "0", "Retry-After": "1",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
		} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	if n := a.limited.RequestsRefused; n != 2 {
		t.Errorf("%d requests are counted as refused, want 2", n)
	}
	const line = "limit of HTTP/2 requests reached"
	if lines := log.String(); strings.Count(lines, line) != 1 || strings.Contains(lines, "secret") {
		t.Errorf("the log has %q", lines)
	}
}

// The limits count the connections that they close or refuse.
func TestLimitedConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	a, connect := limited(t)
	for range 5 { // two beyond the limit
		connect()
	}
	if want := (Limited{ConnectionsClosed: 2}); a.limited != want {
		t.Errorf("at the limit of the listener: %+v, want %+v", a.limited, want)
	}
	a.limit, a.share = 100, 2
	_, first := connect()
	connect()
	_, third := connect()
	if want := (Limited{ConnectionsClosed: 3}); a.limited != want {
		t.Errorf("at the share of a client: %+v, want %+v", a.limited, want)
	}
	for c := range third.held.open {
		a.track(c, http.StateActive)
	}
	client, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ended := make(chan error)
	go func() {
		_, err := a.Accept()
		ended <- err
	}()
	if err := client.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The read waits until the acceptor closes the connection.
	if _, err := client.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection beyond the share is open: %v", err)
	}
	_ = a.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the acceptor ends with %v", err)
	}
	if want := (Limited{ConnectionsClosed: 3, ConnectionsRefused: 1}); a.limited != want || !isClosed(a, first) {
		t.Errorf("while all are answered: %+v, want %+v", a.limited, want)
	}
	// A request of HTTP/2 that displaces a connection.
	for c := range third.held.open {
		a.beginRequest(c)
		c.since.Add(-2 * int64(stalledAfter))
	}
	limitRequests(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), requestOver(t, third))
	if want := (Limited{ConnectionsClosed: 4, ConnectionsRefused: 1}); a.limited != want {
		t.Errorf("after a request at the share: %+v, want %+v", a.limited, want)
	}
}

// A request that comes while a stop interrupts the others is answered, not dropped: net/http
// would send an empty 200 for it.
func TestRequestDuringStop(t *testing.T) {
	t.Parallel()
	l := serveHTTP2(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusFound)
	}, unchanged)
	f := dialFramed(t, l)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for _, stopping := range []bool{false, true} {
		if stopping {
			l.endRequests(ErrStopping) // as Stop does after InterruptAfter
		}
		if err := f.get(true); err != nil {
			t.Fatal(err)
		}
		if statuses := f.statuses(1); statuses["302"] != 1 {
			t.Errorf("stopping %v: the answer is %v", stopping, statuses)
		}
	}
}

// A connection on which requests overlap does not stall while each answer is fast. It stalls
// while its oldest answer takes too long, whatever the others do.
func TestBusyConnectionDoesNotStall(t *testing.T) {
	t.Parallel()
	a, connect := limited(t)
	_, busy := connect()
	a.track(busy, http.StateActive) // net/http reports this for the first of the requests only
	begin := func() int64 {
		begun, _, admitted := a.beginRequest(busy)
		if !admitted {
			t.Fatal("a request within the limit is refused")
		}
		return begun
	}
	older := begin()
	for range 100 { // There is always a request that runs.
		next := begin()
		a.endRequest(busy, older)
		older = next
	}
	if since := busy.since.Load(); since != older {
		t.Errorf("the connection is answered since %d, but its only request since %d", since, older)
	}
	begin()
	for range 100 {
		a.endRequest(busy, begin())
	}
	if since := busy.since.Load(); since != older {
		t.Errorf("the connection is answered since %d, but its oldest request since %d", since, older)
	}
	a.endRequest(busy, older)
	// Handlers that do not overlap, on streams that do.
	a.endRequest(busy, busy.running[0])
	if last := begin(); busy.since.Load() != last {
		t.Errorf("the connection is answered since %d, but its only request since %d", busy.since.Load(), last)
	}
}

// A connection that asks for a place never makes room for its own request, whose answer would
// be lost with it.
func TestStalledConnectionAsks(t *testing.T) {
	t.Parallel()
	a, connect := limited(t)
	a.limit, a.share = 100, 2
	_, asking := connect()
	_, other := connect()
	for _, c := range []*conn{asking, other} {
		a.track(c, http.StateActive)
		a.beginRequest(c)
		c.since.Store(-int64(stalledAfter))
	}
	asking.since.Add(-1)
	if _, stalled, admitted := a.beginRequest(asking); stalled != other || !admitted {
		t.Errorf("beside another connection that stalls: admitted %v, closing the asking one %v", admitted, stalled == asking)
	}
	_ = other.Close()
	if _, stalled, admitted := a.beginRequest(asking); stalled != nil || admitted {
		t.Errorf("alone: admitted %v, closing %v", admitted, stalled != nil)
	}
}

// If a few clients hold all requests of the listener and renew them, so that none stalls, the
// one with the most makes room for clients with few. It is not closed for one with many, and
// neither is a proxy.
func TestRequestsOfOtherClients(t *testing.T) {
	t.Parallel()
	a, _ := limited(t)
	a.limit, a.share = 220, 20
	open := func(address string) *conn {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = there.Close() })
		c := &conn{Conn: here, from: a}
		if address != "" {
			c.client = netip.MustParsePrefix(address + "/32")
		}
		a.add(c)
		a.track(c, http.StateActive)
		return c
	}
	begin := func(c *conn, requests int) {
		for range requests {
			if _, victim, admitted := a.beginRequest(c); victim != nil || !admitted {
				t.Fatalf("a request within the limits: closing %v, admitted %v", victim != nil, admitted)
			}
		}
	}
	proxy := open("")
	begin(proxy, 63)
	usual, few, fewer := open("192.0.2.1"), open("192.0.2.2"), open("192.0.2.3")
	begin(usual, 10)
	begin(few, 7)
	var attackers []*conn
	for _, address := range []string{
		"192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15", "192.0.2.16", "192.0.2.17",
	} {
		c := open(address)
		begin(c, 20)
		attackers = append(attackers, c)
	}
	if _, victim, admitted := a.beginRequest(usual); victim != nil || admitted {
		t.Errorf("a client with half as many: closing %v, admitted %v", victim != nil, admitted)
	}
	for _, c := range []*conn{few, fewer, proxy} {
		_, victim, admitted := a.beginRequest(c)
		if !admitted || victim == nil || len(victim.running) != 20 {
			t.Fatalf("a client with few requests is refused, or the wrong connection is closed: %v", admitted)
		}
		_ = victim.Close()
		begin(proxy, 19) // until the listener is full again
	}
	for _, c := range attackers {
		_ = c.Close()
	}
	begin(proxy, a.limit-a.requests)
	if _, victim, admitted := a.beginRequest(fewer); victim != nil || admitted {
		t.Errorf("beside clients with few requests: closing %v, admitted %v", victim != nil, admitted)
	}
}

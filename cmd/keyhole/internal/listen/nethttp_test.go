package listen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tests of this file run net/http's own server. They fail if a release of Go
// changes what conn relies on: that a background read asks for one byte without a
// deadline, that an empty read ends it, and how deadlines move between requests.

// counters counts the calls that reach the connections below ours.
type counters struct{ reads, readDeadlines, writeDeadlines atomic.Int64 }

// countedListener hands out connections that count their calls.
type countedListener struct {
	net.Listener

	counters *counters
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c, counters: l.counters}, nil
}

type countedConn struct {
	net.Conn

	counters *counters
}

func (c *countedConn) Read(p []byte) (int, error) {
	c.counters.reads.Add(1)
	return c.Conn.Read(p)
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.counters.readDeadlines.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.counters.writeDeadlines.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

// serveCounted serves a handler on a free port and counts. It returns the address.
func serveCounted(t *testing.T, options Options, handler http.HandlerFunc) (string, *counters) {
	t.Helper()
	options.Log = slog.New(slog.DiscardHandler)
	l, err := Open(t.Context(), "127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	n := &counters{}
	l.acceptor.Listener = countedListener{l.acceptor.Listener, n}
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // nothing has to be finished
		_ = l.Stop(ended)
	})
	return l.Addr(), n
}

// dial connects to an address until the test ends.
func dial(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// exchange sends one request on a connection and returns the body of the answer.
func exchange(t *testing.T, c net.Conn, r *bufio.Reader, path string) string {
	t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, r)
}

// readAnswer reads one answer and returns its body.
func readAnswer(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A request on a connection that is kept costs one read, and neither a background
// read nor a timer. Without conn, net/http sets about seven timers for each request.
func TestRequestsCostOneReadAndNoTimer(t *testing.T) {
	t.Parallel()
	const requests = 200
	address, n := serveCounted(t, Options{NoBackgroundRead: true}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	})
	c, r := dial(t, address)
	for i := range requests {
		path := fmt.Sprint("/", i)
		if got := exchange(t, c, r, path); got != path {
			t.Fatalf("%s is answered by %q", path, got)
		}
	}
	// The last read waits for a request that does not come.
	if reads := n.reads.Load(); reads > requests+1 {
		t.Errorf("%d requests took %d reads: net/http reads in the background", requests, reads)
	}
	if timers := n.readDeadlines.Load() + n.writeDeadlines.Load(); timers > requests/10 {
		t.Errorf("%d requests set %d timers", requests, timers)
	}
}

// With background reads, a request takes two reads: this shows that the test above
// counts what it claims to count.
func TestBackgroundReadsAreCounted(t *testing.T) {
	t.Parallel()
	const requests = 20
	address, n := serveCounted(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path)
	})
	c, r := dial(t, address)
	for range requests {
		exchange(t, c, r, "/x")
	}
	if reads := n.reads.Load(); reads < requests+requests/2 {
		t.Errorf("%d requests took %d reads: net/http does not read in the background any more", requests, reads)
	}
}

// A handler goes on when its client hangs up, and is told with background reads.
func TestHandlersAndHangUps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options Options
		told    bool
	}{
		"with background reads":    {Options{}, true},
		"without background reads": {Options{NoBackgroundRead: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			running, hungUp, told := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
			address, _ := serveCounted(t, tt.options, func(_ http.ResponseWriter, r *http.Request) {
				close(running)
				<-hungUp
				wait := 20 * time.Second // it is told at once
				if !tt.told {
					wait = 50 * time.Millisecond
				}
				timer := time.NewTimer(wait)
				defer timer.Stop()
				select {
				case <-r.Context().Done():
					told <- true
				case <-timer.C:
					told <- false
				}
			})
			c, _ := dial(t, address)
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			<-running
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			close(hungUp)
			if got := <-told; got != tt.told {
				t.Errorf("the handler is told of the hang-up: %v, want %v", got, tt.told)
			}
		})
	}
}

// A request that arrives while the previous one is answered loses no byte.
func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{})
	address, _ := serveCounted(t, Options{NoBackgroundRead: true}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			<-sent
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			body = []byte(err.Error())
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	})
	c, r := dial(t, address)
	_, err := io.WriteString(c, "GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, "POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
	if err != nil {
		t.Fatal(err)
	}
	close(sent)
	for _, want := range []string{"/first ", "/second body"} {
		if got := readAnswer(t, r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Deadlines that are only recorded still end a connection: a client that sends half of
// a header, after an earlier request on the connection, is cut off.
func TestRecordedDeadlinesEndConnections(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), "127.0.0.1:0", Options{NoBackgroundRead: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l.server.IdleTimeout = time.Minute
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.server.ReadHeaderTimeout = 50 * time.Millisecond // for the next request on this connection, the only one
		http.NotFound(w, r)
	})
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Stop(t.Context()) })
	c, r := dial(t, l.Addr())
	if got := exchange(t, c, r, "/x"); !strings.Contains(got, "404") {
		t.Errorf("got %q", got)
	}
	if _, err := io.WriteString(c, "GET /y HTTP/1.1\r\nHo"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || strings.Contains(string(got), "404") {
		t.Errorf("a client that sends half of a header: %q, %v", got, err)
	}
}

//go:build system

package system

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// exitWithin bounds the time from SIGTERM to the end of the process: docker stop
// kills after 10 s.
const exitWithin = 8 * time.Second

// clickLoad is 16 clients that click one link until the listener is closed.
type clickLoad struct {
	answered, lost atomic.Int64
	failures       sync.Map
	clients        sync.WaitGroup
}

// startLoad returns once 500 clicks have been answered.
func startLoad(t *testing.T, address string) *clickLoad {
	t.Helper()
	load := &clickLoad{}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	for range 16 {
		load.clients.Go(func() {
			c := unfollowed()
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				a, err := ask(ctx, c, http.MethodGet, address, nil)
				switch {
				case err == nil && a.status == http.StatusFound:
					load.answered.Add(1)
				case err != nil && strings.Contains(err.Error(), "connection refused"):
					return // the listener is closed: this request was never taken
				default:
					load.lost.Add(1)
					load.failures.Store(fmt.Sprint(a.status, err), true)
				}
			}
		})
	}
	eventually(t, "load", func() error {
		if load.answered.Load() < 500 {
			return errors.New("fewer than 500 answers")
		}
		return nil
	})
	return load
}

// terminateUnder sends SIGTERM and reports each click that was lost.
func (load *clickLoad) terminateUnder(t *testing.T, p *process) {
	t.Helper()
	before := load.answered.Load()
	took := p.terminateInTime(t)
	load.clients.Wait()
	load.failures.Range(func(what, _ any) bool { t.Errorf("lost: %v", what); return true })
	answered, lost := load.answered.Load(), load.lost.Load()
	if lost != 0 || answered == before {
		t.Errorf("%d answered, %d of them after SIGTERM, %d lost", answered, answered-before, lost)
	}
	t.Logf("%d answered, %d of them after SIGTERM, %d lost; ended after %s", answered, answered-before, lost,
		took.Round(time.Millisecond))
}

// terminateInTime sends SIGTERM and reports a process that fails or does not end within
// exitWithin, stalls of the machine not counted. It returns how long the process took.
func (p *process) terminateInTime(t *testing.T) time.Duration {
	t.Helper()
	begun, stop := time.Now(), watchDelays(func() {})
	if err := p.terminate(t, syscall.SIGTERM); err != nil {
		t.Errorf("the service ends with %v", err)
	}
	took := time.Since(begun)
	if stood := stop().stalled(begun, took); took-stood > exitWithin {
		t.Errorf("the process ended after %s, of which the machine stood still for %s; the bound is %s", took, stood,
			exitWithin)
	}
	return took
}

// SIGTERM under load: every request that a connection was there for is answered.
func TestSIGTERMUnderLoad(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	startLoad(t, share(t, g).URL).terminateUnder(t, g.process)
}

// Clients that stall a request or an answer, on both listeners, neither delay the
// end of the process beyond its bound nor cost anybody a click.
func TestSIGTERMBesideStalledClients(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := share(t, g)
	path := strings.TrimPrefix(link.URL, g.public)
	issue := "POST /api/v1/links HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	form := "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\nc"
	for _, stalled := range []struct{ base, request string }{
		{g.operator, issue + "Content-Length: 50\r\n\r\n{"},
		{g.operator, issue + "Authorization: Bearer " + in.key + "\r\nContent-Length: 50\r\n\r\n{"},
		{g.operator, issue + "Content-Len"},
		{g.public, fmt.Sprintf(form, path)},
		{g.public, fmt.Sprintf(form, "/"+strings.Repeat("1", 22))},
		{g.public, fmt.Sprintf(form, "/"+strings.Repeat("z", 22))},
		{g.public, fmt.Sprintf(form, "/robots.txt")},
		// These never read their answers, which fill every buffer.
		{g.operator, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 1000)},
		{g.public, strings.Repeat("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 20_000)},
	} {
		stall(t, stalled.base, stalled.request)
	}
	var reading sync.WaitGroup
	var incomplete atomic.Int64
	for range 100 {
		c := stall(t, g.public, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		reading.Go(func() {
			if err := readSlowly(c); err != nil {
				incomplete.Add(1)
				t.Errorf("a slow reader: %v", err)
			}
		})
	}
	startLoad(t, link.URL).terminateUnder(t, g.process)
	reading.Wait()
}

// stall opens a connection that the test closes, sends a part of a request, and
// returns. What does not fit into the buffers is sent in the background.
func stall(t *testing.T, base, request string) net.Conn {
	t.Helper()
	return stallFrom(t, "127.0.0.1", base, request)
}

// stallFrom does the same as a client with an address on loopback.
func stallFrom(t *testing.T, address, base, request string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Control: smallBuffer, LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, request) // the service may close first
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-sent
	})
	return c
}

// smallBuffer makes a client's receive buffer as small as the kernel lets it be, so
// that an unread answer fills it.
func smallBuffer(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
	})
	return errors.Join(err, failed)
}

// readSlowly reads the answer to a click, a byte every few milliseconds, until the
// service closes the connection.
func readSlowly(c net.Conn) error {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	var answer []byte
	next := make([]byte, 1)
	for {
		<-ticker.C
		_, err := io.ReadFull(c, next)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", len(answer), err)
		}
		answer = append(answer, next...)
	}
	if text := string(answer); !strings.HasPrefix(text, "HTTP/1.1 302 ") || !strings.HasSuffix(text, "\r\n\r\n") {
		return fmt.Errorf("the answer is not whole: %.100q", text)
	}
	return nil
}

// The second signal ends the process at once, also while it waits for a client.
func TestSecondSignal(t *testing.T) {
	for _, second := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		in := install(t)
		g := in.start()
		stall(t, g.operator, "POST /api/v1/links HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
		if err := g.process.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the service to stop", func() error {
			if !strings.Contains(g.process.output.String(), `"msg":"stopping"`) {
				return errors.New("it does not say so")
			}
			return nil
		})
		begun := time.Now()
		_ = g.process.terminate(t, second)
		status, ok := g.process.command.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != second {
			t.Errorf("after a second %v: %v, want the end by that signal", second, g.process.command.ProcessState)
		}
		t.Logf("ended by %v after %s", second, time.Since(begun).Round(time.Millisecond))
	}
}

// Over HTTP/2, whose connections carry many requests, an unfinished request does not
// delay the end of the process either.
func TestSIGTERMBesideStalledHTTP2(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	// Between the end of reading and the cut of connections lie 2.5 s, and a stall can be longer.
	unlessStalled(t, func() error { return in.terminateBesideStalledHTTP2(t) })
}

// terminateBesideStalledHTTP2 sends SIGTERM to a gateway with two unfinished requests, and
// returns an error unless each is answered.
func (in *installation) terminateBesideStalledHTTP2(t *testing.T) error {
	t.Helper()
	ca := newAuthority(t)
	g, _ := in.startWithTLS(ca)
	c := unfollowed()
	c.Transport = &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: ca.roots, MinVersion: tls.VersionTLS12},
	}
	defer c.CloseIdleConnections()
	answers := make(chan error, 2)
	for _, stalled := range []struct {
		address, mediaType string
		want               int
	}{
		{"https" + g.operator[4:] + "/api/v1/links", "application/json", http.StatusBadRequest},
		{"https" + g.public[4:] + "/" + strings.Repeat("1", 22), "application/x-www-form-urlencoded", http.StatusBadRequest},
	} {
		body, rest := io.Pipe()
		go func() {
			a, err := ask(t.Context(), c, http.MethodPost, stalled.address, body, "Content-Type", stalled.mediaType,
				"Authorization", "Bearer "+in.key)
			if err == nil && (a.status != stalled.want || a.protocol != 2) {
				err = fmt.Errorf("%s: %d over HTTP/%d, want %d over HTTP/2", stalled.address, a.status, a.protocol, stalled.want)
			}
			answers <- err
		}()
		if _, err := io.WriteString(rest, "{"); err != nil { // read once the request is under way
			t.Fatal(err)
		}
		defer rest.Close()
	}
	t.Logf("ended after %s", g.process.terminateInTime(t).Round(time.Millisecond))
	return errors.Join(<-answers, <-answers)
}

// A Redis that is silent for longer than the service may take to end does not keep it,
// and whoever waits for an answer is told so.
func TestSIGTERMBesideSilentRedis(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	// Between the interruption of requests and the cut of connections lies half a second.
	unlessStalled(t, func() error { return in.terminateBesideSilentRedis(t) })
}

// terminateBesideSilentRedis sends SIGTERM to a gateway that waits for Redis, and returns an
// error unless each client is told.
func (in *installation) terminateBesideSilentRedis(t *testing.T) error {
	t.Helper()
	g := in.start("KEYHOLE_REDIS_TIMEOUT=30s")
	link := share(t, g)
	in.redis.Pause(t)
	defer in.redis.Resume(t)
	recipient := stall(t, g.public, "GET "+strings.TrimPrefix(link.URL, g.public)+" HTTP/1.1\r\nHost: a\r\n\r\n")
	operator := stall(t, g.operator,
		"GET /api/v1/links/"+link.ID+" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+in.key+"\r\n\r\n")
	t.Logf("ended after %s", g.process.terminateInTime(t).Round(time.Millisecond))
	var failed error
	for who, c := range map[string]net.Conn{"operator": operator, "recipient": recipient} {
		answer, err := io.ReadAll(c)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") {
			err = errors.Join(err, fmt.Errorf("the %s is answered %.100q, want 503", who, answer))
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

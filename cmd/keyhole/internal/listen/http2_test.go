package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serveHTTP2 serves a handler over TLS on a free port, and returns the listener.
func serveHTTP2(t *testing.T, options Options, handler http.HandlerFunc, change func(*Listener)) *Listener {
	t.Helper()
	options.Log = slog.New(slog.DiscardHandler)
	l, err := Open(t.Context(), "127.0.0.1:0", options)
	if err != nil {
		t.Fatal(err)
	}
	change(l)
	if err := l.Serve(handler, writeCertificate(t, "one.test"), make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel() // Nothing has to be finished.
		_ = l.Stop(ended)
	})
	return l
}

// unchanged leaves a listener as it is.
func unchanged(*Listener) {}

// framed is a client that writes and reads frames.
type framed struct {
	*http2.Framer

	t      *testing.T
	c      net.Conn
	block  bytes.Buffer
	hpack  *hpack.Encoder
	stream uint32
}

// dialFramed opens a connection of HTTP/2. A small buffer of a client that reads nothing is
// soon full.
func dialFramed(t *testing.T, l *Listener, settings ...http2.Setting) *framed {
	t.Helper()
	raw, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	if err := raw.(*net.TCPConn).SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &framed{Framer: http2.NewFramer(c, c), t: t, c: c, stream: 1}
	f.AllowIllegalWrites = true
	f.hpack = hpack.NewEncoder(&f.block)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

// fields encodes header fields.
func (f *framed) fields(fields ...hpack.HeaderField) []byte {
	f.block.Reset()
	for _, field := range fields {
		if err := f.hpack.WriteField(field); err != nil {
			f.t.Fatal(err)
		}
	}
	return f.block.Bytes()
}

// get opens the next stream with a request, whose header is complete or not.
func (f *framed) get(complete bool) error {
	f.stream += 2
	return f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: f.stream, EndStream: true, EndHeaders: complete,
		BlockFragment: f.fields(hpack.HeaderField{Name: ":method", Value: "GET"},
			hpack.HeaderField{Name: ":scheme", Value: "https"}, hpack.HeaderField{Name: ":path", Value: "/"},
			hpack.HeaderField{Name: ":authority", Value: "one.test"}),
	})
}

// goodbye reads until the server ends the connection, and returns its reason.
func (f *framed) goodbye() (http2.ErrCode, error) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0, fmt.Errorf("no GOAWAY: %w", err)
		}
		if goodbye, ok := frame.(*http2.GoAwayFrame); ok {
			return goodbye.ErrCode, nil
		}
	}
}

// A client that resets its requests (CVE-2023-44487) cannot have more handlers than without:
// further requests wait for those that run, and the connection ends when too many wait.
func TestResetStreams(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}, 10*maxStreams), make(chan struct{})
	defer close(finish)
	l := serveHTTP2(t, Options{}, func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-finish // like a click, which goes on without its client
	}, unchanged)
	f := dialFramed(t, l)
	for range maxStreams {
		if err := f.get(true); err != nil {
			t.Fatal(err)
		}
		<-begun
	}
	go func() {
		for stream := uint32(3); stream < 3+2*maxStreams; stream += 2 {
			if f.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
				return
			}
		}
		for range 10 * maxStreams {
			if errors.Join(f.get(true), f.WriteRSTStream(f.stream, http2.ErrCodeCancel)) != nil {
				return // The server has closed the connection.
			}
		}
	}()
	if code, err := f.goodbye(); code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("the connection ends with %v, %v", code, err)
	}
	if n := len(begun); n > 0 {
		t.Errorf("%d handlers run beside those of the limit", n)
	}
}

// A request that was reset before its handler began has no handler.
func TestResetBeforeItBegins(t *testing.T) {
	t.Parallel()
	a := newAcceptor(nil, slog.New(slog.DiscardHandler))
	c := &conn{from: a}
	a.add(c)
	handled := 0
	limited := limitRequests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handled++ }))
	for _, reset := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), connKey{}, c))
		defer cancel()
		if reset {
			cancel()
		}
		limited.ServeHTTP(nil, (&http.Request{ProtoMajor: 2}).WithContext(ctx))
	}
	if handled != 1 || a.requests != 0 {
		t.Errorf("%d requests are handled, want 1; %d are left", handled, a.requests)
	}
}

// A header whose CONTINUATION frames do not end (CVE-2024-24549, CVE-2023-45288) ends the
// connection when it is longer than a header may be.
func TestHeaderWithoutEnd(t *testing.T) {
	t.Parallel()
	l := serveHTTP2(t, Options{}, http.NotFound, unchanged)
	f := dialFramed(t, l)
	var sent atomic.Int64
	go func() {
		if f.get(false) != nil {
			return
		}
		for {
			more := f.fields(hpack.HeaderField{Name: "x-more", Value: strings.Repeat("x", 1000), Sensitive: true})
			if f.WriteContinuation(f.stream, false, more) != nil {
				return // The server has closed the connection.
			}
			sent.Add(int64(len(more)))
		}
	}()
	if code, err := f.goodbye(); code != http2.ErrCodeProtocol {
		t.Errorf("the connection ends with %v, %v", code, err)
	}
	// What is sent and not read is in the buffers of the kernel, at most 4 MiB at each end.
	if n := sent.Load(); n < maxHeader || n > 8<<20+maxHeader {
		t.Errorf("the connection ends after %d bytes of a header, which may have %d", n, maxHeader)
	}
}

// The server announces limits that bound the memory of a connection, and ends connections
// that ignore them.
func TestLimitsOfHTTP2(t *testing.T) {
	t.Parallel()
	l := serveHTTP2(t, Options{}, http.NotFound, unchanged)
	f := dialFramed(t, l)
	frame, err := f.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings := frame.(*http2.SettingsFrame)
	for id, limit := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: maxStreams, http2.SettingMaxFrameSize: maxFrame,
		http2.SettingInitialWindowSize: maxUnread, http2.SettingMaxHeaderListSize: 32 << 10,
		http2.SettingHeaderTableSize: 4 << 10,
	} {
		if got, ok := settings.Value(id); !ok || got > limit {
			t.Errorf("%v is %d, want at most %d", id, got, limit)
		}
	}
	if got := l.server.HTTP2.WriteByteTimeout; got != writeByteTimeout {
		t.Errorf("a client that takes no byte is cut off after %v", got)
	}
	// The header of a frame of 1 MiB, for which net/http would reserve the memory.
	if _, err := f.c.Write([]byte{0x10, 0, 0, 0xfe, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if code, err := f.goodbye(); code != http2.ErrCodeFrameSize {
		t.Errorf("a frame of 1 MiB: the connection ends with %v, %v", code, err)
	}
}

// A client that takes no byte of its answers loses its connection.
func TestUnreadAnswersOfHTTP2(t *testing.T) {
	t.Parallel()
	l := serveHTTP2(t, Options{}, http.NotFound, func(l *Listener) {
		l.server.HTTP2.WriteByteTimeout = 100 * time.Millisecond
	})
	f := dialFramed(t, l)
	ping := []byte{0, 0, 8, byte(http2.FramePing), 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}
	for pings := bytes.Repeat(ping, 500); ; { // until the buffers are full, and the server has closed the connection
		if _, err := f.c.Write(pings); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the client still has its connection")
		} else if err != nil {
			break
		}
	}
}

// A connection with TLS is not read while it is written, because each frame of its client may
// need an answer.
func TestReadWaitsForWrite(t *testing.T) {
	t.Parallel()
	for encrypted, limit := range map[bool]time.Duration{
		true:  50 * time.Millisecond, // It passes: the server does not read.
		false: 30 * time.Second,
	} {
		here, there := net.Pipe()
		from := newAcceptor(nil, slog.New(slog.DiscardHandler))
		from.encrypted = encrypted
		c := &conn{Conn: here, from: from}
		written, read := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("ab"))
			written <- err
		}()
		if _, err := there.Read(make([]byte, 1)); err != nil { // The write has begun.
			t.Fatal(err)
		}
		go func() {
			_, err := c.Read(make([]byte, 10))
			read <- err
		}()
		if err := there.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Write([]byte("x")); (err != nil) != encrypted {
			t.Errorf("encrypted %v: sending during an answer: %v", encrypted, err)
		}
		if _, err := there.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-written, there.SetWriteDeadline(time.Time{})); err != nil {
			t.Fatal(err)
		}
		if encrypted {
			if _, err := there.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(<-read, here.Close(), there.Close()); err != nil {
			t.Error(err)
		}
	}
}

// One client has at most its share of requests at the same time, also if it leaves no window
// for the answers. The connection that stalls makes room for further requests.
func TestRequestsOfHTTP2(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		most int // requests
	}{
		"long answers": {strings.Repeat("x", 10_000), 4},
		// net/http sends them after their handlers have ended.
		"short answers": {"x", 4 + unflushed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handled atomic.Int64
			// A tenth of 40 connections is the share of a client.
			l := serveHTTP2(t, Options{MaxConnections: 40}, func(w http.ResponseWriter, _ *http.Request) {
				handled.Add(1)
				_, _ = io.WriteString(w, tt.body) // It fails when the connection ends.
			}, func(l *Listener) { l.acceptor.answerTimeout = 300 * time.Millisecond })
			f := dialFramed(t, l, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			const sent = 60
			for range sent {
				if err := f.get(true); err != nil {
					t.Fatal(err)
				}
			}
			statuses := f.statuses(sent)
			if n := int(handled.Load()); n < 4 || n > tt.most || statuses["503"] != sent-n {
				t.Errorf("%d requests are handled, want 4 to %d; the answers are %v", n, tt.most, statuses)
			}
			// Another connection gets an answer when the first one stalls.
			other := dialFramed(t, l)
			other.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
				if err := other.get(true); err != nil {
					t.Fatal(err)
				}
				if other.statuses(1)["200"] == 1 {
					break
				}
			}
			if _, err := io.Copy(io.Discard, f.c); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("the connection that stalls does not end: %v", err)
			}
		})
	}
}

// statuses reads so many answers, and returns how many have each status.
func (f *framed) statuses(answers int) map[string]int {
	f.t.Helper()
	statuses := map[string]int{}
	for answers > 0 {
		frame, err := f.ReadFrame()
		if err != nil {
			f.t.Fatalf("%d answers are missing, after %v: %v", answers, statuses, err)
		}
		if header, ok := frame.(*http2.MetaHeadersFrame); ok {
			statuses[header.PseudoValue("status")]++
			answers--
		}
	}
	return statuses
}

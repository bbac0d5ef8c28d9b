package listen

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// open opens a listener on a free port of loopback, which writes its log to log.
func open(t *testing.T, log io.Writer) *Listener {
	t.Helper()
	l, err := Open(t.Context(), "127.0.0.1:0", Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // most tests have stopped it
	return l
}

// serveOne serves one request, which closes running when it begins, and is answered with
// "done" when the test closes finish.
func serveOne(t *testing.T, l *Listener) (running, finish chan struct{}) {
	t.Helper()
	running, finish = make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(running)
		<-finish
		_, _ = io.WriteString(w, "done")
	})
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	return running, finish
}

// A request that runs when the listener stops is answered, on a connection that closes
// then. No connection is accepted afterwards.
func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	running, finish := serveOne(t, l)
	c, r := dial(t, l.Addr())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- l.Stop(t.Context()) }()
	close(finish)
	if got := readAnswer(t, r); got != "done" {
		t.Errorf("the running request is answered by %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection stays open: %v", err)
	}
	if c, err := net.Dial("tcp", l.Addr()); err == nil {
		_ = c.Close() // it should not be there
		t.Error("a stopped listener accepts connections")
	}
}

// A client that does not take its answer is cut off when the time is over, and the log
// says how many there were.
func TestStopCutsSlowClients(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := open(t, &log)
	running := make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
	})
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	c, _ := dial(t, l.Addr())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-running
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Stop(over); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "cutting connections of slow clients") ||
		!strings.Contains(log.String(), "connections=1") {
		t.Errorf("the log says %s", log.String())
	}
}

// The cause of an interrupted request says why, so that it is answered with 503 and not
// taken for a hang-up.
func TestStopInterruptsRequests(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	running, cause := make(chan struct{}), make(chan error, 1)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
	})
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	c, _ := dial(t, l.Addr())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-running
	l.endRequests(ErrStopping) // Stop does this after InterruptAfter
	if err := <-cause; !errors.Is(err, ErrStopping) {
		t.Errorf("the cause is %v", err)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A draining listener answers, and each answer closes its connection.
func TestDrainingAnswersClose(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	if err := l.Serve(http.NotFoundHandler(), TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	for _, draining := range []bool{false, true} {
		if draining {
			l.Drain()
		}
		c, r := dial(t, l.Addr())
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // it was read in whole
		if answer.Close != draining || answer.StatusCode != http.StatusNotFound {
			t.Errorf("draining %v: %d, the connection closes: %v", draining, answer.StatusCode, answer.Close)
		}
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// endReads cuts off clients that have sent half of a request, and no others: a request
// that is being handled goes on.
func TestEndReads(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	running, finish := serveOne(t, l)
	whole, answer := dial(t, l.Addr())
	half, cut := dial(t, l.Addr())
	for text, c := range map[string]net.Conn{"GET / HTTP/1.1\r\nHost: x\r\n\r\n": whole, "GET / HTTP/1.1\r\nHo": half} {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	<-running
	l.endReads()
	// The kernel resets a connection that is closed with unread bytes.
	if got, err := io.ReadAll(cut); err != nil && !errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(string(got), "200") {
		t.Errorf("half of a request: %q, %v", got, err)
	}
	close(finish)
	if got := readAnswer(t, answer); got != "done" {
		t.Errorf("a whole request: %q", got)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// An address in use is named. The listeners of a process stop at the same time.
func TestOpenAndStopAll(t *testing.T) {
	t.Parallel()
	first, second := open(t, io.Discard), open(t, io.Discard)
	if _, err := Open(t.Context(), first.Addr(), Options{Log: slog.New(slog.DiscardHandler)}); err == nil ||
		!strings.Contains(err.Error(), "listen on "+first.Addr()) {
		t.Errorf("an address in use: %v", err)
	}
	for _, l := range []*Listener{first, second} {
		if err := l.Serve(http.NotFoundHandler(), TLS{}, make(chan error, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := StopAll(t.Context(), []*Listener{first, second}); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("closing a stopped listener: %v", err)
	}
}

// Headers of more than 32 KiB are refused, and requests about the whole server reach the
// handler like all others.
func TestLimitsOfRequests(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method) })
	if err := l.Serve(handler, TLS{}, make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 31<<10) + "\r\n\r\n": "200",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 33<<10) + "\r\n\r\n": "431",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                                       "200",
	} {
		c, r := dial(t, l.Addr())
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		status, err := r.ReadString('\n')
		if err != nil || !strings.Contains(status, want) {
			t.Errorf("%.20q with %d bytes: %q, %v, want %s", request, len(request), status, err, want)
		}
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// writeCertificate writes a certificate for a name, and returns its files.
func writeCertificate(t *testing.T, name string) TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := TLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem")}
	for path, block := range map[string]*pem.Block{
		files.CertFile: {Type: "CERTIFICATE", Bytes: certificate}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// A new certificate is used for new connections; one that cannot be read leaves the
// previous one in use.
func TestCertificates(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	if err := l.Serve(http.NotFoundHandler(), writeCertificate(t, "one.test"), make(chan error, 1)); err != nil {
		t.Fatal(err)
	}
	name := func() string {
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // only the name matters
		c, err := dialer.DialContext(t.Context(), "tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if status, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(status, "404") {
			t.Errorf("got %q, %v", status, err)
		}
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := name(); got != "one.test" {
		t.Errorf("the certificate is for %s", got)
	}
	if l.CertificateExpiry().Before(time.Now()) {
		t.Errorf("the certificate ends at %v", l.CertificateExpiry())
	}
	if err := l.LoadCertificate(TLS{CertFile: "/does/not/exist"}); err == nil || name() != "one.test" {
		t.Errorf("after a missing file: %v, %s", err, name())
	}
	if err := l.LoadCertificate(writeCertificate(t, "two.test")); err != nil || name() != "two.test" {
		t.Errorf("after a new one: %v, %s", err, name())
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A listener that cannot serve reports why, instead of ending in silence.
func TestServeFails(t *testing.T) {
	t.Parallel()
	l := open(t, io.Discard)
	failed := make(chan error, 1)
	if err := l.Serve(http.NotFoundHandler(), TLS{CertFile: "/does/not/exist"}, failed); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "listener "+l.Addr()) {
		t.Errorf("got %v", err)
	}
}

package server

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/listen"
	"keyhole/cmd/keyhole/internal/systemd"
	"keyhole/config"
	"keyhole/gateway/logtest"
)

// managed returns a service manager with a watchdog of this time, and what it hears.
func managed(t *testing.T, watchdog string) (m systemd.Manager, next func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() }) // nothing is written to it
	variables := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": watchdog}
	m = systemd.New(func(name string) string { return variables[name] }, os.Getpid())
	return m, func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		state := make([]byte, 100)
		n, err := socket.Read(state)
		if err != nil {
			t.Fatal(err)
		}
		return string(state[:n])
	}
}

// systemd hears that the service is ready when it answers, is reloading when it was told to,
// and is stopping before it drains.
func TestManagerHearsOfEachStep(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := New(cfg, NewLog(config.Log{Level: "info", Format: "text"}, io.Discard), command.Build{Version: "test"})
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	r := newReloader(path, func() (*config.Config, []config.Warning, error) { return cfg, nil, nil }, nil, s)
	var next func() string
	r.manager, next = managed(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	hangups, ended := make(chan os.Signal), make(chan error, 1)
	go func() { ended <- runServer(ctx, s, r, hangups) }()
	if got := next(); got != "READY=1" {
		t.Fatalf("first %q", got)
	}
	if a := get(t, "http://"+s.PublicAddr()+"/x"); a.status != http.StatusNotFound {
		t.Errorf("ready, and the answer is %d", a.status)
	}
	hangups <- os.Interrupt // any signal: the caller chooses it
	for _, want := range []string{"RELOADING=1", "READY=1"} {
		if got := next(); got != want {
			t.Errorf("reload: %q, want %q", got, want)
		}
	}
	cancel()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("stop: %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The watchdog is answered while the server answers, and no longer.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	log := &logtest.Buffer{}
	s := startServer(t, cfg, log)
	manager, next := managed(t, "30000") // 30 ms
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() { s.keepAlive(ctx, manager); close(ended) }()
	for range 3 {
		if got := next(); got != "WATCHDOG=1" {
			t.Fatalf("got %q", got)
		}
	}
	cancel()
	<-ended
}

// A start that waits for a Redis of its own asks systemd for more time until it is over. Other
// starts ask for none.
func TestExtendStart(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := New(cfg, NewLog(config.Log{Level: "info", Format: "text"}, io.Discard), command.Build{Version: "test"})
	manager, next := managed(t, "")
	s.extendStart(t.Context(), manager, time.Millisecond) // returns, although the start goes on
	s.configured.Redis.Mode = config.RedisLocal
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() { s.extendStart(ctx, manager, 30*time.Millisecond); close(ended) }()
	for range 3 {
		if got := next(); got != "EXTEND_TIMEOUT_USEC=30000" {
			t.Fatalf("got %q", got)
		}
	}
	cancel()
	<-ended
}

// A server that accepts connections and answers nothing is not alive. Neither is one that
// answers with an error.
func TestProbe(t *testing.T) {
	t.Parallel()
	hangs := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	fails := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	answers := func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			t.Errorf("asked for %s", r.URL.Path)
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		limit   time.Duration
		want    string // empty: alive
	}{
		"answers": {answers, time.Minute, ""}, "fails": {fails, time.Minute, "status 500"},
		"hangs": {hangs, 200 * time.Millisecond, "deadline"},
	} {
		for _, own := range []bool{false, true} {
			s := New(&config.Config{}, NewLog(config.Log{}, io.Discard), command.Build{})
			l, err := listen.Open(t.Context(), "127.0.0.1:0", listen.Options{Log: s.log.Logger})
			if err != nil {
				t.Fatal(err)
			}
			if s.operator = l; own {
				s.operator, s.metrics = nil, l
				s.configured.Operator.TLS.CertFile = "only for operators"
			}
			if err := l.Serve(tt.handler, listen.TLS{}, s.failed); err != nil {
				t.Fatal(err)
			}
			err = s.probe(t.Context(), tt.limit)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, listener of its own %v: got %v", name, own, err)
			}
			stopping, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := listen.StopAll(stopping, []*listen.Listener{l}); err != nil {
				t.Error(err)
			}
			cancel()
		}
	}
}

// A server whose listener is full is alive, although no probe gets a connection. A server that
// has places and does not answer is not.
func TestFullListenerIsAlive(t *testing.T) {
	t.Parallel()
	s := New(&config.Config{}, NewLog(config.Log{}, io.Discard), command.Build{})
	// Proxies have no share, so that one address can take all places.
	l, err := listen.Open(t.Context(), "127.0.0.1:0", listen.Options{
		Log: s.log.Logger, MaxConnections: 10, Exempt: func(netip.Addr) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.operator = l
	hang := make(chan struct{})
	hanging := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
	if err := l.Serve(hanging, listen.TLS{}, s.failed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(hang)
		stopping, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := listen.StopAll(stopping, []*listen.Listener{l}); err != nil {
			t.Error(err)
		}
	})
	const limit = 300 * time.Millisecond
	if s.isAlive(t.Context(), limit) {
		t.Error("a listener with free places that does not answer is alive")
	}
	for range 10 {
		c, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		const half = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
		if _, err := io.WriteString(c, half); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if open, most := l.Connections(); open == most {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d of %d connections are open", open, most)
		}
	}
	if !s.isAlive(t.Context(), limit) {
		t.Error("a full listener is not alive")
	}
}

// A listener of operators with TLS is asked over TLS, whatever name its certificate is for.
func TestProbeOverTLS(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	donor := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer donor.Close()
	key, err := x509.MarshalPKCS8PrivateKey(donor.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert": {Type: "CERTIFICATE", Bytes: donor.TLS.Certificates[0].Certificate[0]},
		"key":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Operator.TLS = config.TLS{CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	if err := startServer(t, cfg, io.Discard).probe(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
}

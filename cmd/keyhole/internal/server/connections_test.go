package server

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/config"
)

// connectionLines returns the lines of /metrics about connections, in order.
func connectionLines(t *testing.T, s *Server) []string {
	t.Helper()
	page := get(t, "http://"+s.metrics.Addr()+"/metrics").body
	lines := regexp.MustCompile(`(?m)^keyhole_connections(\{|_limit\{listener="public").*$`).FindAllString(page, -1)
	slices.Sort(lines)
	return lines
}

// Every listener has its open connections and its limit. The limits for operators depend on
// the machine, so they are not compared.
func TestConnectionMetrics(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	cfg.Metrics.Listen, cfg.Public.MaxConnections = "127.0.0.1:0", 20
	s := startServer(t, cfg, io.Discard)
	want := []string{
		`keyhole_connections_limit{listener="public"} 20`,
		`keyhole_connections{listener="metrics"} 1`, // the scrape itself
		`keyhole_connections{listener="operator"} 0`, `keyhole_connections{listener="public"} 0`,
	}
	if got := connectionLines(t, s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	opened, err := net.Dial("tcp", s.PublicAddr())
	if err != nil {
		t.Fatal(err)
	}
	want[3] = `keyhole_connections{listener="public"} 1`
	waitForLines(t, s, want)
	_ = opened.Close() // nothing was sent
	want[3] = `keyhole_connections{listener="public"} 0`
	waitForLines(t, s, want)
}

// The limit of a listener counts what it does to clients.
func TestLimitedConnectionMetrics(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	cfg.Public.MaxConnections = 20 // of which one address may hold two
	s := startServer(t, cfg, io.Discard)
	for range 5 {
		opened, err := net.Dial("tcp", s.PublicAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
	}
	waitForMetrics(t, s, `keyhole_connections_limited_total\{action="connection_closed",listener="public"\} 3`,
		`keyhole_connections_limited_total\{action="connection_refused",listener="public"\} 0`,
		`keyhole_connections_limited_total\{action="request_refused",listener="operator"\} 0`)
}

// waitForLines waits until the metrics of connections are want.
func waitForLines(t *testing.T, s *Server, want []string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		got := connectionLines(t, s)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// BenchmarkConnections opens b.N connections of recipients, sends a request over each and
// keeps them open. It reports the memory of the process for each of them, without that of
// the kernel.
func BenchmarkConnections(b *testing.B) {
	redis, err := inprocess.StartRedis()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(redis.Close)
	cfg := config.Default()
	cfg.Public.Listen, cfg.Operator.Listen, cfg.Public.URL = "127.0.0.1:0", "127.0.0.1:0", "http://127.0.0.1"
	cfg.Redis.Addresses = []string{redis.Addr()}
	cfg.Public.TrustedProxies = []string{"127.0.0.1"} // Other addresses have a share of the limit.
	s := New(cfg, NewLog(config.Log{Level: "error", Format: "text"}, io.Discard), command.Build{})
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop() }) // the connections are cut
	before, buffer := inUse(), make([]byte, 4096)
	b.ResetTimer()
	for range b.N {
		c, err := net.Dial("tcp", s.PublicAddr())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, "GET /robots.txt HTTP/1.1\r\nHost: files.example.com\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		if n, err := c.Read(buffer); err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 200 ")) {
			b.Fatalf("%q, %v", buffer[:n], err)
		}
	}
	b.StopTimer()
	if open, _ := s.public.Connections(); open != b.N {
		b.Errorf("%d connections are open, want %d", open, b.N)
	}
	b.ReportMetric(float64(inUse()-before)/float64(b.N), "B/connection")
}

// inUse returns the bytes of heap and stacks that are in use after a collection.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // far below the limit
}

package server

import (
	"io"
	"net"
	"regexp"
	"slices"
	"testing"
	"time"
)

// connectionLines returns the lines of /metrics about connections, in order.
func connectionLines(t *testing.T, s *Server) []string {
	t.Helper()
	page := get(t, "http://"+s.metrics.Addr()+"/metrics").body
	lines := regexp.MustCompile(`(?m)^keyhole_connections.*$`).FindAllString(page, -1)
	slices.Sort(lines)
	return lines
}

// Every listener has its open connections, and those for recipients their limit.
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

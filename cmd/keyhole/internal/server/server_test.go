package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// share issues a link for the object a.txt and returns it with its path.
func share(t *testing.T, s *Server, key string) (link api.Link, path string) {
	t.Helper()
	link, err := operator(t, s, key).Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "a.txt"})
	if err != nil {
		t.Fatal(err)
	}
	return link, link.URL[strings.LastIndexByte(link.URL, '/'):]
}

// A server in this process issues, redirects, delivers and revokes.
func TestServerServes(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	link, path := share(t, s, key)
	click := get(t, "http://"+s.PublicAddr()+path)
	if click.status != http.StatusFound {
		t.Fatalf("a click: %d %s", click.status, click.body)
	}
	if object := get(t, click.header.Get("Location")); object.status != http.StatusOK || object.body != "content" {
		t.Errorf("the presigned URL: %d %q", object.status, object.body)
	}
	if _, err := operator(t, s, key).Revoke(t.Context(), link.ID, ""); err != nil {
		t.Fatal(err)
	}
	if click := get(t, "http://"+s.PublicAddr()+path); click.status != http.StatusGone {
		t.Errorf("after the revocation: %d", click.status)
	}
	for url, want := range map[string]string{"/readyz": `"ready":true`, "/metrics": `version="test"`} {
		if a := get(t, "http://"+s.OperatorAddr()+url); a.status != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %s", url, a.status, a.body)
		}
	}
}

// Two servers on one Redis fit into one process: a link of one works at the other
// until the other revokes it.
func TestTwoServersInOneProcess(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	first := startServer(t, cfg, io.Discard)
	other := *cfg
	second := startServer(t, &other, io.Discard)
	link, path := share(t, first, key)
	if click := get(t, "http://"+second.PublicAddr()+path); click.status != http.StatusFound {
		t.Fatalf("a click: %d %s", click.status, click.body)
	}
	if _, err := operator(t, second, key).Revoke(t.Context(), link.ID, ""); err != nil {
		t.Fatal(err)
	}
	if click := get(t, "http://"+first.PublicAddr()+path); click.status != http.StatusGone {
		t.Errorf("after the revocation: %d", click.status)
	}
}

// The listener for redirects leads to public.url and counts no click.
func TestRedirectListener(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	cfg.Public.RedirectListen = "127.0.0.1:0"
	s := startServer(t, cfg, io.Discard)
	link, path := share(t, s, key)
	answer := get(t, "http://"+s.RedirectAddr()+path)
	if answer.status != http.StatusFound || answer.header.Get("Location") != cfg.Public.URL+path {
		t.Errorf("a redirect: %d %v", answer.status, answer.header)
	}
	if now, err := operator(t, s, key).Show(t.Context(), link.ID); err != nil || now.Clicks != 0 {
		t.Errorf("after a redirect: %+v, %v", now, err)
	}
	if a := get(t, "http://"+s.RedirectAddr()+"/.well-known/acme-challenge/x"); a.status != http.StatusNotFound {
		t.Errorf("a challenge without ACME: %d", a.status)
	}
}

// With metrics.listen, health and metrics are there and not at the operators' address.
func TestMetricsListener(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	s := startServer(t, cfg, io.Discard)
	for url, want := range map[string]int{
		s.metrics.Addr() + "/metrics": 200, s.metrics.Addr() + "/livez": 200, s.OperatorAddr() + "/metrics": 404,
	} {
		if a := get(t, "http://"+url); a.status != want {
			t.Errorf("%s: %d, want %d", url, a.status, want)
		}
	}
}

// A server that drains is not ready, and its answers close their connections.
func TestDrain(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	s.Drain()
	if a := get(t, "http://"+s.OperatorAddr()+"/readyz"); a.status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", a.status)
	}
	response, err := http.DefaultTransport.RoundTrip(mustRequest(t, "http://"+s.PublicAddr()+"/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound || !response.Close {
		t.Errorf("%d, and the answer closes its connection: %v", response.StatusCode, response.Close)
	}
}

// A stopped server has closed its addresses. Stop is called again by the cleanup.
func TestStop(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	public := s.PublicAddr()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", public); err == nil {
		_ = c.Close() // it should not be there
		t.Error("the address still accepts connections")
	}
}

// An address that is in use, and a storage that cannot be opened, are named with what
// to do, and everything that was started is stopped.
func TestStartFails(t *testing.T) {
	t.Parallel()
	taken := startServerAddr(t)
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   string
		hint   string
	}{
		"address in use": {func(c *config.Config) { c.Operator.Listen = taken }, "listen on " + taken, "operator.listen"},
		"no authority": {
			func(c *config.Config) { c.Storage[0].CAFile = "/does/not/exist" },
			"storage main: read ca_file", "correct this storage",
		},
		"provider": {
			func(c *config.Config) {
				c.Operator.OIDC.Issuer, c.Operator.OIDC.CAFile = "https://id.test", "/does/not/exist"
			},
			"operator.oidc: read ca_file", "operator.oidc.ca_file",
		},
		"Redis over TLS": {
			func(c *config.Config) { c.Redis.TLS.Enabled, c.Redis.TLS.CAFile = true, "/does/not/exist" },
			"read ca_file", "redis.tls",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := testConfig(t)
			tt.change(cfg)
			s := New(cfg, NewLog(cfg.Log, io.Discard), command.Build{})
			err := s.Start(t.Context())
			var known *command.Error
			if !errors.As(err, &known) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(known.Hint, tt.hint) {
				t.Errorf("got %v, %+v", err, known)
			}
		})
	}
}

// startServerAddr returns the operators' address of a running server.
func startServerAddr(t *testing.T) string {
	t.Helper()
	cfg, _ := testConfig(t)
	return startServer(t, cfg, io.Discard).OperatorAddr()
}

// Reload applies keys, policy and credentials to the running server, and leaves out
// what needs a restart.
func TestReload(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	share(t, s, key)
	next := *cfg
	another := operatorkey.New()
	next.Operator.Keys = []config.OperatorKey{testKey("another", another)}
	next.Policy.SensitiveObjects = []string{"reports/*"}
	next.Redis.Prefix = "needs-a-restart"
	if err := s.Reload(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	if _, err := operator(t, s, key).List(t.Context(), client.ListOptions{}); !errors.As(err, &refused) ||
		refused.Status != 401 {
		t.Errorf("the previous key: %v", err)
	}
	if link, _ := share(t, s, another); link.CreatedBy != "another" || link.Sensitive == nil || !*link.Sensitive {
		t.Errorf("issued: %+v", link)
	}
	if waiting := config.Diff(&s.current, &next); len(waiting) != 1 || waiting[0] != "redis.prefix" {
		t.Errorf("a restart is needed for %q", waiting)
	}

	broken := next
	broken.Storage = []config.Storage{next.Storage[0]}
	broken.Storage[0].SecretAccessKey = config.NewSecret("wrong")
	broken.Operator.Keys = []config.OperatorKey{testKey("ops", key)}
	if err := s.Reload(t.Context(), &broken); err != nil {
		t.Fatal(err)
	}
	_, err := operator(t, s, key).Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "a.txt"})
	if err == nil {
		t.Error("a wrong secret issues a link")
	}
}

// No request waits for the log: while its reader is stuck, the server answers over
// real connections, and the waiting lines are written together.
func TestNoRequestWaitsForTheLog(t *testing.T) {
	t.Parallel()
	cfg, _ := testConfig(t)
	out := &stuckWriter{stuck: make(chan struct{})}
	s := startServer(t, cfg, out)
	const requests = 200
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range requests / 4 {
				response, err := http.Get("http://" + s.OperatorAddr() + "/api/v1/links")
				if err != nil || response.StatusCode != http.StatusUnauthorized &&
					response.StatusCode != http.StatusTooManyRequests {
					t.Errorf("%v, %v", response, err)
					return
				}
				_ = response.Body.Close() // it has been answered
			}
		})
	}
	asking.Wait()
	close(out.stuck)
	lines := func() int {
		out.mu.Lock()
		defer out.mu.Unlock()
		return strings.Count(out.written.String(), "/api/v1/links")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for lines() < requests && ctx.Err() == nil {
		<-ticker.C
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	// One write was stuck; a second one has all lines since then. Later lines may
	// take a few more.
	if got := strings.Count(out.written.String(), "/api/v1/links"); got != requests || out.writes > 10 {
		t.Errorf("%d lines of %d requests in %d writes", got, requests, out.writes)
	}
}

// stuckWriter writes nothing until stuck is closed.
type stuckWriter struct {
	stuck chan struct{}

	mu      sync.Mutex
	written strings.Builder
	writes  int
}

func (w *stuckWriter) Write(p []byte) (int, error) {
	<-w.stuck
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	return w.written.Write(p)
}

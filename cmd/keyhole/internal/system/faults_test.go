//go:build system

package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// shortTimeout sets redis.timeout for tests in which Redis does not answer.
const shortTimeout = "KEYHOLE_REDIS_TIMEOUT=500ms"

// unavailableWithin is the timeout of shortTimeout and the 200 ms that an answer
// may take beyond it.
const unavailableWithin = 700 * time.Millisecond

// share issues a link to reports/file.txt.
func share(t *testing.T, g *instance) api.Link {
	t.Helper()
	return shareFor(t, g, "1h")
}

// shareFor issues a link to reports/file.txt that lives for life.
func shareFor(t *testing.T, g *instance, life string) api.Link {
	t.Helper()
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: life})
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// Redis that is gone, by kill -9, or there and silent, by SIGSTOP: every click is
// a 503 in time and no redirect, and service comes back by itself.
func TestRedisAway(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*installation) }{
		"killed":  {func(in *installation) { in.redis.Kill(in.t) }, func(in *installation) { in.redis.Start(in.t) }},
		"stopped": {func(in *installation) { in.redis.Pause(in.t) }, func(in *installation) { in.redis.Resume(in.t) }},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t, "appendonly yes")
			in.put(t, "file.txt", []byte("content"))
			g := in.start(shortTimeout)
			link := share(t, g)
			if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
				t.Fatalf("before the fault: %d", a.status)
			}

			fault.begin(in)
			m := refusedClicks(t, link.URL)
			if m.exceeds(unavailableWithin) {
				t.Errorf("a 503 took more than %s: %v", unavailableWithin, m)
			}
			if r, err := g.client.Ready(t.Context()); err != nil || r.Ready {
				t.Errorf("readiness is %+v, %v", r, err)
			}
			if err := g.client.Alive(t.Context()); err != nil {
				t.Errorf("not alive: %v", err)
			}
			if _, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt"}); err == nil {
				t.Error("a link was issued without Redis")
			}

			fault.end(in)
			ended := time.Now()
			eventually(t, "service to be back", func() error {
				if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
					return fmt.Errorf("%d", a.status)
				}
				return nil
			})
			t.Logf("%v; back after %v", m, time.Since(ended).Round(time.Millisecond))
		})
	}
}

// refusedClicks clicks a link seven times with each method, one client for a method, and
// expects 503.
func refusedClicks(t *testing.T, address string) *measurement {
	t.Helper()
	m := &measurement{}
	stop := watchControl(t, address)
	c := unfollowed()
	defer c.CloseIdleConnections()
	var mu sync.Mutex
	var clicking sync.WaitGroup
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		clicking.Go(func() {
			for range 7 {
				begun := time.Now()
				a, err := ask(t.Context(), c, method, address, nil)
				if err != nil || a.status != http.StatusServiceUnavailable || a.location != "" ||
					a.header.Get("Retry-After") == "" {
					t.Errorf("%s: %d, Location %q, Retry-After %q, %v", method, a.status, a.location,
						a.header.Get("Retry-After"), err)
				}
				mu.Lock()
				m.refused++
				m.clicks = append(m.clicks, delay{begun, time.Since(begun)})
				mu.Unlock()
			}
		})
	}
	clicking.Wait()
	m.control = stop()
	return m
}

// A gateway starts, listens and is not ready while Redis is away.
func TestStartWithoutRedis(t *testing.T) {
	in := install(t)
	in.redis.Kill(t)
	g := in.launch()
	eventually(t, "the gateway to live", func() error {
		return errors.Join(g.client.Alive(t.Context()), g.process.exited())
	})
	if r, err := g.client.Ready(t.Context()); err != nil || r.Ready || r.Redis != "unavailable" {
		t.Errorf("readiness is %+v, %v", r, err)
	}
	in.redis.Start(t)
	g.waitReady(t)
}

// Redis that would evict links is refused at the start, and stops the clicks
// where it is found later.
func TestEvictingRedis(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := share(t, g)
	in.redis.MustDo(t, "CONFIG", "SET", "maxmemory", "100mb")
	in.redis.MustDo(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")

	refused := in.launch()
	select {
	case <-refused.process.done:
	case <-time.After(20 * time.Second):
		t.Fatal("a gateway starts over a Redis that evicts links")
	}
	if code := refused.process.command.ProcessState.ExitCode(); code != command.ExitUsage {
		t.Errorf("exit code %d, want %d", code, command.ExitUsage)
	}
	if !strings.Contains(refused.process.output.String(), "noeviction") {
		t.Errorf("it does not say what to do:\n%s", refused.process.output)
	}

	eventually(t, "clicks to stop", func() error {
		if a := get(t, http.MethodGet, link.URL); a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("%d", a.status)
		}
		return nil
	})
	in.redis.MustDo(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	eventually(t, "clicks to go on", func() error {
		if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
			return fmt.Errorf("%d", a.status)
		}
		return nil
	})
}

func TestTwoGatewaysOnOneRedis(t *testing.T) {
	in := install(t)
	content := randomBytes(1 << 20)
	in.put(t, "file.txt", content)
	one, other := in.start(), in.start()
	link := share(t, one)
	elsewhere := strings.Replace(link.URL, one.public, other.public, 1)

	response, err := http.Get(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d bytes, %v; want the %d of the object", len(got), err, len(content))
	}
	if shown, err := one.client.Show(t.Context(), link.ID); err != nil || shown.Clicks != 1 {
		t.Errorf("one gateway shows %d clicks, %v; the other gave one", shown.Clicks, err)
	}
	if _, err := other.client.Revoke(t.Context(), link.ID, "from the other"); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{link.URL, elsewhere} {
		if a := get(t, http.MethodGet, url); a.status != http.StatusGone {
			t.Errorf("after the revocation: %d", a.status)
		}
	}
}

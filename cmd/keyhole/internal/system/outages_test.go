//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/gateway/api"
	"keyhole/gateway/redisstore/redistest"
)

// throughProxy starts a gateway that reaches Redis through a proxy.
func throughProxy(t *testing.T) (*redistest.Server, *instance, *redistest.Proxy) {
	t.Helper()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	p := redistest.StartProxy(t, in.redis.Addr)
	return in.redis, in.start("KEYHOLE_REDIS_ADDRESSES="+p.Addr, shortTimeout), p
}

// measure clicks from several clients for a while, and returns how many redirects
// and how many 503 there were, and how long each took, the shortest first.
func measure(t *testing.T, address string, clients int, lasts time.Duration) (redirects, refused int,
	took []time.Duration,
) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	c := unfollowed()
	c.Transport = &http.Transport{MaxIdleConnsPerHost: clients}
	defer c.CloseIdleConnections()
	var mu sync.Mutex
	var clicking sync.WaitGroup
	for range clients {
		clicking.Go(func() {
			for ctx.Err() == nil {
				a, err := ask(context.WithoutCancel(ctx), c, http.MethodGet, address, nil)
				mu.Lock()
				switch {
				case err == nil && a.status == http.StatusFound:
					redirects++
				case err == nil && a.status == http.StatusServiceUnavailable && a.location == "":
					refused++
				default:
					t.Errorf("%d, %v", a.status, err)
				}
				took = append(took, a.took)
				mu.Unlock()
			}
		})
	}
	clicking.Wait()
	slices.Sort(took)
	return redirects, refused, took
}

// quantile returns a quantile of sorted durations, rounded.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(time.Millisecond)
}

// TestSlowRedis lets Redis' answers come later: clicks take as long, and where that
// is beyond redis.timeout they are refused in time, none by a redirect.
func TestSlowRedis(t *testing.T) {
	_, g, p := throughProxy(t)
	link := issue(t, g, api.IssueRequest{Pin: "none"})
	for _, by := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		p.Delay.Store(int64(by))
		redirects, refused, took := measure(t, link.URL, 32, 2*time.Second)
		t.Logf("slow by %v: %.0f redirects a second from 32 clients, %d refused, p50 %v, p99 %v",
			by, float64(redirects)/2, refused, quantile(took, .5), quantile(took, .99))
		switch {
		case took[0] < min(by, 450*time.Millisecond):
			t.Errorf("slow by %v: one took %v", by, took[0])
		case by < 500*time.Millisecond && (refused > 0 || redirects == 0):
			t.Errorf("slow by %v: %d redirects, %d refused", by, redirects, refused)
		case by > 500*time.Millisecond && (redirects > 0 || took[len(took)-1] > unavailableWithin):
			t.Errorf("slow by %v: %d redirects, the slowest answer after %v", by, redirects, took[len(took)-1])
		}
	}
	p.Delay.Store(0)
	eventually(t, "service to be as before", func() error {
		if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
			return fmt.Errorf("%d", a.status)
		}
		return nil
	})
}

// TestSilentWire lets the wire to Redis swallow everything: clicks are refused in
// time, descriptors and goroutines stay bounded, and service comes back.
func TestSilentWire(t *testing.T) {
	_, g, p := throughProxy(t)
	link := issue(t, g, api.IssueRequest{Pin: "none"})
	p.Silent.Store(true)
	var goroutines, descriptors float64
	var watching sync.WaitGroup
	done := make(chan struct{})
	watching.Go(func() {
		look := time.NewTicker(50 * time.Millisecond) // what looks all the time is a load of its own
		defer look.Stop()
		for {
			select {
			case <-done:
				return
			case <-look.C:
				g.raise(t, "go_goroutines", &goroutines)
				g.raise(t, "process_open_fds", &descriptors)
			}
		}
	})
	redirects, refused, took := measure(t, link.URL, 200, 3*time.Second)
	close(done)
	watching.Wait()
	t.Logf("%d refused from 200 clients, p99 %v, slowest %v; %v goroutines, %v descriptors",
		refused, quantile(took, .99), quantile(took, 1), goroutines, descriptors)
	if redirects > 0 || quantile(took, 1) > unavailableWithin {
		t.Errorf("%d redirects, the slowest answer after %v", redirects, quantile(took, 1))
	}
	if goroutines < 200 || goroutines > 1500 || descriptors > 800 { // 200 clients, and the bounded pools
		t.Errorf("%v goroutines, %v descriptors", goroutines, descriptors)
	}
	begun := time.Now()
	p.Silent.Store(false)
	p.HangUp()
	eventually(t, "service to be back", func() error {
		if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound {
			return fmt.Errorf("%d", a.status)
		}
		return nil
	})
	t.Logf("back after %v", time.Since(begun).Round(time.Millisecond))
}

// raise keeps the greatest value that a series has had.
func (g *instance) raise(t *testing.T, series string, most *float64) {
	t.Helper()
	if value, err := g.gauge(t, series); err == nil {
		*most = max(*most, value)
	}
}

// TestMaxClients finds a Redis that takes no more connections: a gateway without
// one answers fast.
func TestMaxClients(t *testing.T) {
	redis, g, p := throughProxy(t)
	link := issue(t, g, api.IssueRequest{Pin: "none"})
	place, err := net.Dial("tcp", redis.Addr) // which is the only one soon
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	redis.MustDo(t, "CONFIG", "SET", "maxclients", "1")
	p.HangUp()
	redirects, refused, took := measure(t, link.URL, 32, 2*time.Second)
	t.Logf("%d refused, p50 %v, p99 %v, slowest %v", refused, quantile(took, .5), quantile(took, .99), quantile(took, 1))
	if redirects > 0 || refused == 0 || quantile(took, 1) > unavailableWithin {
		t.Errorf("%d redirects, %d refused, the slowest after %v", redirects, refused, quantile(took, 1))
	}
	_ = place.Close()
	eventually(t, "a place to raise maxclients by", func() error {
		_, err := redis.Do("CONFIG", "SET", "maxclients", "10000")
		return err
	})
	g.waitReady(t)
}

// TestClockOfRedis runs Redis by another clock than everything else: links end by
// it, neither early nor late, and URLs are signed by the storage's. redis-server
// itself does not start under libfaketime, so it is the server of the demo.
func TestClockOfRedis(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{30 * time.Second, -30 * time.Second, 16 * time.Minute, -time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.put(t, "file.txt", []byte("content"))
			g := in.start("KEYHOLE_REDIS_ADDRESSES="+redisWithClock(t, off), "KEYHOLE_REDIS_USERNAME=",
				"KEYHOLE_REDIS_PASSWORD_FILE=")
			begun := time.Now()
			link := issue(t, g, api.IssueRequest{ExpiresIn: "3s"})
			if skew := link.CreatedAt.Sub(begun) - off; skew.Abs() > 2*time.Second {
				t.Errorf("created %v from Redis' time", skew)
			}
			if got := fetched(t, link.URL); got != "content" {
				t.Errorf("got %q", got)
			}
			var last, first time.Duration
			eventually(t, "the link to expire", func() error {
				before := time.Since(begun)
				switch a := get(t, http.MethodGet, link.URL); a.status {
				case http.StatusFound:
					last = before
					return errors.New("it has not")
				case http.StatusServiceUnavailable: // A busy machine lets the stand-in for Redis wait.
					return errors.New("Redis did not answer in time")
				}
				first = time.Since(begun)
				return nil
			})
			t.Logf("Redis' clock off by %v: the last redirect of a link of 3 s began after %v, the first refusal ended after "+
				"%v", off, last.Round(time.Millisecond), first.Round(time.Millisecond))
			// The last second has no whole second to sign for.
			if last > 3*time.Second || first < 1900*time.Millisecond {
				t.Errorf("the last redirect began after %v, the first refusal ended after %v", last, first)
			}
		})
	}
}

// redisWithClock starts an in-process Redis with a clock that is off and goes on.
func redisWithClock(t *testing.T, off time.Duration) string {
	t.Helper()
	server, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			server.SetTime(time.Now().Add(off))
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		ticking.Wait()
		server.Close()
	})
	return server.Addr()
}

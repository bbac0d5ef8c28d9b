//go:build system

package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/gateway/api"
	"keyhole/gateway/redisstore/redistest"
)

// throughProxy starts a gateway that reaches Redis through a proxy.
func throughProxy(t *testing.T) (*installation, *instance, *redistest.Proxy) {
	t.Helper()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	p := redistest.StartProxy(t, in.redis.Addr)
	return in, in.start("KEYHOLE_REDIS_ADDRESSES="+p.Addr, shortTimeout), p
}

// measurement is what clicks of several clients were answered.
type measurement struct {
	redirects, refused int
	clicks             delays
	control            delays // of requests that need neither Redis nor a storage
}

// watchControl asks the gateway of a link for its robots.txt, which needs neither Redis nor a
// storage, again and again until it is stopped.
func watchControl(t *testing.T, address string) (stop func() delays) {
	t.Helper()
	control := address[:strings.LastIndexByte(address, '/')] + "/robots.txt"
	c := unfollowed()
	t.Cleanup(c.CloseIdleConnections)
	return watchDelays(func() {
		if a, err := ask(context.WithoutCancel(t.Context()), c, http.MethodGet, control, nil); err != nil ||
			a.status != http.StatusOK {
			t.Errorf("robots.txt: %d, %v", a.status, err)
		}
	})
}

// exceeds tells whether a click took longer than bound. A stall during a click that delayed the
// control as well does not count. But usually the control must be fast: a gateway that is slow
// as a whole is no stall.
func (m *measurement) exceeds(bound time.Duration) bool {
	return quantile(m.control.sorted(), .5) > unavailableWithin || slices.ContainsFunc(m.clicks, func(d delay) bool {
		return d.took-m.control.stalled(d.due, d.took) > bound
	})
}

// String writes the measurement for the log.
func (m *measurement) String() string {
	clicks, control := m.clicks.sorted(), m.control.sorted()
	return fmt.Sprintf("%d redirects, %d refused, p50 %v, p99 %v, slowest %v; without Redis and storage p50 %v, "+
		"slowest %v", m.redirects, m.refused, quantile(clicks, .5), quantile(clicks, .99), quantile(clicks, 1),
		quantile(control, .5), quantile(control, 1))
}

// measure clicks from several clients for a while.
func measure(t *testing.T, address string, clients int, lasts time.Duration) *measurement {
	t.Helper()
	m := &measurement{}
	stop := watchControl(t, address)
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
				begun := time.Now()
				a, err := ask(context.WithoutCancel(ctx), c, http.MethodGet, address, nil)
				mu.Lock()
				switch {
				case err == nil && a.status == http.StatusFound:
					m.redirects++
				case err == nil && a.status == http.StatusServiceUnavailable && a.location == "":
					m.refused++
				default:
					t.Errorf("%d, %v", a.status, err)
				}
				m.clicks = append(m.clicks, delay{begun, time.Since(begun)})
				mu.Unlock()
			}
		})
	}
	clicking.Wait()
	m.control = stop()
	return m
}

// quantile returns a quantile of sorted durations, rounded.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(time.Millisecond)
}

// TestSlowRedis lets Redis' answers come later: clicks take as long, and where that
// is beyond redis.timeout they are refused in time, none by a redirect. A patient gateway
// has a longer timeout, so that a stall on top of the delay is not beyond it.
func TestSlowRedis(t *testing.T) {
	in, g, p := throughProxy(t)
	patient := in.start("KEYHOLE_REDIS_ADDRESSES=" + p.Addr)
	link := issue(t, g, api.IssueRequest{Pin: "none"})
	for _, by := range []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, 5 * time.Second} {
		p.Delay.Store(int64(by))
		beyond := by > 500*time.Millisecond
		address := link.URL
		if !beyond {
			address = strings.Replace(address, g.public, patient.public, 1)
		}
		m := measure(t, address, 32, 2*time.Second)
		t.Logf("slow by %v, 32 clients for 2 s: %v", by, m)
		switch {
		case m.clicks.sorted()[0] < min(by, 450*time.Millisecond):
			t.Errorf("slow by %v: one took %v", by, m.clicks.sorted()[0])
		case !beyond && (m.refused > 0 || m.redirects == 0), beyond && (m.redirects > 0 || m.exceeds(unavailableWithin)):
			t.Errorf("slow by %v: %v", by, m)
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
	m := measure(t, link.URL, 200, 3*time.Second)
	close(done)
	watching.Wait()
	t.Logf("200 clients: %v; %v goroutines, %v descriptors", m, goroutines, descriptors)
	if m.redirects > 0 || m.exceeds(unavailableWithin) {
		t.Errorf("beyond the bound: %v", m)
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
	in, g, p := throughProxy(t)
	link := issue(t, g, api.IssueRequest{Pin: "none"})
	place, err := net.Dial("tcp", in.redis.Addr) // which is the only one soon
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	in.redis.MustDo(t, "CONFIG", "SET", "maxclients", "1")
	p.HangUp()
	m := measure(t, link.URL, 32, 2*time.Second)
	t.Log(m)
	if m.redirects > 0 || m.refused == 0 || m.exceeds(unavailableWithin) {
		t.Errorf("beyond the bound: %v", m)
	}
	_ = place.Close()
	eventually(t, "a place to raise maxclients by", func() error {
		_, err := in.redis.Do("CONFIG", "SET", "maxclients", "10000")
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
			address, stopClock := redisWithClock(t, off)
			g := in.start("KEYHOLE_REDIS_ADDRESSES="+address, "KEYHOLE_REDIS_USERNAME=", "KEYHOLE_REDIS_PASSWORD_FILE=")
			begun := time.Now()
			link := issue(t, g, api.IssueRequest{ExpiresIn: "10s"})
			issued := time.Now()
			created, end := link.CreatedAt.Add(-off), link.ExpiresAt.Add(-off)
			if got := fetched(t, link.URL); got != "content" {
				t.Errorf("got %q", got)
			}
			var last, first time.Duration // after the link's end
			eventually(t, "the link to expire", func() error {
				before := time.Since(end)
				a := get(t, http.MethodGet, link.URL)
				switch a.status {
				case http.StatusFound:
					last = before
					return errors.New("it has not")
				case http.StatusServiceUnavailable: // A busy machine lets the stand-in for Redis wait.
					return errors.New("Redis did not answer in time")
				}
				// A URL must not outlive the link, so the gateway subtracts the time of the click.
				first = time.Since(end) + a.took
				return nil
			})
			slow := quantile(stopClock().sorted(), 1)
			t.Logf("Redis' clock off by %v: the last redirect of a link began %v after its end, the first refusal ended "+
				"%v after it; the clock was set up to %v late", off, last.Round(time.Millisecond), first.Round(time.Millisecond),
				slow.Round(time.Millisecond))
			if created.Before(begun.Add(-2*time.Second-slow)) || created.After(issued.Add(2*time.Second)) {
				t.Errorf("created %v after the request by Redis' time", created.Sub(begun))
			}
			// The last second has no whole second to sign for.
			if lived := link.ExpiresAt.Sub(link.CreatedAt); lived != 10*time.Second || last > slow ||
				first < -1100*time.Millisecond {
				t.Errorf("a link of %v: the last redirect began %v after its end, the first refusal ended %v after it", lived,
					last, first)
			}
		})
	}
}

// redisWithClock starts an in-process Redis with a clock that is off and goes on until it is
// stopped. stop returns how late the clock was set.
func redisWithClock(t *testing.T, off time.Duration) (address string, stop func() delays) {
	t.Helper()
	server, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	set := func() { server.SetTime(time.Now().Add(off)) }
	set()
	stop = watchDelays(set)
	t.Cleanup(func() {
		stop()
		server.Close()
	})
	return server.Addr(), stop
}

//go:build system

package system

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway/api"
)

// hostileRounds makes TestHostile measure: deploy/hostile sets it.
var hostileRounds = flag.Int("hostile", 0, //nolint:gochecknoglobals // a flag of the test binary
	"rounds in which TestHostile measures; 0: it attacks with fewer clients and measures no latency")

// hostileFor is how long clients are measured in one round, without and with an attack.
const hostileFor = 5 * time.Second

// hostileTarget is a gateway that is attacked.
type hostileTarget struct {
	g       *instance
	metrics string       // base URL
	link    string       // URL of a link that redirects
	page    string       // URL of a link with a page
	tls     *tls.Config  // nil: plain HTTP
	kept    *http.Client // clients that keep their connections
}

// hostileTargets starts a gateway with plain HTTP and one with TLS.
func hostileTargets(t *testing.T, env ...string) (plain, encrypted *hostileTarget) {
	t.Helper()
	env = append(env, "KEYHOLE_LOG_LEVEL=info")
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	ca := newAuthority(t)
	g := in.start(env...)
	plain = &hostileTarget{g: g, metrics: g.operator}
	g, apart := in.startWithTLS(ca, env...)
	encrypted = &hostileTarget{g: g, metrics: "http://" + apart, tls: &tls.Config{
		RootCAs: ca.roots, MinVersion: tls.VersionTLS12, ServerName: "localhost",
	}}
	link := issue(t, plain.g, api.IssueRequest{Pin: "none"})
	page := issue(t, plain.g, api.IssueRequest{Pin: "none", Confirm: true})
	for _, target := range []*hostileTarget{plain, encrypted} {
		base := target.g.public
		if target.tls != nil {
			base = "https" + base[4:]
		}
		target.link = strings.Replace(link.URL, plain.g.public, base, 1)
		target.page = strings.Replace(page.URL, plain.g.public, base, 1)
		target.kept = target.client(false)
		t.Cleanup(target.kept.CloseIdleConnections)
	}
	return plain, encrypted
}

// client returns a client from an address that no attack has.
func (target *hostileTarget) client(fresh bool) *http.Client {
	c := unfollowed()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.3.0.%d", 1+rand.IntN(200)))}}
	c.Transport = &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: target.tls, DisableKeepAlives: fresh, MaxIdleConnsPerHost: 64,
	}
	return c
}

// usage is what the process needs (the highest value of each series).
type usage struct{ memory, heap, goroutines, descriptors float64 }

// usage reads what the process needs now. The metrics say memory in bytes, usage in MiB.
func (target *hostileTarget) usage() (u usage, _ error) {
	answer, err := http.Get(target.metrics + "/metrics")
	if err != nil {
		return u, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, _ := strconv.ParseFloat(digits, 64) // Comments have no value.
		switch name {
		case "process_resident_memory_bytes":
			u.memory = value / (1 << 20)
		case "go_memstats_heap_inuse_bytes":
			u.heap = value / (1 << 20)
		case "go_goroutines":
			u.goroutines = value
		case "process_open_fds":
			u.descriptors = value
		}
	}
	return u, nil
}

// watch reads the usage several times in a second until the returned function is called, which
// returns the highest values, or until the test ends.
func (target *hostileTarget) watch(t *testing.T) func() usage {
	t.Helper()
	var most usage
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			u, err := target.usage()
			if err != nil {
				t.Errorf("metrics: %v", err)
			}
			most.memory, most.heap = max(most.memory, u.memory), max(most.heap, u.heap)
			most.goroutines = max(most.goroutines, u.goroutines)
			most.descriptors = max(most.descriptors, u.descriptors)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	stop := sync.OnceValue(func() usage {
		close(done)
		watching.Wait()
		return most
	})
	t.Cleanup(func() { stop() })
	return stop
}

// latencies are the times of clicks, sorted, on connections that are kept and on fresh ones.
type latencies struct {
	kept, fresh []time.Duration
	failed      []error
}

// clickFor clicks at a rate that does not depend on the answers, every fifth time on a
// connection of its own. A time counts from when the click was due.
func (target *hostileTarget) clickFor(t *testing.T, d time.Duration, rate float64) latencies {
	t.Helper()
	var (
		l        latencies
		mu       sync.Mutex
		clicking sync.WaitGroup
	)
	begun := time.Now()
	due := begun
	next := time.NewTimer(0)
	defer next.Stop()
	for i := 0; due.Sub(begun) < d; i++ {
		next.Reset(time.Until(due))
		<-next.C
		at, fresh := due, i%5 == 0
		clicking.Go(func() {
			c := target.kept
			if fresh {
				c = target.client(true)
			}
			a, err := ask(t.Context(), c, http.MethodGet, target.link, nil)
			took := time.Since(at)
			if err == nil && a.status != http.StatusFound {
				err = fmt.Errorf("answered %d", a.status)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				l.failed = append(l.failed, err)
			case fresh:
				l.fresh = append(l.fresh, took)
			default:
				l.kept = append(l.kept, took)
			}
		})
		due = due.Add(time.Duration(rand.ExpFloat64() / rate * float64(time.Second)))
	}
	clicking.Wait()
	slices.Sort(l.kept)
	slices.Sort(l.fresh)
	return l
}

// p99 returns the 99th percentile in milliseconds.
func p99(sorted []time.Duration) float64 {
	if len(sorted) == 0 {
		return math.Inf(1)
	}
	return sorted[(len(sorted)-1)*99/100].Seconds() * 1000
}

// awaitEnd waits until the connections of the attack before are closed.
func (target *hostileTarget) awaitEnd(t *testing.T) {
	t.Helper()
	eventually(t, "the end of the attack before", func() error {
		u, err := target.usage()
		if err == nil && (u.goroutines > 250 || u.descriptors > 250) {
			err = fmt.Errorf("%v goroutines, %v descriptors", u.goroutines, u.descriptors)
		}
		return err
	})
}

// hostileRound is one measurement, without and with an attack.
type hostileRound struct {
	quiet, loaded          latencies
	without, with          usage
	open                   float64 // connections of the attack
	opened, closed, stepsS float64 // in a second
}

// measure measures one round.
func (c *hostileCase) measure(t *testing.T, target *hostileTarget) (r hostileRound) {
	t.Helper()
	const clicks = 300 // a second
	target.awaitEnd(t)
	before := target.watch(t)
	r.quiet = target.clickFor(t, hostileFor, clicks)
	r.without = before()
	during := target.watch(t)
	a := c.start(t, target)
	c.awaitFull(a, time.Minute) // A slow machine measures a smaller attack; the table has its size.
	a.lowerPriority()
	from := a.now()
	r.loaded = target.clickFor(t, hostileFor, clicks)
	to, seconds := a.now(), hostileFor.Seconds()
	r.with = during()
	a.stop()
	r.open = float64(to.Open)
	r.opened = float64(to.Opened-from.Opened) / seconds
	r.closed = float64(to.Closed-from.Closed) / seconds
	r.stepsS = float64(to.Steps-from.Steps) / seconds
	return r
}

// hostileHeader is the head of the table that TestHostile prints.
const hostileHeader = `| attack | connections, addresses | p99 on kept connections, ms | with the attack | ratio |` +
	` p99 on new connections, ms | with the attack | ratio | clicks not answered | memory, MiB | goroutines |` +
	` descriptors | connections of the attack: open | opened/s | steps/s |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- | --- | ---: | ---: | ---: |`

// row returns the row of the table: medians of the rounds, and the highest need.
func (c *hostileCase) row(rounds []hostileRound) string {
	middle := func(of func(r *hostileRound) float64) float64 {
		all := make([]float64, len(rounds))
		for i := range rounds {
			all[i] = of(&rounds[i])
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	kept := func(r *hostileRound) float64 { return p99(r.loaded.kept) / p99(r.quiet.kept) }
	fresh := func(r *hostileRound) float64 { return p99(r.loaded.fresh) / p99(r.quiet.fresh) }
	failed, sent := 0, 0
	for i := range rounds {
		failed += len(rounds[i].loaded.failed)
		sent += len(rounds[i].loaded.failed) + len(rounds[i].loaded.kept) + len(rounds[i].loaded.fresh)
	}
	return fmt.Sprintf("| %s | %d, %d | %.1f | %.1f | %.2f | %.1f | %.1f | %.2f | %d of %d | %.0f, %.0f | %.0f, %.0f | "+
		"%.0f, %.0f | %.0f | %.0f | %.0f |",
		c.attack, c.connections, c.addresses,
		middle(func(r *hostileRound) float64 { return p99(r.quiet.kept) }),
		middle(func(r *hostileRound) float64 { return p99(r.loaded.kept) }), middle(kept),
		middle(func(r *hostileRound) float64 { return p99(r.quiet.fresh) }),
		middle(func(r *hostileRound) float64 { return p99(r.loaded.fresh) }), middle(fresh), failed, sent,
		middle(func(r *hostileRound) float64 { return r.without.memory }),
		middle(func(r *hostileRound) float64 { return r.with.memory }),
		middle(func(r *hostileRound) float64 { return r.without.goroutines }),
		middle(func(r *hostileRound) float64 { return r.with.goroutines }),
		middle(func(r *hostileRound) float64 { return r.without.descriptors }),
		middle(func(r *hostileRound) float64 { return r.with.descriptors }),
		middle(func(r *hostileRound) float64 { return r.open }),
		middle(func(r *hostileRound) float64 { return r.opened }),
		middle(func(r *hostileRound) float64 { return r.stepsS }))
}

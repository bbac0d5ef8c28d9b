//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostileCase is an attack and its size.
type hostileCase struct {
	attack                 string
	connections, addresses int
	rate                   float64 // steps in a second; 0: as the attack paces itself
	page                   bool    // it requests a page
	// steps is how many steps bring the attack to its full size, beside its connections.
	steps int64
	// ends says that the service closes connections of the attack while it runs.
	ends bool
}

// measuredCases are the attacks that deploy/hostile measures. The rates leave processor time:
// at a rate that uses all of it, everybody waits for the processor.
func measuredCases() []hostileCase {
	return []hostileCase{
		{attack: "slow header", connections: 10_000, addresses: 100},
		{attack: "slow header", connections: 10_000, addresses: 1},
		{attack: "slow body", connections: 10_000, addresses: 100},
		{attack: "idle", connections: 10_000, addresses: 100},
		{attack: "silent", connections: 10_000, addresses: 100},
		{attack: "slow read", connections: 1000, addresses: 10, rate: 2000, page: true, steps: 16_000},
		{attack: "tls slow handshake", connections: 10_000, addresses: 100},
		{attack: "tls slow header", connections: 10_000, addresses: 100},
		{attack: "h2 reset", connections: 100, addresses: 10, rate: 5_000},
		{attack: "h2 continuation", connections: 100, addresses: 10, rate: 5_000},
		{attack: "h2 empty continuation", connections: 100, addresses: 10, rate: 20_000},
		{attack: "h2 settings", connections: 100, addresses: 10, rate: 20_000},
		{attack: "h2 ping", connections: 100, addresses: 10, rate: 20_000},
		{attack: "h2 unread ping", connections: 100, addresses: 1, rate: 100_000, steps: 1_000_000},
		{attack: "h2 window 0", connections: 100, addresses: 1, rate: 2_000, page: true, steps: 10_000},
		{attack: "h2 header bomb", connections: 100, addresses: 10, rate: 500},
		{attack: "h2 long frame", connections: 1000, addresses: 2},
	}
}

// testedCases are the same attacks with a size for a test, against a service that accepts
// 200 connections, 20 from one address.
func testedCases() []hostileCase {
	return []hostileCase{
		{attack: "slow header", connections: 300, addresses: 12, ends: true},
		{attack: "slow header", connections: 300, addresses: 1, ends: true},
		{attack: "slow body", connections: 300, addresses: 12, ends: true},
		{attack: "silent", connections: 300, addresses: 12, ends: true},
		{attack: "slow read", connections: 50, addresses: 10, rate: 1000, page: true, steps: 800},
		{attack: "tls slow handshake", connections: 300, addresses: 12, ends: true},
		{attack: "h2 reset", connections: 20, addresses: 5, rate: 4000, steps: 4000},
		{attack: "h2 continuation", connections: 20, addresses: 5, rate: 2000, steps: 2000, ends: true},
		{attack: "h2 unread ping", connections: 20, addresses: 2, rate: 40_000, steps: 40_000},
		{attack: "h2 window 0", connections: 20, addresses: 1, rate: 1000, page: true, steps: 1000},
		{attack: "h2 header bomb", connections: 20, addresses: 5, rate: 200, steps: 200},
		{attack: "h2 long frame", connections: 20, addresses: 5, ends: true},
	}
}

// encrypted tells whether the attack needs TLS.
func (c *hostileCase) encrypted() bool {
	return strings.HasPrefix(c.attack, "h2") || strings.HasPrefix(c.attack, "tls")
}

// start starts the attack on a target.
func (c *hostileCase) start(t *testing.T, target *hostileTarget) *attack {
	t.Helper()
	from := target.link
	if c.page {
		from = target.page
	}
	return startAttack(t, attackPlan{
		Attack: c.attack, Target: strings.TrimPrefix(target.g.public, "http://"),
		Path:        from[strings.LastIndexByte(from, '/'):],
		Connections: c.connections, Addresses: c.addresses, Rate: c.rate,
	})
}

// awaitFull waits until the attack has its full size, and tells whether it has.
func (c *hostileCase) awaitFull(a *attack, within time.Duration) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-tick.C {
		if now := a.now(); now.Opened >= int64(c.connections) && now.Steps >= c.steps {
			return true
		}
	}
	return false
}

// TestHostile attacks the service with slow clients and with floods of frames. Meanwhile, all
// clicks of other clients are answered, and the service needs a bounded number of
// goroutines and descriptors and a bounded amount of memory. deploy/hostile lets it measure
// the time of these clicks. It is not parallel, because floods load both processors.
func TestHostile(t *testing.T) {
	if *hostileRounds > 0 {
		plain, encrypted := hostileTargets(t)
		fmt.Println(hostileHeader)
		for _, c := range measuredCases() {
			t.Run(fmt.Sprintf("%s from %d", c.attack, c.addresses), func(t *testing.T) {
				rounds := make([]hostileRound, *hostileRounds)
				for i := range rounds {
					rounds[i] = c.measure(t, map[bool]*hostileTarget{false: plain, true: encrypted}[c.encrypted()])
				}
				fmt.Println(c.row(rounds))
			})
		}
		return
	}
	plain, encrypted := hostileTargets(t, "KEYHOLE_PUBLIC_MAX_CONNECTIONS=200")
	for _, c := range testedCases() {
		t.Run(fmt.Sprintf("%s from %d", c.attack, c.addresses), func(t *testing.T) {
			c.test(t, map[bool]*hostileTarget{false: plain, true: encrypted}[c.encrypted()])
		})
	}
}

// test attacks with a bounded size.
func (c *hostileCase) test(t *testing.T, target *hostileTarget) {
	t.Helper()
	most := target.watch(t)
	a := c.start(t, target)
	if !c.awaitFull(a, time.Minute) {
		t.Errorf("the attack does not reach its size: %+v", a.now())
	}
	for range 10 {
		for _, client := range []*http.Client{target.kept, target.client(true)} {
			answer, err := ask(t.Context(), client, http.MethodGet, target.link, nil)
			if err != nil || answer.status != http.StatusFound {
				t.Errorf("another client: %d, %v", answer.status, err)
			}
		}
	}
	if c.ends {
		eventually(t, "the service to close a connection of the attack", func() error {
			if now := a.now(); now.Closed == 0 {
				return fmt.Errorf("%+v", now)
			}
			return nil
		})
	}
	u := most()
	a.stop()
	// A handler and the reader of its connection are two goroutines, and a connection is one
	// descriptor, or two if its click asks the storage.
	if u.goroutines > 800 || u.descriptors > 300 || u.memory > 300 || u.heap > 200 {
		t.Errorf("the service needs %+v", u)
	}
	t.Logf("the service needs %+v beside %+v", u, a.now())
	target.awaitEnd(t)
}

// More connections than descriptors, to every listener: recipients and operators from other
// addresses are answered, and the service recovers.
func TestMoreConnectionsThanDescriptors(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	in.program = filepath.Join(t.TempDir(), "keyhole")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n 256\nexec %s \"$@\"\n", binary)
	if err := os.WriteFile(in.program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	metrics := freeAddress(t)
	g := in.launch("KEYHOLE_METRICS_LISTEN="+metrics, "KEYHOLE_LOG_LEVEL=info")
	target := &hostileTarget{g: g, metrics: "http://" + metrics}
	c := unfollowed()
	defer c.CloseIdleConnections()
	c.Timeout = 10 * time.Second
	status := func(address string, want int) error {
		a, err := ask(t.Context(), c, http.MethodGet, address, nil)
		if err == nil && a.status != want {
			err = fmt.Errorf("%s: %d, want %d", address, a.status, want)
		}
		return err
	}
	eventually(t, "the service to be ready", func() error { return status(target.metrics+"/readyz", http.StatusOK) })
	link := share(t, g)
	for _, base := range []string{g.operator, target.metrics, g.public} {
		for i := range 300 {
			stallFrom(t, fmt.Sprintf("127.0.1.%d", 1+i%30), base, "GET /x HTTP/1.1\r\nHost")
		}
	}
	for range 20 {
		c.CloseIdleConnections() // Each request has a connection of its own.
		if err := errors.Join(status(link.URL, http.StatusFound), status(target.metrics+"/livez", http.StatusOK),
			status(g.operator+"/api/v1/links", http.StatusUnauthorized)); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := target.usage(); err != nil || u.descriptors > 200 {
		t.Errorf("%+v, %v", u, err)
	}
}

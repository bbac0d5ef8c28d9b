package redisstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// testActive counts live links after issue, revocation and expiry, with the same result
// from two gateways.
func testActive(t *testing.T, g target) {
	t.Helper()
	prefix := newPrefix()
	one, two := open(t, g.client, withPrefix(prefix)), open(t, g.client, withPrefix(prefix))
	active := func(want int64) {
		t.Helper()
		for _, s := range []*redisstore.Store{one, two, one} {
			got, err := s.Active(t.Context())
			if err != nil {
				t.Fatalf("count: %v", err)
			}
			if got != want {
				t.Errorf("%d links are live, not %d", got, want)
			}
		}
	}
	active(0)
	var ids []gateway.ID
	for i := range 20 {
		ids = append(ids, create(t, one, newLink(t), time.Duration(1+i%3)*time.Hour).ID)
	}
	active(20)
	for _, id := range append(ids[:3:3], ids[0]) {
		if _, _, err := two.Revoke(t.Context(), id, "", operator()); err != nil {
			t.Fatalf("revoke: %v", err)
		}
	}
	active(17)
	dropped, err := one.Dropped(t.Context())
	if err != nil || dropped != 0 {
		t.Errorf("dropped %d events, %v", dropped, err)
	}
	usage, err := one.AuditUsage(t.Context())
	if err != nil || len(usage) != 3 {
		t.Fatalf("usage of the audit: %+v, %v", usage, err)
	}
	if operations := usage[2]; operations.Kind != redisstore.AuditOperations || operations.Events < 23 {
		t.Errorf("the audit has %+v after 20 issues and 3 revocations", operations)
	}
}

func testReady(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	info, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatalf("inspect: %v", err)
	}
	equal(t, "role", info.Role, "master")
	equal(t, "policy", info.Policy, "noeviction")
	if major := info.Version[0]; major < '7' || major > '9' {
		t.Errorf("version %s", info.Version)
	}
}

// calls records the calls that a store reported.
type calls struct {
	mu   sync.Mutex
	seen []string
}

func (c *calls) observe(call, result string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if took < 0 || !slices.Contains(redisstore.Calls(), call) || !slices.Contains(redisstore.Results(), result) {
		call = "unlisted " + call
	}
	c.seen = append(c.seen, call+" "+result)
}

// TestObserve expects every call to be reported with its result.
func TestObserve(t *testing.T) {
	node := redistest.StartSingle(t)
	var seen calls
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), func(o *redisstore.Options) { o.Observe = seen.observe })
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET")
	_, _ = s.Get(t.Context(), newID(t))
	_, _ = s.List(t.Context(), gateway.ListQuery{Cursor: "forged"})
	_, _ = s.Active(t.Context())
	node.Kill(t)
	_, _ = s.Get(t.Context(), link.ID)
	equal(t, "calls", seen.seen, []string{"create ok", "admit ok", "get ok", "list ok", "active ok", "get unavailable"})
}

// TestEvicting makes a running Redis evict keys: the store is not ready and refuses every
// click, but revocations work.
func TestEvicting(t *testing.T) {
	node := redistest.StartSingle(t, "maxmemory 100mb")
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	link := create(t, s, newLink(t))
	ticks := make(chan time.Time)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(t.Context(), ticks)
	}()
	clicks := func() error {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
		return err
	}
	ticks <- time.Time{}
	if err := clicks(); err != nil {
		t.Fatalf("click: %v", err)
	}
	node.MustDo(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	ticks <- time.Time{}
	pollTicking(t, ticks, func() bool { return errors.Is(clicks(), redisstore.ErrEvicting) })
	unavailable(t, "click while evicting", clicks())
	_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
	unavailable(t, "create while evicting", err)
	if err := s.Ready(t.Context()); !errors.Is(err, redisstore.ErrEvicting) || !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("ready: %v, want ErrEvicting and ErrUnavailable", err)
	}
	if _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); err != nil {
		t.Errorf("revoke while evicting: %v", err)
	}
	node.MustDo(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	ticks <- time.Time{}
	pollTicking(t, ticks, func() bool { return clicks() == nil })
}

// pollTicking is like poll, and sends further ticks: a probe that comes too late on a slow
// machine changes nothing.
func pollTicking(t *testing.T, ticks chan<- time.Time, done func() bool) {
	t.Helper()
	poll(t, pollLimit, func() bool {
		select {
		case ticks <- time.Time{}:
		default:
		}
		return done()
	})
}

// TestNotMaster connects to a replica.
func TestNotMaster(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	s := open(t, clientOptions(redisstore.ModeSingle, g.Servers[1].Addr))
	if err := s.Ready(t.Context()); !errors.Is(err, redisstore.ErrNotMaster) {
		t.Errorf("ready: %v, want ErrNotMaster", err)
	}
	_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
	unavailable(t, "create", err)
	master := open(t, clientOptions(redisstore.ModeSingle, g.Servers[0].Addr), withPrefix("keyhole"))
	link := create(t, master, newLink(t))
	redistest.Wait(t, "the replica to have the link", func() error {
		n, err := g.Servers[1].Do("EXISTS", keyOf("l", link.ID))
		if err == nil && n != "1" {
			err = fmt.Errorf("EXISTS %s", n)
		}
		return err
	})
	replica := open(t, clientOptions(redisstore.ModeSingle, g.Servers[1].Addr), withPrefix("keyhole"))
	for _, method := range []string{"GET", "HEAD", "POST"} {
		_, err := replica.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
		unavailable(t, method, err)
	}
}

// TestLostReplicas connects to a master that must have a replica and has none: it refuses
// every click, including HEAD, and every change.
func TestLostReplicas(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	link := create(t, s, newLink(t))
	ended := create(t, s, newLink(t))
	confirmed := restrict(t, s, limited(t, 5))
	spend(t, s, confirmed.ID, "page")
	if _, _, err := s.Revoke(t.Context(), ended.ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	refusesConfirmed(t, s, confirmed.ID)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
		unavailable(t, method, err)
	}
	_, _, err := s.Revoke(t.Context(), link.ID, "", operator())
	unavailable(t, "revoke", err)
	_, _, err = s.Revoke(t.Context(), ended.ID, "", operator())
	unavailable(t, "a repeated revoke", err)
	_, err = s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{}, operator())
	unavailable(t, "revoke all", err)
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	equal(t, "clicks", get(t, s, link.ID).Clicks, 0)
	equal(t, "clicks spent", get(t, s, confirmed.ID).Clicks, 1)
}

// refusesConfirmed fails the test unless every operation of a recipient on a link that
// needs confirmation, and a change by an operator, is unavailable.
func refusesConfirmed(t *testing.T, s *redisstore.Store, id gateway.ID) {
	t.Helper()
	for what, a := range map[string]gateway.Attempt{
		"the page": {Method: "GET", Page: true}, "its head": {Method: "HEAD", Page: true},
		"no page": {Method: "GET"}, "a grant": {Method: "GET", Grant: "one"}, "a form": {Method: "POST"},
	} {
		a.ID = id
		_, err := s.Admit(t.Context(), a)
		unavailable(t, what, err)
	}
	for what, nonce := range map[string]string{"a spend": "", "the page again": "page"} {
		_, err := post(t, s, id, nonce)
		unavailable(t, what, err)
	}
	_, err := s.Change(t.Context(), id, gateway.Change{Note: new("n")}, operator())
	unavailable(t, "change", err)
	_, err = s.Change(t.Context(), id, gateway.Change{}, operator())
	unavailable(t, "a change of nothing", err)
}

// TestDiskFull uses a Redis that cannot save and takes no writes: clicks, issues and
// changes are refused as a whole, and a revocation is not acknowledged.
func TestDiskFull(t *testing.T) {
	node := redistest.StartSingle(t, `save "3600 1"`, "dbfilename taken")
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	link, confirmed := create(t, s, newLink(t)), restrict(t, s, limited(t, 5))
	spend(t, s, confirmed.ID, "page")
	// A directory in place of the snapshot: Redis can write the new file, but not rename it.
	dir := strings.TrimPrefix(node.MustDo(t, "CONFIG", "GET", "dir"), "dir\n")
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	node.MustDo(t, "BGSAVE")
	redistest.Wait(t, "the snapshot to fail", func() error {
		if info := node.MustDo(t, "INFO", "persistence"); !strings.Contains(info, "rdb_last_bgsave_status:err") {
			return errors.New("not yet")
		}
		return nil
	})
	for _, method := range []string{"GET", "HEAD", "POST"} {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
		unavailable(t, method, err)
	}
	refusesConfirmed(t, s, confirmed.ID)
	_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
	unavailable(t, "create", err)
	if _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); err == nil {
		equal(t, "after an acknowledged revocation", get(t, s, link.ID).State, gateway.StateRevoked)
	} else {
		unavailable(t, "revoke", err)
	}
	unavailable(t, "ready", s.Ready(t.Context()))
	if err := os.Remove(filepath.Join(dir, "taken")); err != nil {
		t.Fatal(err)
	}
	node.MustDo(t, "BGSAVE")
	redistest.Wait(t, "redis to be ready", func() error { return s.Ready(t.Context()) })
	equal(t, "clicks spent", get(t, s, confirmed.ID).Clicks, 1)
}

// TestFullMemory uses a Redis without free memory: clicks and issues are refused as a
// whole, a revocation works.
func TestFullMemory(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET")
	confirmed := restrict(t, s, limited(t, 5))
	spend(t, s, confirmed.ID, "page")
	node.MustDo(t, "CONFIG", "SET", "maxmemory", "1")
	refusesConfirmed(t, s, confirmed.ID)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
		unavailable(t, method, err)
	}
	fresh := newLink(t)
	_, err := s.Create(t.Context(), fresh, gateway.Secrets{}, time.Hour, operator())
	unavailable(t, "create", err)
	revoked, _, err := s.Revoke(t.Context(), link.ID, "", operator())
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	equal(t, "state", revoked.State, gateway.StateRevoked)
	equal(t, "clicks", revoked.Clicks, 1)
	bulk, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{}, operator())
	if err != nil || bulk.Revoked != 1 {
		t.Errorf("revoke all: %+v, %v", bulk, err)
	}
	if n, err := s.Active(t.Context()); err != nil || n != 0 {
		t.Errorf("%d links are live, %v", n, err)
	}
	node.MustDo(t, "CONFIG", "SET", "maxmemory", "0")
	equal(t, "clicks spent", get(t, s, confirmed.ID).Clicks, 1)
	if _, err := s.Get(t.Context(), fresh.ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("get what was refused: %v, want ErrNotFound", err)
	}
	equal(t, "events", len(events(t, s, link.ID, 10)), 3)
}

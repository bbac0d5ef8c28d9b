package redisstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestSlow delays every reply by 200 ms: a store that starts then is ready within a
// timeout of 500 ms and serves clicks.
func TestSlow(t *testing.T) {
	const delay, within = 200 * time.Millisecond, 500 * time.Millisecond
	node := redistest.StartSingle(t)
	p := redistest.StartProxy(t, node.Addr)
	o := clientOptions(redisstore.ModeSingle, p.Addr)
	o.Timeout = within
	p.Delay.Store(int64(delay))
	if err := open(t, o).Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if err := open(t, o).Prepare(t.Context()); err != nil {
		t.Errorf("prepare: %v", err)
	}
	prefix := newPrefix()
	link := create(t, open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix)), newLink(t))
	s := open(t, o, withPrefix(prefix))
	equal(t, "the first click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	start := time.Now()
	equal(t, "the second", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	if took := time.Since(start); took < delay || took >= 2*delay {
		t.Errorf("the second click took %v, not one round trip of %v", took, delay)
	}
}

// TestReadyWrites removes the replicas that a master must have: readiness notices it,
// whether the store was prepared or not.
func TestReadyWrites(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("ready: %v", err)
	}
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	unavailable(t, "ready", s.Ready(t.Context()))
	node.MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready again: %v", err)
	}
}

// TestNotProbed serves the first click of a store only after a probe, even if Redis was
// unavailable at first.
func TestNotProbed(t *testing.T) {
	for name, test := range map[string]struct {
		version, policy string
		want            error
	}{
		"in order": {"7.2.0", "noeviction", nil},
		"evicting": {"7.2.0", "volatile-ttl", redisstore.ErrEvicting},
		"too old":  {"6.2.0", "noeviction", redisstore.ErrVersion},
	} {
		t.Run(name, func(t *testing.T) {
			m := redistest.StartMini(t)
			o := clientOptions(redisstore.ModeSingle, m.Addr())
			prefix := newPrefix()
			link := create(t, open(t, o, withPrefix(prefix)), newLink(t))
			s := open(t, o, withPrefix(prefix))
			click := func() error {
				_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
				return err
			}
			is := func(what string, err, want error) {
				t.Helper()
				if !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
			m.SetError("LOADING Redis is loading the dataset in memory")
			is("click while away", click(), gateway.ErrUnavailable)
			m.SetError("")
			redistest.Describe(m, test.version, test.policy)
			// A prepared store is not probed yet.
			is("prepare", s.Prepare(t.Context()), nil)
			is("click", click(), test.want)
			is("click again", click(), test.want)
			_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
			is("create", err, test.want)
			_, _, err = s.Revoke(t.Context(), link.ID, "", operator())
			is("revoke", err, nil)
			redistest.Describe(m, "7.0.0", "noeviction")
			is("ready", s.Ready(t.Context()), nil)
			is("click when ready", click(), nil)
		})
	}
}

// TestOneFirstProbe lets many clicks arrive before the first probe, while Redis does not
// answer: they share one probe, and each is refused in time.
func TestOneFirstProbe(t *testing.T) {
	const clicks = 50
	node := redistest.StartSingle(t)
	p := redistest.StartProxy(t, node.Addr)
	p.Silent.Store(true)
	o := clientOptions(redisstore.ModeSingle, p.Addr)
	s := open(t, o)
	var slowest atomic.Int64
	var clicking sync.WaitGroup
	for range clicks {
		clicking.Go(func() {
			begun := time.Now()
			_, err := s.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"})
			unavailable(t, "click", err)
			slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
		})
	}
	clicking.Wait()
	if took := time.Duration(slowest.Load()); took > o.Timeout+grace {
		t.Errorf("the slowest refusal took %v, want %v at most", took, o.Timeout+grace)
	}
	// go-redis may dial again after a connection that did not answer.
	if opened := p.Opened.Load(); opened > 2 {
		t.Errorf("%d connections were opened for the first look of %d clicks", opened, clicks)
	}
	p.Silent.Store(false)
	p.HangUp()
	poll(t, 2*o.Timeout, func() bool {
		miss, err := s.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"})
		return err == nil && miss.Outcome == gateway.OutcomeNotFound
	})
}

// TestEvictingBesideAsleep lets one master of a cluster evict while another does not
// answer: the eviction decides.
func TestEvictingBesideAsleep(t *testing.T) {
	g := startCluster(t)
	o := g.client
	o.Timeout = time.Second // go-redis may ask the paused node for the topology first.
	s := open(t, o)
	if err := s.Ready(t.Context()); err != nil {
		t.Fatalf("ready: %v", err)
	}
	g.nodes[0].MustDo(t, "CONFIG", "SET", "maxmemory", "100mb")
	g.nodes[0].MustDo(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	g.nodes[1].Pause(t)
	defer g.nodes[1].Resume(t)
	if err := s.Ready(t.Context()); !errors.Is(err, redisstore.ErrEvicting) {
		t.Errorf("ready: %v, want ErrEvicting", err)
	}
	if _, err := s.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"}); !errors.Is(err,
		redisstore.ErrEvicting) {
		t.Errorf("click: %v, want ErrEvicting", err)
	}
}

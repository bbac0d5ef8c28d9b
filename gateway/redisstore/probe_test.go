package redisstore_test

import (
	"errors"
	"fmt"
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
	inTime(t, "ready", func() error { return open(t, o).Ready(t.Context()) })
	inTime(t, "prepare", func() error { return open(t, o).Prepare(t.Context()) })
	prefix := newPrefix()
	link := create(t, open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix)), newLink(t))
	click := func(s *redisstore.Store) error {
		a, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
		if err == nil {
			equal(t, "a click", a.Outcome, gateway.OutcomeRedirected)
		}
		return err
	}
	inTime(t, "two clicks", func() error {
		s := open(t, o, withPrefix(prefix))
		if err := click(s); err != nil {
			return fmt.Errorf("the first: %w", err)
		}
		start := time.Now()
		if err := click(s); err != nil {
			return fmt.Errorf("the second: %w", err)
		}
		if took := time.Since(start); took < delay {
			t.Errorf("the second click took %v, less than a round trip of %v", took, delay)
		}
		return late(start, 2*delay)
	})
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
	var p *redistest.Proxy
	var s *redisstore.Store
	inTime(t, "the first clicks", func() error {
		p = redistest.StartProxy(t, node.Addr)
		p.Silent.Store(true)
		o := clientOptions(redisstore.ModeSingle, p.Addr)
		o.Timeout = 2 * time.Second
		s = open(t, o)
		refusals := make(chan error, clicks)
		for range clicks {
			go func() {
				begun := time.Now()
				_, err := s.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"})
				unavailable(t, "click", err)
				refusals <- late(begun, o.Timeout+grace)
			}()
		}
		var all error
		for range clicks {
			all = errors.Join(all, <-refusals)
		}
		// go-redis may dial again after a connection that did not answer.
		if opened := p.Opened.Load(); opened > 2 {
			all = errors.Join(all, fmt.Errorf("%d connections were opened for the first look of %d clicks", opened, clicks))
		}
		return all
	})
	p.Silent.Store(false)
	p.HangUp()
	poll(t, pollLimit, func() bool {
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
	redistest.Wait(t, "readiness", func() error { return s.Ready(t.Context()) })
	g.nodes[0].MustDo(t, "CONFIG", "SET", "maxmemory", "100mb")
	g.nodes[0].MustDo(t, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
	g.nodes[1].Pause(t)
	defer g.nodes[1].Resume(t)
	inTime(t, "ready, want ErrEvicting", func() error {
		if err := s.Ready(t.Context()); !errors.Is(err, redisstore.ErrEvicting) {
			return errors.Join(errors.New("not ErrEvicting"), err)
		}
		return nil
	})
	if _, err := s.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"}); !errors.Is(err,
		redisstore.ErrEvicting) {
		t.Errorf("click: %v, want ErrEvicting", err)
	}
}

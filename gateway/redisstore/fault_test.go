package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// brief is the redis.timeout of calls that time out in tests. The rest of a test uses a store
// with timeout.
const brief = 300 * time.Millisecond

// grace is how long an answer may take beyond the timeout.
const grace = 200 * time.Millisecond

// briefly opens a store over o with a short timeout, and a connection for clicks on a link.
func briefly(t *testing.T, o redisstore.ClientOptions, prefix string, id gateway.ID) *redisstore.Store {
	t.Helper()
	o.Timeout = brief
	s := open(t, o, withPrefix(prefix))
	redistest.Wait(t, "a store with a short timeout", func() error {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: id, Method: "HEAD"})
		return errors.Join(err, s.Ready(t.Context()))
	})
	return s
}

// refusedInTime fails the test unless a click ends with ErrUnavailable, and returns an error
// if that takes longer than limit.
func refusedInTime(t *testing.T, s *redisstore.Store, id gateway.ID, limit time.Duration) error {
	t.Helper()
	begun := time.Now()
	_, err := s.Admit(t.Context(), gateway.Attempt{ID: id, Method: "GET"})
	unavailable(t, "admit", err)
	return late(begun, limit)
}

// everyCall makes every call of a Store, all at the same time, and fails the test for a call
// that does not end with ErrUnavailable in time.
func everyCall(t *testing.T, s *redisstore.Store, id gateway.ID) {
	t.Helper()
	attempt, link := gateway.Attempt{ID: id, Method: "GET"}, newLink(t)
	var calling sync.WaitGroup
	for name, call := range map[string]func(ctx context.Context) error{
		"admit": func(ctx context.Context) error { _, err := s.Admit(ctx, attempt); return err },
		"note": func(ctx context.Context) error {
			return s.RecordEvent(ctx, attempt, gateway.EventFailed, gateway.OutcomeUnavailable)
		},
		"create": func(ctx context.Context) error {
			_, err := s.Create(ctx, link, gateway.Secrets{}, time.Hour, operator())
			return err
		},
		"spend": func(ctx context.Context) error {
			_, err := s.Spend(ctx, attempt, gateway.Spending{Window: window})
			return err
		},
		"try": func(ctx context.Context) error { _, err := s.ReserveAttempt(ctx, id, "somebody"); return err },
		"untry": func(ctx context.Context) error {
			return s.ReleaseAttempt(ctx, id, gateway.PassphraseAttempt{Reserved: "x"})
		},
		"change": func(ctx context.Context) error {
			_, err := s.Change(ctx, id, gateway.Change{Note: new("n")}, operator())
			return err
		},
		"revoke all": func(ctx context.Context) error {
			_, err := s.RevokeAll(ctx, gateway.ListQuery{}, gateway.BulkOptions{}, operator())
			return err
		},
		"erase": func(ctx context.Context) error {
			_, err := s.Erase(ctx, gateway.Erasure{Addresses: []string{"192.0.2.1"}}, operator())
			return err
		},
		"audit":   func(ctx context.Context) error { _, err := s.Audit(ctx, gateway.AuditQuery{Limit: 5}); return err },
		"daily":   func(ctx context.Context) error { _, err := s.DailyKey(ctx, "2026-11-01"); return err },
		"get":     func(ctx context.Context) error { _, err := s.Get(ctx, id); return err },
		"list":    func(ctx context.Context) error { _, err := s.List(ctx, gateway.ListQuery{Limit: 5}); return err },
		"revoke":  func(ctx context.Context) error { _, _, err := s.Revoke(ctx, id, "", operator()); return err },
		"events":  func(ctx context.Context) error { _, err := s.Events(ctx, id, "", 5); return err },
		"active":  func(ctx context.Context) error { _, err := s.Active(ctx); return err },
		"dropped": func(ctx context.Context) error { _, err := s.Dropped(ctx); return err },
		"usage":   func(ctx context.Context) error { _, err := s.AuditUsage(ctx); return err },
		"ready":   s.Ready,
		"inspect": func(ctx context.Context) error { _, err := s.Inspect(ctx); return err },
	} {
		calling.Go(func() {
			inTime(t, name, func() error {
				begun := time.Now()
				unavailable(t, name, call(t.Context()))
				return late(begun, brief+grace)
			})
		})
	}
	calling.Wait()
}

// TestKilled kills Redis: every call fails in time, and works again when Redis is back.
func TestKilled(t *testing.T) {
	node := redistest.StartSingle(t, "appendfsync always")
	o := clientOptions(redisstore.ModeSingle, node.Addr)
	s := open(t, o, withPrefix("keyhole"))
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET")
	hasty := briefly(t, o, "keyhole", link.ID)
	node.Kill(t)
	everyCall(t, hasty, link.ID)
	// A refused connection fails at once: no call waits for the timeout.
	inTime(t, "a refused connection", func() error { return refusedInTime(t, hasty, link.ID, brief/2) })
	o.Timeout = brief
	everyCall(t, open(t, o), link.ID) // A gateway that starts during the outage.
	node.Start(t)
	// After many refused connections go-redis dials once a second.
	for _, s := range []*redisstore.Store{hasty, s} {
		redistest.Wait(t, "redis to be ready", func() error { return s.Ready(t.Context()) })
	}
	redistest.Wait(t, "a click", func() error {
		_, err := hasty.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "HEAD"})
		return err
	})
	equal(t, "click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	equal(t, "clicks", get(t, s, link.ID).Clicks, 2)
	if _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	node.Kill(t)
	node.Start(t)
	redistest.Wait(t, "redis to be ready", func() error { return s.Ready(t.Context()) })
	equal(t, "click on the revoked", admit(t, s, link.ID, "GET"), gateway.OutcomeRevoked)
}

// TestAsleep pauses every server: clicks return in time, are not sent twice, and leave no
// goroutine behind. A click that was sent is executed once, later.
func TestAsleep(t *testing.T) {
	for name, start := range targets() {
		if name == "miniredis" {
			continue // miniredis cannot be paused without the test.
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, prefix := start(t), newPrefix()
			s := open(t, g.client, withPrefix(prefix))
			link := create(t, s, newLink(t))
			admit(t, s, link.ID, "GET")
			for _, node := range g.nodes {
				defer node.Resume(t) // Even if the test fails.
			}
			inTime(t, "a click on paused servers", func() error {
				hasty := briefly(t, g.client, prefix, link.ID) // Its connection serves one such click.
				clicks := get(t, s, link.ID).Clicks
				for _, node := range g.nodes {
					node.Pause(t)
				}
				err := refusedInTime(t, hasty, link.ID, brief+grace)
				for _, node := range g.nodes {
					node.Resume(t)
				}
				return errors.Join(err, reaches(t, s, link.ID, clicks+1))
			})
		})
	}
}

// reaches waits until a link has a number of clicks, and returns an error if it has fewer
// after 5 s: a machine that stops can keep a click from being sent. More clicks fail the test.
func reaches(t *testing.T, s *redisstore.Store, id gateway.ID, want int64) error {
	t.Helper()
	got := get(t, s, id).Clicks
	for begun := time.Now(); got < want && late(begun, 5*time.Second) == nil; {
		got = get(t, s, id).Clicks
	}
	if got < want {
		return fmt.Errorf("the link has %d clicks, want %d", got, want)
	}
	equal(t, "clicks", got, want)
	return nil
}

// TestAsleepAll makes every call to a paused server, and many clicks at the same time:
// the number of goroutines stays bounded.
func TestAsleepAll(t *testing.T) {
	node := redistest.StartSingle(t)
	o, prefix := clientOptions(redisstore.ModeSingle, node.Addr), newPrefix()
	link := create(t, open(t, o, withPrefix(prefix)), newLink(t))
	s := briefly(t, o, prefix, link.ID)
	node.Pause(t)
	everyCall(t, s, link.ID)
	before := runtime.NumGoroutine()
	var clicks sync.WaitGroup
	for range 500 {
		clicks.Go(func() {
			inTime(t, "admit", func() error { return refusedInTime(t, s, link.ID, brief+grace) })
		})
	}
	clicks.Wait()
	poll(t, pollLimit, func() bool { return runtime.NumGoroutine() < before+100 })
	node.Resume(t)
	redistest.Wait(t, "redis to be ready", func() error { return s.Ready(t.Context()) })
	redistest.Wait(t, "a click", func() error {
		a, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
		if err == nil {
			equal(t, "click", a.Outcome, gateway.OutcomeRedirected)
		}
		return err
	})
}

// TestLostReply loses the reply to a click, a create and a revoke: the click and the
// create run once, the revoke may be repeated.
func TestLostReply(t *testing.T) {
	node := redistest.StartSingle(t)
	p := redistest.StartProxy(t, node.Addr)
	s := open(t, clientOptions(redisstore.ModeSingle, p.Addr))
	link := create(t, s, newLink(t))
	admit(t, s, link.ID, "GET")
	lose := func(what string, call func() error) {
		t.Helper()
		p.Lose.Store(true)
		before := executions(t, node)
		unavailable(t, what, call())
		p.Lose.Store(false)
		if n := executions(t, node) - before; n != 1 {
			t.Errorf("%s was executed %d times", what, n)
		}
	}
	lose("a click", func() error {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"})
		return err
	})
	lose("a failure", func() error {
		return s.RecordEvent(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}, gateway.EventFailed,
			gateway.OutcomeObjectGone)
	})
	lost := newLink(t)
	lose("a create", func() error {
		_, err := s.Create(t.Context(), lost, gateway.Secrets{}, time.Hour, operator())
		return err
	})
	limitedLink := restrict(t, s, limited(t, 5))
	spend(t, s, restrict(t, s, limited(t, 1)).ID, "") // Now Redis has the script.
	lose("a spend", func() error {
		_, err := post(t, s, limitedLink.ID, "page")
		return err
	})
	equal(t, "the same page again", spend(t, s, limitedLink.ID, "page").Outcome, gateway.OutcomeResumed)
	equal(t, "clicks spent", get(t, s, limitedLink.ID).Clicks, 1)
	lose("a spend without nonce", func() error {
		_, err := post(t, s, limitedLink.ID, "")
		return err
	})
	equal(t, "clicks spent", get(t, s, limitedLink.ID).Clicks, 2)
	if n := p.Lost.Load(); n != 5 {
		t.Errorf("%d replies were lost, not 5", n)
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 2)
	equal(t, "the link that was created", get(t, s, lost.ID).State, gateway.StateActive)
}

// executions returns how many scripts the server has run.
func executions(t *testing.T, node *redistest.Server) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(node.MustDo(t, "INFO", "commandstats")) {
		if strings.HasPrefix(line, "cmdstat_eval") {
			n += number(t, line, "calls=")
		}
	}
	return n
}

// TestScriptFlush empties the script cache before every call.
func TestScriptFlush(t *testing.T) {
	g := startSingle(t)
	s := open(t, g.client)
	wanted := limited(t, 5)
	wanted.Passphrase = true
	confirmed := restrict(t, s, wanted)
	link := create(t, s, newLink(t))
	for name, call := range map[string]func() error{
		"admit": func() error { _, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}); return err },
		"create": func() error {
			_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
			return err
		},
		"spend": func() error {
			_, err := post(t, s, confirmed.ID, "")
			return err
		},
		"try": func() error { _, err := s.ReserveAttempt(t.Context(), confirmed.ID, "somebody"); return err },
		"untry": func() error {
			return s.ReleaseAttempt(t.Context(), confirmed.ID, gateway.PassphraseAttempt{Reserved: "x"})
		},
		"change": func() error {
			_, err := s.Change(t.Context(), confirmed.ID, gateway.Change{Note: new("n")}, operator())
			return err
		},
		"revoke all": func() error {
			_, err := s.RevokeAll(t.Context(), gateway.ListQuery{CreatedBy: "nobody"}, gateway.BulkOptions{}, operator())
			return err
		},
		"get":    func() error { _, err := s.Get(t.Context(), link.ID); return err },
		"list":   func() error { _, err := s.List(t.Context(), gateway.ListQuery{Limit: 5}); return err },
		"events": func() error { _, err := s.Events(t.Context(), link.ID, "", 5); return err },
		"active": func() error { _, err := s.Active(t.Context()); return err },
		"revoke": func() error { _, _, err := s.Revoke(t.Context(), newID(t), "", operator()); return err },
	} {
		g.nodes[0].MustDo(t, "SCRIPT", "FLUSH")
		if err := call(); err != nil && !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 1)
}

// TestCanceled cancels a call, which is no failure of Redis.
func TestCanceled(t *testing.T) {
	node := redistest.StartSingle(t)
	var seen calls
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), func(o *redisstore.Options) { o.Observe = seen.observe })
	link := create(t, s, newLink(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, link.ID)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v, want context.Canceled", err)
	}
	unavailable(t, "get", err)
	equal(t, "calls", seen.seen, []string{"create ok", "get canceled"})
}

package redisstore_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// replicated starts a server with replicas and returns it with them. Each server writes
// to its disk before it answers: otherwise a server that is killed and started again
// could forget a confirmed change, which these tests do not test.
func replicated() map[string]func(t *testing.T) (*redistest.Group, redisstore.ClientOptions) {
	return map[string]func(t *testing.T) (*redistest.Group, redisstore.ClientOptions){
		"cluster": func(t *testing.T) (*redistest.Group, redisstore.ClientOptions) {
			t.Helper()
			g := redistest.StartCluster(t, "appendfsync always")
			return g, clientOptions(redisstore.ModeCluster, g.Addresses...)
		},
		"sentinel": func(t *testing.T) (*redistest.Group, redisstore.ClientOptions) {
			t.Helper()
			g := redistest.StartSentinel(t, "appendfsync always")
			o := clientOptions(redisstore.ModeSentinel, g.Addresses...)
			o.MasterName = g.Master
			return g, o
		},
	}
}

// onOneMaster issues links of one partition, and returns them with their master and its
// replica.
func onOneMaster(
	t *testing.T, g *redistest.Group, s *redisstore.Store, prefix string, links int,
) (ids []gateway.ID, master, replica *redistest.Server) {
	t.Helper()
	for range links {
		link := newLink(t)
		link.ID[0] = 7
		ids = append(ids, create(t, s, link).ID)
	}
	permission := keyIn(prefix, "l", ids[0])
	half := len(g.Servers) / 2
	for i, node := range g.Servers[:half] {
		if n, err := node.Do("EXISTS", permission); err == nil && n == "1" {
			master, replica = node, g.Servers[half+i]
		}
	}
	return ids, master, replica
}

// TestWaitReplicas acknowledges only changes that a replica has. While the replicas are
// paused no change is confirmed, in time, and no repeat either; but each change is made.
func TestWaitReplicas(t *testing.T) {
	for name, start := range replicated() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, o := start(t)
			o.Timeout = unconfirmed
			s := open(t, o, withReplica())
			link, other, limitedLink := create(t, s, newLink(t)), create(t, s, newLink(t)), restrict(t, s, limited(t, 20))
			equal(t, "spend", spend(t, s, limitedLink.ID, "page").Outcome, gateway.OutcomeRedirected)
			change := changing{t, s}
			session := newHash()
			if _, err := s.CreateSession(t.Context(), session, []byte("v"), time.Time{}, limits()); err != nil {
				t.Fatal(err)
			}
			calls := map[string]func() error{
				"create": func() error {
					_, err := s.Create(t.Context(), newLink(t), gateway.Secrets{}, time.Hour, operator())
					return err
				},
				"reserve":        change.reserve("sealed"),
				"reserve again":  change.reserve("another"),
				"confirm":        change.confirm(other.ID),
				"change":         change.note(other.ID),
				"change again":   change.note(other.ID),
				"revoke":         change.revoke(link.ID),
				"revoke again":   change.revoke(link.ID),
				"spend":          change.spend(limitedLink.ID, ""),
				"the page again": change.spend(limitedLink.ID, "page"),
				"end a session":  func() error { return s.EndSession(t.Context(), session) },
				"end it again":   func() error { return s.EndSession(t.Context(), session) },
			}
			for _, replica := range g.Servers[len(g.Servers)/2:] {
				replica.Pause(t)
				defer replica.Resume(t) // Even if the test fails.
			}
			var calling sync.WaitGroup
			for what, call := range calls {
				calling.Go(func() {
					inTime(t, what, func() error {
						begun := time.Now()
						if err := call(); !errors.Is(err, gateway.ErrNotConfirmed) {
							t.Errorf("%s while the replicas are asleep: %v, want ErrNotConfirmed", what, err)
						}
						return late(begun, o.Timeout+grace)
					})
				})
			}
			calling.Wait()
			all := gateway.ListQuery{CreatedBy: operator().Actor}
			if _, err := s.RevokeAll(t.Context(), all, gateway.BulkOptions{}, operator()); !errors.Is(err,
				gateway.ErrNotConfirmed) {
				t.Errorf("revoke all: %v, want ErrNotConfirmed", err)
			}
			equal(t, "what was not confirmed is done", admit(t, s, link.ID, "GET"), gateway.OutcomeRevoked)
			for _, replica := range g.Servers[len(g.Servers)/2:] {
				replica.Resume(t)
			}
			for what, call := range calls {
				redistest.Wait(t, what+" to be confirmed", func() error {
					err := call()
					if errors.Is(err, gateway.ErrNotConfirmed) {
						return err // The replicas are catching up.
					}
					if err != nil && !errors.Is(err, gateway.ErrEnded) {
						t.Errorf("%s: %v", what, err)
					}
					return nil
				})
			}
			if _, err := s.RevokeAll(t.Context(), all, gateway.BulkOptions{}, operator()); err != nil {
				t.Errorf("revoke all: %v", err)
			}
		})
	}
}

// TestFailoverForgetsNothingAcknowledged lets a replica that is behind take over right
// after a revocation. A store that waits for replicas had not acknowledged the
// revocation. For a store that does not wait, the link lives again, which is the reason
// to wait.
func TestFailoverForgetsNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for name, start := range replicated() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, o := start(t)
			prefix := newPrefix()
			hasty := open(t, o, withPrefix(prefix))
			o.Timeout = unconfirmed
			waiting := open(t, o, withPrefix(prefix), withReplica())
			const links = 20
			var acked []gateway.ID
			all, master, replica := onOneMaster(t, g, waiting, prefix, links)
			for _, id := range all[:links/2] {
				if _, _, err := waiting.Revoke(t.Context(), id, "acknowledged", operator()); err != nil {
					t.Fatalf("revoke: %v", err)
				}
				acked = append(acked, id)
			}
			replica.Pause(t)
			unacked := all[links/2 : links-1]
			each(len(unacked), func(i int) {
				if _, _, err := waiting.Revoke(t.Context(), unacked[i], "not acknowledged", operator()); !errors.Is(err,
					gateway.ErrNotConfirmed) {
					t.Errorf("revoke: %v, want ErrNotConfirmed", err)
				}
			})
			if _, _, err := hasty.Revoke(t.Context(), all[links-1], "acknowledged by the master alone", operator()); err != nil {
				t.Errorf("revoke without waiting: %v", err)
			}
			master.Kill(t)
			replica.Kill(t) // Data in its sockets is lost.
			replica.Start(t)
			g.FailOver(t)
			redistest.Wait(t, "the replica to take over", func() error {
				_, err := hasty.Admit(t.Context(), gateway.Attempt{ID: acked[0], Method: "GET"})
				return err
			})
			resurrected := func(ids []gateway.ID) (n int) {
				for _, id := range ids {
					// The first requests after a failover may get no answer.
					redistest.Wait(t, "an answer about a link", func() error {
						decided, err := hasty.Admit(t.Context(), gateway.Attempt{ID: id, Method: "GET"})
						if err == nil && decided.Outcome == gateway.OutcomeRedirected {
							n++
						}
						return err
					})
				}
				return n
			}
			equal(t, "resurrected after an acknowledgement", resurrected(acked), 0)
			if resurrected(unacked) == 0 || resurrected(all[links-1:]) == 0 {
				t.Error("the replica was not behind: nothing was tried")
			}
			t.Logf("after a failover to a replica that was behind, live again: %d of %d acknowledged with a replica, "+
				"%d of %d not confirmed, %d of 1 acknowledged by the master only",
				resurrected(acked), len(acked), resurrected(unacked), len(unacked), resurrected(all[links-1:]))
		})
	}
}

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

// TestRepeatsAreConfirmed repeats confirmed changes while the replicas are paused: a
// repeat that changes nothing is not confirmed either. Each repeat runs while no other
// write is on its way to the replicas, because WAIT returns at once for a connection
// without new writes.
func TestRepeatsAreConfirmed(t *testing.T) {
	t.Parallel()
	for name, start := range replicated() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, o := start(t)
			prefix := newPrefix()
			s := open(t, o, withPrefix(prefix), withReplica())
			link, page, usedUp := create(t, s, newLink(t)), restrict(t, s, limited(t, 3)), restrict(t, s, limited(t, 1))
			o.Timeout = time.Second
			s = open(t, o, withPrefix(prefix), withReplica())
			change := changing{t, s}
			for _, repeat := range []struct {
				of   string
				call func() error
			}{
				{"a reservation", change.reserve("sealed")},
				{"an issue", change.confirm(link.ID)},
				{"a change", change.note(link.ID)},
				{"a page", change.spend(page.ID, "page")},
				{"a last page", change.spend(usedUp.ID, "page")},
				{"a revocation", change.revoke(link.ID)},
				{"a revocation of a used-up link", change.revoke(usedUp.ID)},
				{"a bulk revocation", change.revokeAll(gateway.ListQuery{CreatedBy: operator().Actor})},
				{"a bulk revocation of nothing", change.revokeAll(gateway.ListQuery{CreatedBy: "nobody"})},
			} {
				inTime(t, repeat.of+", want ErrNotConfirmed", func() error {
					redistest.Wait(t, repeat.of+" to be confirmed", repeat.call)
					replicas := g.Servers[len(g.Servers)/2:]
					for _, replica := range replicas {
						replica.Pause(t)
					}
					err := repeat.call()
					for _, replica := range replicas {
						replica.Resume(t)
					}
					if err == nil {
						t.Errorf("%s is confirmed while the replicas are asleep", repeat.of)
					}
					if errors.Is(err, gateway.ErrNotConfirmed) {
						return nil
					}
					return err
				})
			}
		})
	}
}

// TestRepeatsWrite repeats changes: a repeat writes to Redis, so that replicas can
// confirm it. A master that has lost its replicas (min-replicas-to-write) refuses it,
// because its state may be outdated.
func TestRepeatsWrite(t *testing.T) {
	g := startSingle(t)
	s := open(t, g.client)
	link, page, usedUp := create(t, s, newLink(t)), restrict(t, s, limited(t, 3)), restrict(t, s, limited(t, 1))
	revoked := create(t, s, newLink(t))
	change := changing{t, s}
	repeats := map[string]func() error{
		"a reservation":                   change.reserve("sealed"),
		"an issue":                        change.confirm(link.ID),
		"a change":                        change.note(link.ID),
		"a page":                          change.spend(page.ID, "page"),
		"a last page":                     change.spend(usedUp.ID, "page"),
		"a revocation":                    change.revoke(revoked.ID),
		"a bulk revocation of nothing":    change.revokeAll(gateway.ListQuery{CreatedBy: "nobody"}),
		"a bulk revocation of what ended": change.revokeAll(gateway.ListQuery{Labels: map[string]string{"case": "4711"}}),
	}
	for what, repeat := range repeats {
		if err := repeat(); err != nil {
			t.Errorf("%s at first: %v", what, err)
		}
	}
	// A call that writes nothing reaches no replica, so no replica can confirm it.
	changes := func() int {
		return number(t, g.nodes[0].MustDo(t, "INFO", "persistence"), "rdb_changes_since_last_save:")
	}
	for what, repeat := range repeats {
		before := changes()
		if err := repeat(); err != nil {
			t.Errorf("%s again: %v", what, err)
		}
		if changes() == before {
			t.Errorf("%s again has written nothing", what)
		}
	}
	g.nodes[0].MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	for what, repeat := range repeats {
		unavailable(t, what+" again", repeat())
	}
}

// TestBulkAfterFailover lets a bulk revocation fail because no replica has it, and a
// replica take over. Links that a later call acknowledges stay revoked.
func TestBulkAfterFailover(t *testing.T) {
	t.Parallel()
	for name, start := range replicated() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, o := start(t)
			o.Timeout = unconfirmed
			prefix := newPrefix()
			s := open(t, o, withPrefix(prefix), withReplica())
			const links = 20
			ids, master, replica := onOneMaster(t, g, s, prefix, links)
			revoke := func() (gateway.BulkResult, error) {
				return s.RevokeAll(t.Context(), gateway.ListQuery{CreatedBy: operator().Actor},
					gateway.BulkOptions{Budget: time.Minute}, operator())
			}
			replica.Pause(t)
			revoked := 0
			for attempt := range 2 {
				result, err := revoke()
				revoked += result.Revoked
				if !errors.Is(err, gateway.ErrNotConfirmed) || result.Done {
					t.Errorf("call %d while no replica has it: %+v, %v; want ErrNotConfirmed", attempt+1, result, err)
				}
			}
			equal(t, "revoked and counted, though not confirmed", revoked, links)
			master.Kill(t)
			replica.Kill(t) // Data in its sockets is lost.
			replica.Start(t)
			g.FailOver(t)
			redistest.Wait(t, "the replica to take over", func() error {
				_, err := s.Admit(t.Context(), gateway.Attempt{ID: ids[0], Method: "HEAD"})
				return err
			})
			equal(t, "live again", admit(t, s, ids[0], "HEAD"), gateway.OutcomeRedirected)
			master.Start(t) // As a replica of the new master.
			redistest.Wait(t, "a repeat to be confirmed", func() error { _, err := revoke(); return err })
			for _, id := range ids {
				equal(t, "after the acknowledgement", admit(t, s, id, "HEAD"), gateway.OutcomeRevoked)
			}
		})
	}
}

// TestBulkCountsWhatItEnds removes the scripts from one master of a cluster: each link is
// counted once.
func TestBulkCountsWhatItEnds(t *testing.T) {
	t.Parallel()
	g := startCluster(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	const links = 300
	for round := range 3 {
		var ids []gateway.ID
		for range links {
			ids = append(ids, create(t, s, newLink(t)).ID)
		}
		g.nodes[round].MustDo(t, "SCRIPT", "FLUSH")
		result, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{Budget: time.Minute}, operator())
		if err != nil {
			t.Fatalf("revoke all: %v", err)
		}
		equal(t, fmt.Sprintf("round %d", round), result, gateway.BulkResult{Matched: links, Revoked: links, Done: true})
		for _, id := range ids {
			equal(t, "a link", get(t, s, id).State, gateway.StateRevoked)
		}
	}
}

// TestBulkCountsBesideAFailure stops one master of a cluster from writing: links on the
// other masters are counted, and the next call counts the rest.
func TestBulkCountsBesideAFailure(t *testing.T) {
	t.Parallel()
	g := startCluster(t)
	s := open(t, g.client)
	const links = 300
	for range links {
		create(t, s, newLink(t))
	}
	revoke := func() (gateway.BulkResult, error) {
		return s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{Budget: time.Minute}, operator())
	}
	g.nodes[0].MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "5")
	revoked := 0
	for range 5 {
		result, err := revoke()
		if err == nil || result.Done {
			t.Errorf("a master that cannot write: %+v, %v", result, err)
		}
		revoked += result.Revoked
	}
	if revoked == 0 || revoked == links {
		t.Errorf("%d of %d were revoked beside a master that cannot write", revoked, links)
	}
	g.nodes[0].MustDo(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	result, err := revoke()
	if err != nil || !result.Done {
		t.Errorf("afterwards: %+v, %v", result, err)
	}
	equal(t, "counted in all", revoked+result.Revoked, links)
}

// TestBulkUnreadable revokes links, some of which have records of an unknown version.
// These are counted, and the result is not done, over any number of calls.
func TestBulkUnreadable(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	key := func(letter string, id gateway.ID) string {
		return keyIn(prefix, letter, id)
	}
	const links, unreadable = 1200, 3
	for i := range links {
		id := create(t, s, newLink(t)).ID
		if i < unreadable {
			head := g.nodes[0].MustDo(t, "LINDEX", key("h", id), "0")
			g.nodes[0].MustDo(t, "LSET", key("h", id), "0", "\x7f"+head[1:])
		}
		if i == unreadable { // Ended links of that version need no revocation.
			head := g.nodes[0].MustDo(t, "LINDEX", key("h", id), "0")
			g.nodes[0].MustDo(t, "LSET", key("h", id), "0", "\x7f"+head[1:])
			g.nodes[0].MustDo(t, "DEL", key("l", id))
		}
	}
	total := gateway.BulkResult{}
	calls := 0
	for more := true; more; calls++ {
		result, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{Cursor: total.Next}, operator())
		if err != nil || calls > links {
			t.Fatalf("revoke all: %v after %d calls", err, calls)
		}
		total.Matched += result.Matched
		total.Revoked += result.Revoked
		total.Unreadable += result.Unreadable
		total.Done, total.Next = result.Done, result.Next
		more = result.Next != ""
	}
	equal(t, "in all", total, gateway.BulkResult{
		Matched: links - unreadable - 1, Revoked: links - unreadable - 1, Unreadable: unreadable,
	})
	if calls < 3 {
		t.Errorf("%d calls: the budget ended none", calls)
	}
	counted, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{DryRun: true, SearchBudget: 1},
		operator())
	if err != nil || counted.Next == "" {
		t.Fatalf("count: %+v, %v", counted, err)
	}
	for name, o := range map[string]gateway.BulkOptions{
		"a dry run's":     {Cursor: counted.Next},
		"another scope's": {DryRun: true, Cursor: counted.Next, Scope: "reports/*"},
	} {
		if _, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, o, operator()); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%s cursor: %v, want ErrCursor", name, err)
		}
	}
	for name, q := range map[string]gateway.ListQuery{
		"another selection": {CreatedBy: "alice"},
		"a listing's":       {Bucket: "reports", Prefix: "a/"},
	} {
		page, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{DryRun: true, Cursor: "x"}, operator())
		if !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("a forged cursor: %+v, %v", page, err)
		}
		first, err := s.RevokeAll(t.Context(), q, gateway.BulkOptions{DryRun: true, SearchBudget: 1}, operator())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if first.Next == "" {
			continue
		}
		if _, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{Cursor: first.Next},
			operator()); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("a cursor of %s: %v", name, err)
		}
	}
}

// TestBulkScansForALimitedTime selects nothing among many ended links: each call ends
// when its time is spent, and its cursor continues to the end.
func TestBulkScansForALimitedTime(t *testing.T) {
	g := startSingle(t)
	s := open(t, g.client)
	const links = 1500
	each(links, func(int) {
		link := newLink(t)
		link.CreatedBy = "bob"
		create(t, s, link)
	})
	all := gateway.ListQuery{CreatedBy: "bob"}
	if _, err := s.RevokeAll(t.Context(), all, gateway.BulkOptions{Budget: time.Minute}, operator()); err != nil {
		t.Fatalf("revoke all: %v", err)
	}
	last := create(t, s, func() gateway.Link { l := newLink(t); l.CreatedBy = "bob"; return l }())
	_, _, err := s.Revoke(t.Context(), last.ID, "", operator())
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	calls, next := 0, ""
	for {
		result, err := s.RevokeAll(t.Context(), all, gateway.BulkOptions{SearchBudget: 1, Cursor: next}, operator())
		if err != nil {
			t.Fatalf("call %d: %v", calls+1, err)
		}
		calls++
		equal(t, "found", result.Matched, 0)
		if next = result.Next; (next == "") != result.Done {
			t.Fatalf("call %d: %+v", calls, result)
		}
		if result.Done {
			break
		}
	}
	if calls != (links+1+499)/500 {
		t.Errorf("%d calls looked at %d links, 500 each", calls, links+1)
	}
}

// TestRetentionRaised ends links after the retention was raised: the indexes that list
// them live as long as their histories.
func TestRetentionRaised(t *testing.T) {
	g := startSingle(t)
	node := g.nodes[0]
	prefix := newPrefix()
	day := 24 * time.Hour
	before := open(t, g.client, withPrefix(prefix), func(o *redisstore.Options) { o.Retention.AfterEnd = day })
	for name, end := range map[string]func(s *redisstore.Store, id gateway.ID){
		"a revocation": func(s *redisstore.Store, id gateway.ID) {
			if _, _, err := s.Revoke(t.Context(), id, "", operator()); err != nil {
				t.Errorf("revoke: %v", err)
			}
		},
		"a bulk revocation": func(s *redisstore.Store, _ gateway.ID) {
			if _, err := s.RevokeAll(t.Context(), gateway.ListQuery{}, gateway.BulkOptions{}, operator()); err != nil {
				t.Errorf("revoke all: %v", err)
			}
		},
		"the last click": func(s *redisstore.Store, id gateway.ID) { spend(t, s, id, "page") },
		"a change": func(s *redisstore.Store, id gateway.ID) {
			note := "n"
			if _, err := s.Change(t.Context(), id, gateway.Change{Note: &note}, operator()); err != nil {
				t.Errorf("change: %v", err)
			}
		},
	} {
		link := restrict(t, before, limited(t, 1))
		after := open(t, g.client, withPrefix(prefix), func(o *redisstore.Options) { o.Retention.AfterEnd = 60 * day })
		end(after, link.ID)
		part := prefix + ":" + partitionOf(link.ID)
		history := number(t, "at "+node.MustDo(t, "PEXPIRETIME", part+":h:"+link.ID.String()), "at ")
		indexBucket := link.CreatedAt.UnixMilli() / (32 * 24 * 60 * 60 * 1000)
		for _, index := range []string{"terms", "names"} {
			expiry := number(t, "at "+node.MustDo(t, "PEXPIRETIME", fmt.Sprintf("%s:%s:%d", part, index, indexBucket)), "at ")
			if expiry < history {
				t.Errorf("after %s the %s go %v before the history", name, index, time.Duration(history-expiry)*time.Millisecond)
			}
		}
	}
}

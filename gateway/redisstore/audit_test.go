package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// feedOf reads the feed page by page to its end.
func feedOf(t *testing.T, s *redisstore.Store, q gateway.AuditQuery) (all []gateway.AuditEvent, next string) {
	t.Helper()
	for range 1000 {
		page, err := s.Audit(t.Context(), q)
		if err != nil {
			t.Fatalf("audit: %v", err)
		}
		if len(page.Events) > q.Limit {
			t.Fatalf("%d events on a page of %d", len(page.Events), q.Limit)
		}
		all = append(all, page.Events...)
		if page.Next == "" || q.Oldest && len(page.Events) == 0 {
			return all, page.Next
		}
		q.Cursor = page.Next
	}
	t.Fatal("the feed does not come to an end")
	return nil, ""
}

// summaries returns events in short, sorted, because events of one millisecond have no
// order.
func summaries(events []gateway.AuditEvent) []string {
	var all []string
	for _, e := range events {
		all = append(all, fmt.Sprint(e.Link, " ", e.Kind, " ", e.Outcome, " ", e.Actor, " ", e.Address, " ", e.Reason, " ",
			e.Ref.Key))
	}
	slices.Sort(all)
	return all
}

func testAudit(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	var want []string
	ids := make([]gateway.ID, 20)
	for i := range ids {
		link := newLink(t)
		link.Ref.Key = fmt.Sprintf("k%d", i%2)
		ids[i] = create(t, s, link).ID
		admit(t, s, ids[i], "GET")
		if _, _, err := s.Revoke(t.Context(), ids[i], "wrong", operator()); err != nil {
			t.Fatalf("revoke: %v", err)
		}
		admit(t, s, ids[i], "POST")
		for _, event := range []string{
			"issued  alice 192.0.2.7 ", "redirected redirected  203.0.113.9 ",
			"revoked  alice 192.0.2.7 wrong", "refused revoked  203.0.113.9 ",
		} {
			want = append(want, fmt.Sprint(ids[i], " ", event, " k", i%2))
		}
	}
	slices.Sort(want)
	newest, _ := feedOf(t, s, gateway.AuditQuery{Limit: 7})
	equal(t, "newest first", summaries(newest), want)
	if !slices.IsSortedFunc(newest, func(a, b gateway.AuditEvent) int { return b.Time.Compare(a.Time) }) {
		t.Error("the newest do not come first")
	}
	oldest, next := feedOf(t, s, gateway.AuditQuery{Limit: 7, Oldest: true})
	equal(t, "oldest first", summaries(oldest), want)
	if !slices.IsSortedFunc(oldest, func(a, b gateway.AuditEvent) int { return a.Time.Compare(b.Time) }) {
		t.Error("the oldest do not come first")
	}
	// After the end, the feed continues with later events only.
	admit(t, s, ids[3], "GET")
	later, next := feedOf(t, s, gateway.AuditQuery{Limit: 7, Oldest: true, Cursor: next})
	equal(t, "later", len(later), 1)
	again, _ := feedOf(t, s, gateway.AuditQuery{Limit: 7, Oldest: true, Cursor: next})
	equal(t, "nothing later", len(again), 0)

	for _, oldest := range []bool{false, true} {
		ofOne, _ := feedOf(t, s, gateway.AuditQuery{
			Limit: 3, Link: ids[4], Oldest: oldest,
			Match: func(gateway.ObjectRef) bool { return true },
		})
		if len(ofOne) != 4 || slices.ContainsFunc(ofOne, func(e gateway.AuditEvent) bool {
			return e.Link != ids[4] ||
				e.Ref.Key != "k0"
		}) {
			t.Errorf("of one link: %v", summaries(ofOne))
		}
	}
	revoked, _ := feedOf(t, s, gateway.AuditQuery{Limit: 3, Kind: gateway.EventRevoked})
	equal(t, "of one kind", len(revoked), len(ids))
	scoped, _ := feedOf(t, s, gateway.AuditQuery{
		Limit: 50,
		Match: func(r gateway.ObjectRef) bool { return r.Key == "k1" },
	})
	equal(t, "in scope", len(scoped), 41)
	at := oldest[len(oldest)/2].Time
	since, _ := feedOf(t, s, gateway.AuditQuery{Limit: 9, Since: at})
	until, _ := feedOf(t, s, gateway.AuditQuery{Limit: 9, Until: at})
	equal(t, "since and until", len(since)+len(until), len(want)+1)
	for _, e := range since {
		if e.Time.Before(at) {
			t.Errorf("an event of %v since %v", e.Time, at)
		}
	}
	for _, e := range until {
		if !e.Time.Before(at) {
			t.Errorf("an event of %v until %v", e.Time, at)
		}
	}
	page, err := s.Audit(t.Context(), gateway.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	for name, q := range map[string]gateway.AuditQuery{
		"forged": {Cursor: page.Next[:len(page.Next)-2] + "AA"}, "of another order": {Cursor: page.Next, Oldest: true},
		"of other filters": {Cursor: page.Next, Since: time.Unix(1, 0)}, "noise": {Cursor: "x"},
	} {
		if _, err := s.Audit(t.Context(), q); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("cursor %s: %v", name, err)
		}
	}
}

// TestAuditFromNow reads a feed from now on: it has the next events, by Redis' clock, and
// says whether it has read all of them. A page of one link without events is not the end
// while other links had events.
func TestAuditFromNow(t *testing.T) {
	g := startSingle(t)
	s := open(t, g.client, withPrefix(newPrefix()))
	link, other := create(t, s, newLink(t)), create(t, s, newLink(t))
	q := gateway.AuditQuery{Limit: 1, Oldest: true, FromNow: true, Link: link.ID}
	next := func() gateway.AuditPage {
		t.Helper()
		page, err := s.Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Cursor = page.Next
		return page
	}
	// A feed from now on includes events of the current millisecond. Redis may date an event
	// later than its link: by the end of the script, not by its start.
	before, _ := feedOf(t, s, gateway.AuditQuery{Limit: 5})
	equal(t, "events before", len(before), 2)
	poll(t, pollLimit, func() bool {
		now, err := s.Clock(t.Context())
		return err == nil && now.After(before[0].Time) && now.After(before[1].Time)
	})
	if page := next(); len(page.Events) != 0 || page.More {
		t.Fatalf("what happened before is in it: %+v", page)
	}
	if _, err := s.Change(t.Context(), other.ID, gateway.Change{Note: new("n")}, operator()); err != nil {
		t.Fatal(err)
	}
	for _, pause := range []bool{true, false} {
		if _, err := s.Change(t.Context(), link.ID, gateway.Change{Paused: &pause}, operator()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		kind gateway.EventKind
		more bool
	}{{gateway.EventPaused, true}, {gateway.EventResumed, false}} {
		if page := next(); len(page.Events) != 1 || page.Events[0].Kind != want.kind || page.More != want.more {
			t.Errorf("got %+v, want %s and more: %v", page, want.kind, want.more)
		}
	}
	if page := next(); len(page.Events) != 0 || page.More {
		t.Errorf("nothing has happened since: %+v", page)
	}
}

// TestForgottenLinks keeps the events of forgotten links in the feed, but not for callers
// who may see only some objects: the object of such a link is unknown.
func TestForgottenLinks(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := create(t, s, newLink(t))
	g.nodes[0].MustDo(t, "DEL", keyIn(prefix, "h", link.ID))
	all, _ := feedOf(t, s, gateway.AuditQuery{Limit: 5})
	if len(all) != 1 || all[0].Link != link.ID || all[0].Ref != (gateway.ObjectRef{}) {
		t.Errorf("got %+v", all)
	}
	some, _ := feedOf(t, s, gateway.AuditQuery{Limit: 5, Match: func(gateway.ObjectRef) bool { return true }})
	if len(some) != 0 {
		t.Errorf("a key that sees some objects got %+v", some)
	}
}

package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// TestBudget searches for one old link among thousands: pages are short rather than late,
// and the listing finds the link and ends.
func TestBudget(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	s := open(t, g.client)
	needle := create(t, s, newLink(t))
	if _, _, err := s.Revoke(t.Context(), needle.ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	const hay = 11_000
	each(hay, func(int) { create(t, s, newLink(t)) })
	pages := 1
	found := listed(t, s, gateway.ListQuery{States: []gateway.State{gateway.StateRevoked}, Limit: 50}, func() { pages++ })
	equal(t, "pages", pages, 3)
	if len(found) != 1 || found[0].ID != needle.ID {
		t.Errorf("found %d links", len(found))
	}
}

// TestPageBudgets reads pages that may examine only a few entries: such a page says how many
// it examined, and the pages together have everything.
func TestPageBudgets(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	needle := create(t, s, newLink(t))
	if _, _, err := s.Revoke(t.Context(), needle.ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	const hay, budget = 250, 100
	each(hay, func(int) { create(t, s, newLink(t)) })

	revoked := gateway.ListQuery{States: []gateway.State{gateway.StateRevoked}, Limit: 50, Budget: budget}
	var searched []int
	for next := "start"; next != ""; {
		page, err := s.List(t.Context(), revoked)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		searched, next, revoked.Cursor = append(searched, page.Searched), page.Next, page.Next
		if found := len(page.Links) > 0; found != (next == "") {
			t.Errorf("%d links, next page %q", len(page.Links), next)
		}
	}
	equal(t, "searched links", searched, []int{budget, budget, hay + 1 - 2*budget})

	// Events of the link: its issue and its end. The first page stops at its links, the others
	// at their events.
	for name, tt := range map[string]struct {
		query gateway.AuditQuery
		want  []int
	}{
		"by actor": {gateway.AuditQuery{Actor: "nobody"}, []int{budget, budget, hay + 2 - 2*budget}},
		"by object": {
			gateway.AuditQuery{Match: func(gateway.ObjectRef) bool { return false }, Budget: 400},
			[]int{100, 100, hay + 2 - 200},
		},
	} {
		q := tt.query
		q.Limit = 50
		if q.Budget == 0 {
			q.Budget = budget
		}
		var searched []int
		for next := "start"; next != ""; {
			page, err := s.Audit(t.Context(), q)
			if err != nil {
				t.Fatalf("audit: %v", err)
			}
			searched, next, q.Cursor = append(searched, page.Searched), page.Next, page.Next
		}
		equal(t, name+": searched events", searched, tt.want)
	}
}

// TestBulkExamines counts links in calls that may examine only a few entries each.
func TestBulkExamines(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	const links, budget = 250, 100
	each(links, func(int) { create(t, s, newLink(t)) })
	for _, dry := range []bool{true, false} {
		var matched []int
		o := gateway.BulkOptions{DryRun: dry, Budget: time.Minute, Examine: budget}
		for done := false; !done; {
			result, err := s.RevokeAll(t.Context(), gateway.ListQuery{Bucket: "reports"}, o, operator())
			if err != nil {
				t.Fatalf("revoke all: %v", err)
			}
			matched, o.Cursor, done = append(matched, result.Matched), result.Next, result.Next == ""
		}
		equal(t, "matched", matched, []int{budget, budget, links - 2*budget})
	}
}

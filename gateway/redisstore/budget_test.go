package redisstore_test

import (
	"testing"

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

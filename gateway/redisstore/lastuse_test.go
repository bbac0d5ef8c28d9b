package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway"
)

// testLastUse reads the time of the last download after events of every kind. Refusals,
// pages and changes are no use, however many follow the download.
func testLastUse(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	record := func(k gateway.EventKind, o gateway.Outcome) {
		t.Helper()
		if err := s.RecordEvent(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}, k, o); err != nil {
			t.Fatal(err)
		}
	}
	downloaded := func() (last time.Time) {
		t.Helper()
		for _, e := range events(t, s, link.ID, 500) {
			if e.Kind == gateway.EventRedirected && e.Time.After(last) {
				last = e.Time
			}
		}
		return last
	}
	lastUse := func(what string, want time.Time) {
		t.Helper()
		equal(t, what, get(t, s, link.ID).LastUsedAt, want)
		links := listed(t, s, gateway.ListQuery{Limit: 5})
		equal(t, what+", in a listing", links[0].LastUsedAt, want)
	}
	lastUse("before the first click", time.Time{})
	record(gateway.EventPage, gateway.OutcomePage)
	lastUse("after a page", time.Time{})
	equal(t, "a HEAD", admit(t, s, link.ID, "HEAD"), gateway.OutcomeRedirected)
	lastUse("after a HEAD", time.Time{})

	equal(t, "a click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	first := downloaded()
	if first.IsZero() {
		t.Fatal("the click has no event")
	}
	lastUse("after a click", first)
	for range 40 { // more than the list of the link keeps
		record(gateway.EventRefused, gateway.OutcomeWrongPassphrase)
	}
	lastUse("after many refusals", first)
	record(gateway.EventRedirected, gateway.OutcomeResumed)
	resumed := downloaded()
	lastUse("after a resumed download", resumed)
	record(gateway.EventFailed, gateway.OutcomeObjectGone)

	changed, err := s.Change(t.Context(), link.ID, gateway.Change{Note: new("n")}, operator())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "in the answer to a change", changed.LastUsedAt, resumed)
	revoked, _, err := s.Revoke(t.Context(), link.ID, "", operator())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "in the answer to a revocation", revoked.LastUsedAt, resumed)
	record(gateway.EventRefused, gateway.OutcomeRevoked)
	lastUse("after the end", resumed)
}

package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// spendWithin sends a form whose page may be repeated within a window.
func spendWithin(t *testing.T, s *redisstore.Store, id gateway.ID, nonce string, within time.Duration) gateway.Spent {
	t.Helper()
	spent, err := s.Spend(t.Context(), gateway.Attempt{ID: id, Method: "POST"}, gateway.Spending{
		Nonce:  nonce,
		Window: within,
	})
	if err != nil {
		t.Fatalf("spend: %v", err)
	}
	return spent
}

// TestPageAfterItsWindow sends the same page again and again. Within the window of its
// click the page spends nothing. After the window it spends another click, and is refused
// if none is left. Redis' own clock, which each answer contains, decides.
func TestPageAfterItsWindow(t *testing.T) {
	const short = 300 * time.Millisecond
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := restrict(t, s, limited(t, 2))
	first := spendWithin(t, s, link.ID, "page", short)
	equal(t, "the page", first.Outcome, gateway.OutcomeRedirected)

	var second gateway.Spent
	poll(t, 10*time.Second, func() bool {
		second = spendWithin(t, s, link.ID, "page", short)
		if second.Outcome != gateway.OutcomeResumed {
			return true
		}
		if second.GrantEnd != first.GrantEnd || !second.Now.Before(first.GrantEnd) {
			t.Fatalf("resumed at %v until %v; the window ended at %v", second.Now, second.GrantEnd, first.GrantEnd)
		}
		return false
	})
	equal(t, "the page after its window", second.Outcome, gateway.OutcomeRedirected)
	if second.Now.Before(first.GrantEnd) {
		t.Errorf("another click was spent %v before the window ended", first.GrantEnd.Sub(second.Now))
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 2)

	var last gateway.Spent
	poll(t, 10*time.Second, func() bool {
		last = spendWithin(t, s, link.ID, "page", short)
		return last.Outcome != gateway.OutcomeResumed
	})
	equal(t, "the page of the last click after its window", last.Outcome, gateway.OutcomeUsedUp)
	equal(t, "clicks in the end", get(t, s, link.ID).Clicks, 2)
}

// TestPageAfterItsWindowByClock sets the clock to the last millisecond of a page's window
// and to the first one after it. Nonces outside their window are removed.
func TestPageAfterItsWindowByClock(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	link := restrict(t, s, limited(t, 4), 24*time.Hour)
	nonces := func() int {
		t.Helper()
		key := keyOf("s", link.ID)
		members, err := c.server.ZMembers(key)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return len(members) - 1 // without the member that keeps the key
	}
	start := spendWithin(t, s, link.ID, "page", window)
	for _, tt := range []struct {
		step   time.Duration
		want   gateway.Outcome
		clicks int64
	}{
		{window - time.Millisecond, gateway.OutcomeResumed, 1},
		{time.Millisecond, gateway.OutcomeRedirected, 2},
		{window - time.Millisecond, gateway.OutcomeResumed, 2},
		{time.Millisecond, gateway.OutcomeRedirected, 3},
	} {
		c.step(tt.step)
		spent := spendWithin(t, s, link.ID, "page", window)
		after := spent.Now.Sub(start.Now)
		equal(t, "after "+after.String(), spent.Outcome, tt.want)
		equal(t, "clicks after "+after.String(), get(t, s, link.ID).Clicks, tt.clicks)
		equal(t, "kept nonces after "+after.String(), nonces(), 1)
	}
	c.step(window)
	equal(t, "another page", spendWithin(t, s, link.ID, "another", window).Outcome, gateway.OutcomeRedirected)
	equal(t, "kept nonces after another page", nonces(), 1)
}

package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// keyOf returns a key of a link under the prefix "keyhole".
func keyOf(letter string, id gateway.ID) string {
	return keyIn("keyhole", letter, id)
}

// keep removes the TTLs of a link's keys, so that only the times inside the records end
// the link.
func (c *clock) keep(id gateway.ID) {
	for _, letter := range []string{"l", "h"} {
		c.server.SetTTL(keyOf(letter, id), 1000*time.Hour)
	}
}

// revokes revokes a link and reports whether that changed it.
func revokes(t *testing.T, s *redisstore.Store, id gateway.ID) (bool, error) {
	t.Helper()
	_, changed, err := s.Revoke(t.Context(), id, "", operator())
	return changed, err
}

// TestLastMillisecond uses links in the last millisecond of each time in their records
// and in the first one after it, while Redis keeps their keys.
func TestLastMillisecond(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = time.Hour })
	note := "n"
	change := func(id gateway.ID) error {
		_, err := s.Change(t.Context(), id, gateway.Change{Note: &note}, operator())
		return err
	}
	four := func(life time.Duration) (ids [4]gateway.ID) {
		for i := range ids {
			ids[i] = create(t, s, newLink(t), life).ID
			c.keep(ids[i])
		}
		return ids
	}
	before, after := four(time.Hour), four(time.Hour)
	c.step(time.Hour - time.Millisecond)
	equal(t, "a click before the end", admit(t, s, before[0], "GET"), gateway.OutcomeRedirected)
	if changed, err := revokes(t, s, before[1]); !changed || err != nil {
		t.Errorf("a revocation before the end: changed %v, %v", changed, err)
	}
	if err := change(before[2]); err != nil {
		t.Errorf("a change before the end: %v", err)
	}
	c.keep(before[2])
	c.step(time.Millisecond)
	equal(t, "a click at the end", admit(t, s, after[0], "GET"), gateway.OutcomeExpired)
	if changed, err := revokes(t, s, after[1]); changed || err != nil {
		t.Errorf("a revocation at the end: changed %v, %v", changed, err)
	}
	if err := change(after[2]); !errors.Is(err, gateway.ErrEnded) {
		t.Errorf("a change at the end: %v", err)
	}

	c.keep(after[1])
	c.step(time.Hour - time.Millisecond)
	for _, id := range after {
		equal(t, "a click before it is forgotten", admit(t, s, id, "HEAD"), gateway.OutcomeExpired)
	}
	c.step(time.Millisecond)
	equal(t, "a click when it is forgotten", admit(t, s, after[0], "GET"), gateway.OutcomeNotFound)
	if _, err := revokes(t, s, after[1]); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a revocation when it is forgotten: %v", err)
	}
	if err := change(after[2]); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a change when it is forgotten: %v", err)
	}
	if _, err := s.Events(t.Context(), after[3], "", 5); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("events when it is forgotten: %v", err)
	}
}

// TestFirstMillisecond starts a link in the millisecond of its start, and refuses an end
// at the start and one beyond the longest life.
func TestFirstMillisecond(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	link := newLink(t)
	link.NotBefore = c.now.Add(30 * time.Minute)
	create(t, s, link)
	c.step(30*time.Minute - time.Millisecond)
	equal(t, "before the start", admit(t, s, link.ID, "GET"), gateway.OutcomeNotYet)
	c.step(time.Millisecond)
	equal(t, "at the start", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)

	for start, want := range map[time.Duration]error{
		time.Hour: gateway.ErrNeverValid, time.Hour - time.Millisecond: nil,
	} {
		late := newLink(t)
		late.NotBefore = c.now.Add(start)
		if _, err := s.Create(t.Context(), late, gateway.Secrets{}, time.Hour, operator()); !errors.Is(err, want) {
			t.Errorf("an issue of an hour that starts after %v: %v, want %v", start, err, want)
		}
	}
	later := newLink(t)
	later.NotBefore = c.now.Add(30 * time.Minute)
	created := create(t, s, later)
	live := func(id gateway.ID, life, longest time.Duration) error {
		_, err := s.Change(t.Context(), id, gateway.Change{Life: life, Longest: longest}, operator())
		return err
	}
	if err := live(later.ID, 30*time.Minute, 24*time.Hour); !errors.Is(err, gateway.ErrNeverValid) {
		t.Errorf("an end at the start: %v", err)
	}
	if err := live(later.ID, 30*time.Minute+time.Millisecond, 24*time.Hour); err != nil {
		t.Errorf("an end a millisecond after the start: %v", err)
	}
	age := c.now.Sub(created.CreatedAt)
	if err := live(later.ID, 24*time.Hour-age, 24*time.Hour); err != nil {
		t.Errorf("the longest life: %v", err)
	}
	// Less than a second too much is cut to the limit, a second is refused.
	cut, err := s.Change(t.Context(), later.ID, gateway.Change{
		Life: 24*time.Hour - age + 999*time.Millisecond, Longest: 24 * time.Hour,
	}, operator())
	if err != nil || !cut.ExpiresAt.Equal(created.CreatedAt.Add(24*time.Hour)) {
		t.Errorf("a millisecond less than a second too much: the end is %v, %v", cut.ExpiresAt, err)
	}
	var refused *gateway.ChangeError
	err = live(later.ID, 24*time.Hour-age+time.Second, 24*time.Hour)
	if !errors.As(err, &refused) || refused.Limit != gateway.LimitLife {
		t.Errorf("a second more than the longest life: %v", err)
	}
}

// TestLastMillisecondOfGrants revokes used-up links while their grants last and after
// they have ended: only the first revocation changes anything.
func TestLastMillisecondOfGrants(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	granted, ended := restrict(t, s, limited(t, 1)).ID, restrict(t, s, limited(t, 1)).ID
	for _, id := range []gateway.ID{granted, ended} {
		equal(t, "the last click", spendWithin(t, s, id, "page", window).Outcome, gateway.OutcomeRedirected)
		c.keep(id)
	}
	c.step(window - time.Millisecond)
	if changed, err := revokes(t, s, granted); !changed || err != nil {
		t.Errorf("while the grants last: changed %v, %v", changed, err)
	}
	c.step(time.Millisecond)
	if changed, err := revokes(t, s, ended); changed || err != nil {
		t.Errorf("when the grants have ended: changed %v, %v", changed, err)
	}
}

// TestGrantsEndWithTheirLink spends the last click of a link that ends within the resume
// window: neither grants nor keys outlive the link. The history outlives both.
func TestGrantsEndWithTheirLink(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = time.Minute })
	ttl := func(letter string, link gateway.Link) time.Duration { return c.server.TTL(keyOf(letter, link.ID)) }

	short := restrict(t, s, limited(t, 2), window/2)
	first := spendWithin(t, s, short.ID, "page", window)
	equal(t, "its grant", first.GrantEnd, short.ExpiresAt)
	c.step(time.Minute)
	again := spendWithin(t, s, short.ID, "page", window)
	equal(t, "the same page", again.Outcome, gateway.OutcomeResumed)
	equal(t, "the grant of the same page", again.GrantEnd, short.ExpiresAt)
	last := spendWithin(t, s, short.ID, "another", window)
	equal(t, "the last grant", last.GrantEnd, short.ExpiresAt)
	equal(t, "the permission's life", ttl("l", short), window/2-time.Minute)

	long := restrict(t, s, limited(t, 1))
	spendWithin(t, s, long.ID, "page", window)
	equal(t, "the permission's life of a long link", ttl("l", long), window)
	equal(t, "the history's, which is not shorter", ttl("h", long), window)

	changed := restrict(t, s, limited(t, 3), window/2)
	spendWithin(t, s, changed.ID, "page", window)
	link, err := s.Change(t.Context(), changed.ID, gateway.Change{MaxClicks: 1, Window: window}, operator())
	if err != nil || link.State != gateway.StateUsedUp {
		t.Fatalf("no clicks left: %s, %v", link.State, err)
	}
	equal(t, "the permission's life after a change", ttl("l", changed), window/2)
}

// TestChangeMovesEveryEnd prolongs a link and counts live links: all keys of the link
// live to the new end, and it counts once until then.
func TestChangeMovesEveryEnd(t *testing.T) {
	c := startClock(t)
	const retention = 30 * 24 * time.Hour
	s := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = retention })
	link := limited(t, 3)
	link.Passphrase = true
	restrict(t, s, link)
	expiresIn := func(what string, want time.Duration) {
		t.Helper()
		for _, letter := range []string{"l", "s", "t"} {
			equal(t, what+" "+letter, c.server.TTL(keyOf(letter, link.ID)), want)
		}
		equal(t, what+" h", c.server.TTL(keyOf("h", link.ID)), want+retention)
	}
	active := func(what string, want int64) {
		t.Helper()
		if n, err := s.Active(t.Context()); n != want || err != nil {
			t.Errorf("%s %d links are live, %v; want %d", what, n, err, want)
		}
	}
	expiresIn("after the issue", time.Hour)
	active("after the issue", 1)
	longer := gateway.Change{Life: 3 * time.Hour, Longest: 24 * time.Hour}
	if _, err := s.Change(t.Context(), link.ID, longer, operator()); err != nil {
		t.Fatalf("change: %v", err)
	}
	expiresIn("after the change", 3*time.Hour)
	active("after the change", 1)
	c.step(2 * time.Hour)
	active("after the first end", 1)
	c.step(time.Hour + time.Minute)
	active("after the second end", 0)
}

// TestIndexesOutliveTheLongest issues a link for a moment after one for a week: their
// indexes live as long as the longer link needs them.
func TestIndexesOutliveTheLongest(t *testing.T) {
	for _, usedUp := range []bool{false, true} {
		c := startClock(t)
		s := open(t, c.client, withPrefix("keyhole"))
		for i, life := range []time.Duration{7 * 24 * time.Hour, time.Minute} {
			link := limited(t, 1)
			link.ID[0], link.Note = 7, []string{"week", "moment"}[i]
			link = restrict(t, s, link, life)
			if usedUp && life == time.Minute {
				equal(t, "the last click", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeRedirected)
			}
		}
		c.step(37*24*time.Hour - time.Second)
		equal(t, "known", notesOf(listed(t, s, gateway.ListQuery{Limit: 5})), []string{"week"})
	}
}

// TestEndsInALaterIndexBucket ends links in a later index bucket than that of their issue,
// with a longer retention: the indexes of the issue list them until then.
func TestEndsInALaterIndexBucket(t *testing.T) {
	const day = 24 * time.Hour
	const indexBucket = 32 * day
	for name, end := range map[string]func(*redisstore.Store, gateway.ID){
		"the last click": func(s *redisstore.Store, id gateway.ID) {
			equal(t, "spend", spendWithin(t, s, id, "page", window).Outcome, gateway.OutcomeRedirected)
		},
		"a click that was expected to be the last": func(s *redisstore.Store, id gateway.ID) {
			a := gateway.Attempt{ID: id, Method: "POST"}
			spent, err := s.Spend(t.Context(), a, gateway.Spending{Nonce: "page", Window: window, Last: true})
			if err != nil || spent.Outcome != gateway.OutcomeRedirected {
				t.Errorf("spend: %s, %v", spent.Outcome, err)
			}
		},
		"a revocation": func(s *redisstore.Store, id gateway.ID) {
			if changed, err := revokes(t, s, id); !changed || err != nil {
				t.Errorf("revoke: changed %v, %v", changed, err)
			}
		},
	} {
		c := startClock(t)
		c.step(indexBucket - time.Duration(c.now.UnixNano())%indexBucket - day)
		before := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = day })
		link := restrict(t, before, limited(t, 1), 5*day)
		c.step(2 * day)
		after := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = 60 * day })
		end(after, link.ID)
		c.step(50 * day)
		equal(t, "listed long after "+name, len(listed(t, after, gateway.ListQuery{Limit: 5})), 1)
	}
}

// TestChangeOfWhatHasEndedMeanwhile changes links that end after they were read, while
// Redis keeps their keys: the script refuses the change because of the times in the
// records.
func TestChangeOfWhatHasEndedMeanwhile(t *testing.T) {
	for name, tt := range map[string]struct {
		step  time.Duration
		spend bool
		want  error
	}{
		"its last click was spent": {0, true, gateway.ErrEnded},
		"it has just expired":      {time.Hour, false, gateway.ErrEnded},
		"it is just forgotten":     {2 * time.Hour, false, gateway.ErrNotFound},
		"it is still active":       {time.Hour - time.Millisecond, false, nil},
	} {
		c := startClock(t)
		s := open(t, c.client, withPrefix("keyhole"), func(o *redisstore.Options) { o.Retention.AfterEnd = time.Hour })
		id := restrict(t, s, limited(t, 1)).ID
		c.keep(id)
		pause := gateway.Change{Paused: new(true), Window: window}
		err := s.ChangeAfter(t.Context(), id, pause, operator(), func() {
			c.step(tt.step)
			if tt.spend {
				equal(t, "spend", spendWithin(t, s, id, "page", window).Outcome, gateway.OutcomeRedirected)
			}
		})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// TestExpiredWithoutClicks reads an expired link without clicks, before and after a
// refusal was recorded: it has no clicks.
func TestExpiredWithoutClicks(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client)
	link := create(t, s, newLink(t))
	c.step(time.Hour)
	for _, when := range []string{"before", "after"} {
		got := get(t, s, link.ID)
		equal(t, "the state "+when+" a refusal", got.State, gateway.StateExpired)
		equal(t, "the clicks "+when+" a refusal", got.Clicks, 0)
		equal(t, "a click", admit(t, s, link.ID, "GET"), gateway.OutcomeExpired)
	}
}

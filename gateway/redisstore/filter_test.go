package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// filtered creates links in hourly steps of the clock: they differ in age, life, use,
// labels and state. The last one is issued now.
func filtered(t *testing.T, c *clock, s *redisstore.Store, n int) map[string]gateway.Link {
	t.Helper()
	links := map[string]gateway.Link{}
	for i := range n {
		link := newLink(t)
		link.Note = fmt.Sprintf("%02d", i)
		link.Ref.Key = fmt.Sprintf("%02d/file", i%4)
		link.Labels = map[string]string{"team": []string{"x", "y"}[i%2], "case": fmt.Sprint(i % 3)}
		created := create(t, s, link, time.Duration(n+5+i%7)*time.Hour)
		switch i % 5 {
		case 1:
			admit(t, s, created.ID, "GET")
		case 2:
			if _, err := s.Change(t.Context(), created.ID, gateway.Change{Paused: new(true)}, operator()); err != nil {
				t.Fatal(err)
			}
		case 3:
			if _, _, err := s.Revoke(t.Context(), created.ID, "", operator()); err != nil {
				t.Fatal(err)
			}
		}
		if i < n-1 {
			c.step(time.Hour)
		}
	}
	for note, link := range links {
		links[note] = get(t, s, link.ID)
	}
	for _, link := range listed(t, s, gateway.ListQuery{Limit: 500}) {
		links[link.Note] = link
	}
	return links
}

// TestFilters compares listings and bulk revocations by each filter with the links that
// the filter describes, in both orders and with pages of every size.
func TestFilters(t *testing.T) {
	t.Parallel()
	const n = 30
	c := startClock(t)
	s := open(t, c.client)
	links := filtered(t, c, s, n)
	now := c.now
	live := func(l gateway.Link) bool { return !l.Ended() }
	for name, test := range map[string]struct {
		query  gateway.ListQuery
		wanted func(l gateway.Link) bool
	}{
		"two states": {
			gateway.ListQuery{States: []gateway.State{gateway.StatePaused, gateway.StateRevoked}},
			func(l gateway.Link) bool { return l.State == gateway.StatePaused || l.State == gateway.StateRevoked },
		},
		"two labels": {
			gateway.ListQuery{Labels: map[string]string{"team": "x", "case": "1"}},
			func(l gateway.Link) bool { return l.Labels["team"] == "x" && l.Labels["case"] == "1" },
		},
		"a label that no link has": {
			gateway.ListQuery{Labels: map[string]string{"team": "x", "color": ""}}, func(gateway.Link) bool { return false },
		},
		"since": {
			gateway.ListQuery{Since: now.Add(-7 * time.Hour)},
			func(l gateway.Link) bool { return !l.CreatedAt.Before(now.Add(-7 * time.Hour)) },
		},
		"since just after a link": {
			gateway.ListQuery{Since: now.Add(-7*time.Hour + time.Millisecond)},
			func(l gateway.Link) bool { return l.CreatedAt.After(now.Add(-7 * time.Hour)) },
		},
		"since the future": {gateway.ListQuery{Since: now.Add(time.Hour)}, func(gateway.Link) bool { return false }},
		"since before 1970": {
			gateway.ListQuery{Since: time.Unix(-5, 0)}, func(gateway.Link) bool { return true },
		},
		"age": {
			gateway.ListQuery{Age: 5 * time.Hour},
			func(l gateway.Link) bool { return now.Sub(l.CreatedAt) <= 5*time.Hour },
		},
		"unused": {gateway.ListQuery{Unused: true}, func(l gateway.Link) bool { return l.Clicks == 0 }},
		"ends within": {
			gateway.ListQuery{EndsWithin: 12 * time.Hour},
			func(l gateway.Link) bool { return live(l) && !l.ExpiresAt.After(now.Add(12*time.Hour)) },
		},
		"remaining": {
			gateway.ListQuery{Remaining: 12 * time.Hour},
			func(l gateway.Link) bool { return live(l) && l.ExpiresAt.After(now.Add(12*time.Hour)) },
		},
		"ends after": {
			gateway.ListQuery{EndsAfter: now.Add(9 * time.Hour)},
			func(l gateway.Link) bool { return live(l) && l.ExpiresAt.After(now.Add(9*time.Hour)) },
		},
		"ends between": {
			gateway.ListQuery{Remaining: 8 * time.Hour, EndsWithin: 12 * time.Hour},
			func(l gateway.Link) bool {
				return live(l) && l.ExpiresAt.After(now.Add(8*time.Hour)) && !l.ExpiresAt.After(now.Add(12*time.Hour))
			},
		},
		"all of them": {
			gateway.ListQuery{
				States: []gateway.State{gateway.StateActive, gateway.StatePaused}, Labels: map[string]string{"team": "y"},
				Age: 20 * time.Hour, Unused: true, EndsWithin: 30 * time.Hour,
			},
			func(l gateway.Link) bool {
				return live(l) && l.Labels["team"] == "y" && now.Sub(l.CreatedAt) <= 20*time.Hour && l.Clicks == 0 &&
					!l.ExpiresAt.After(now.Add(30*time.Hour))
			},
		},
	} {
		var want []string
		open := 0
		for _, note := range slices.Sorted(maps.Keys(links)) {
			if l := links[note]; test.wanted(l) {
				want = append(want, note)
				if live(l) {
					open++
				}
			}
		}
		for _, limit := range []int{1, 4, 500} {
			q := test.query
			q.Limit = limit
			newest := notesOf(listed(t, s, q))
			slices.Reverse(newest)
			equal(t, fmt.Sprintf("%s, pages of %d", name, limit), newest, append([]string{}, want...))
			q.Bucket, q.Prefix = "reports", "0"
			byKey := notesOf(listed(t, s, q))
			slices.Sort(byKey)
			equal(t, fmt.Sprintf("%s by key, pages of %d", name, limit), byKey, append([]string{}, want...))
		}
		counting := gateway.BulkOptions{DryRun: true, Budget: time.Minute}
		counted, err := s.RevokeAll(t.Context(), test.query, counting, operator())
		if err != nil || counted.Matched != open || !counted.Done {
			t.Errorf("%s: %d links can be revoked (%+v, %v), want %d", name, counted.Matched, counted, err, open)
		}
	}
}

// TestRelativeFilters moves the clock between pages: an age and a time until the end count
// from the first page, so that no link drops out of a listing or a revocation meanwhile.
func TestRelativeFilters(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	links := filtered(t, c, s, 12)
	q := gateway.ListQuery{Age: 4 * time.Hour, Limit: 1}
	equal(t, "issued within four hours", len(listed(t, s, q, func() { c.step(30 * time.Minute) })), 5)

	q = gateway.ListQuery{EndsWithin: 9 * time.Hour, Limit: 1}
	var want []string
	for _, note := range slices.Sorted(maps.Keys(links)) {
		if l := links[note]; !l.Ended() && !l.ExpiresAt.After(c.now.Add(q.EndsWithin)) {
			want = append(want, note)
		}
	}
	got := notesOf(listed(t, s, q, func() { c.step(time.Minute) }))
	slices.Sort(got)
	equal(t, "that end within nine hours", got, want)

	q = gateway.ListQuery{Remaining: 9 * time.Hour, Limit: 1}
	want = nil
	for _, note := range slices.Sorted(maps.Keys(links)) {
		if l := links[note]; !l.Ended() && l.ExpiresAt.After(c.now.Add(q.Remaining)) {
			want = append(want, note)
		}
	}
	got = notesOf(listed(t, s, q, func() { c.step(time.Minute) }))
	slices.Sort(got)
	equal(t, "that end later than in nine hours", got, want)

	start := c.now
	first := gateway.BulkOptions{DryRun: true}
	q = gateway.ListQuery{Age: 24 * time.Hour}
	matched := 0
	for calls := 0; ; calls++ {
		result, err := s.RevokeAll(t.Context(), q, first, operator())
		if err != nil || calls > 20 {
			t.Fatalf("call %d: %v", calls, err)
		}
		matched += result.Matched
		if first.Cursor = result.Next; result.Next == "" {
			break
		}
		c.step(12 * time.Hour)
	}
	if matched == 0 {
		t.Errorf("no link was issued within a day before %v", start)
	}
}

// TestFilterCursors gives a listing the cursor of one with other filters.
func TestFilterCursors(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	filtered(t, c, s, 12)
	queries := map[string]gateway.ListQuery{
		"everything": {}, "states": {States: []gateway.State{gateway.StateActive, gateway.StatePaused}},
		"labels": {Labels: map[string]string{"team": "x", "case": "0"}}, "label": {Labels: map[string]string{"team": "x"}},
		"since": {Since: c.now.Add(-time.Hour * 24)}, "age": {Age: 24 * time.Hour}, "unused": {Unused: true},
		"ends within": {EndsWithin: 100 * time.Hour}, "remaining": {Remaining: time.Second},
		"ends after": {EndsAfter: c.now.Add(time.Second)},
	}
	for of, q := range queries {
		q.Limit = 1
		page, err := s.List(t.Context(), q)
		if err != nil || page.Next == "" || page.Searched == 0 {
			t.Fatalf("%s: %+v, %v", of, page, err)
		}
		for at, other := range queries {
			other.Limit, other.Cursor = 1, page.Next
			if _, err := s.List(t.Context(), other); (err == nil) != (of == at) {
				t.Errorf("the cursor of %s for %s: %v", of, at, err)
			}
		}
	}
}

// TestSinceEndsTheSearch expects a listing of new links to examine no old ones.
func TestSinceEndsTheSearch(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	for range 300 {
		create(t, s, newLink(t))
	}
	c.step(time.Hour)
	fresh := create(t, s, newLink(t))
	page, err := s.List(t.Context(), gateway.ListQuery{Age: time.Minute, Limit: 50})
	if err != nil || len(page.Links) != 1 || page.Links[0].ID != fresh.ID || page.Next != "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	equal(t, "examined entries", page.Searched, 1)
}

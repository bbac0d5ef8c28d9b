package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyhole/gateway"
)

func testChange(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := restrict(t, s, limited(t, 3))
	spend(t, s, link.ID, "")
	change := func(id gateway.ID, c gateway.Change) (gateway.Link, error) {
		c.Window, c.Longest = window, max(c.Longest, 24*time.Hour)
		return s.Change(t.Context(), id, c, gateway.Origin{Actor: "bob", Address: "192.0.2.8"})
	}
	note, labels := "new", map[string]string{"team": "audit", "case": "7"}
	changed, err := change(link.ID, gateway.Change{Note: &note, Labels: &labels, MaxClicks: 5, Life: 2 * time.Hour})
	if err != nil {
		t.Fatalf("change: %v", err)
	}
	want := link
	want.Note, want.Labels, want.MaxClicks, want.Clicks, want.Preset = note, labels, 5, 1, gateway.PresetCustom
	want.ExpiresAt = changed.ExpiresAt
	equal(t, "changed", plain(changed), plain(want))
	equal(t, "got", plain(get(t, s, link.ID)), plain(want))
	if longer := changed.ExpiresAt.Sub(link.ExpiresAt); longer < 59*time.Minute || longer > 61*time.Minute {
		t.Errorf("it lives %v longer, want an hour", longer)
	}
	if left := attempt(t, s, gateway.Attempt{ID: link.ID, Method: "GET"}).Permission.Remaining; left < 119*time.Minute {
		t.Errorf("%v left", left)
	}

	paused := true
	if changed, err = change(link.ID, gateway.Change{Paused: &paused}); err != nil ||
		changed.State != gateway.StatePaused {
		t.Errorf("pause: %s, %v", changed.State, err)
	}
	equal(t, "while paused", admit(t, s, link.ID, "GET"), gateway.OutcomePaused)
	equal(t, "spend while paused", spend(t, s, link.ID, "").Outcome, gateway.OutcomePaused)
	if _, err = change(link.ID, gateway.Change{Paused: &paused}); err != nil {
		t.Errorf("pause again: %v", err)
	}
	paused = false
	if changed, err = change(link.ID, gateway.Change{Paused: &paused, Note: &note}); err != nil ||
		changed.State != gateway.StateActive {
		t.Errorf("resume: %s, %v", changed.State, err)
	}
	equal(t, "after the pause", spend(t, s, link.ID, "").Outcome, gateway.OutcomeRedirected)

	var refused *gateway.ChangeError
	if _, err = change(link.ID, gateway.Change{MaxClicks: 1}); !errors.As(err, &refused) ||
		refused.Limit != gateway.LimitClicks || refused.Clicks != 2 {
		t.Errorf("below the clicks: %v", err)
	}
	if _, err = change(link.ID, gateway.Change{Life: 24*time.Hour + time.Second}); !errors.As(err, &refused) ||
		refused.Limit != gateway.LimitLife || refused.Longest < 23*time.Hour || refused.Longest > 24*time.Hour {
		t.Errorf("over the longest life: %v", err)
	}
	// The time since the issue makes this life too long by less than a second.
	atLimit := create(t, s, newLink(t))
	changed, err = change(atLimit.ID, gateway.Change{Life: 24 * time.Hour})
	if err != nil || !changed.ExpiresAt.Equal(atLimit.CreatedAt.Add(24*time.Hour)) {
		t.Errorf("extended to the limit: it ends at %v, %v", changed.ExpiresAt, err)
	}
	if _, _, err := s.Revoke(t.Context(), atLimit.ID, "", operator()); err != nil {
		t.Fatal(err)
	}
	later := newLink(t)
	later.NotBefore = time.Now().Add(30 * time.Minute)
	restrict(t, s, later)
	if _, err = change(later.ID, gateway.Change{Life: 10 * time.Minute}); !errors.Is(err, gateway.ErrNeverValid) {
		t.Errorf("an end before the start: %v", err)
	}

	if changed, err = change(link.ID, gateway.Change{MaxClicks: 2}); err != nil || changed.State != gateway.StateUsedUp {
		t.Errorf("no clicks left: %s, %v", changed.State, err)
	}
	if _, err = change(link.ID, gateway.Change{MaxClicks: 9}); !errors.Is(err, gateway.ErrEnded) {
		t.Errorf("change what is used up: %v", err)
	}
	if _, err = change(newID(t), gateway.Change{Note: &note}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("change what never was: %v", err)
	}
	list, err := s.Events(t.Context(), link.ID, "", 50)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	var kinds []gateway.EventKind
	for _, e := range list.Events {
		if e.Method == "" {
			kinds = append(kinds, e.Kind)
		}
	}
	equal(t, "operators' events", kinds, []gateway.EventKind{
		gateway.EventChanged, gateway.EventResumed, gateway.EventPaused, gateway.EventChanged, gateway.EventIssued,
	})

	plainLink := create(t, s, newLink(t))
	if changed, err = change(plainLink.ID, gateway.Change{Paused: new(true), Life: 90 * time.Second}); err != nil ||
		changed.State != gateway.StatePaused {
		t.Errorf("pause a plain link: %s, %v", changed.State, err)
	}
	active, err := s.Active(t.Context())
	if err != nil || active != 2 {
		t.Errorf("%d links are active, %v; want the later one and the paused one", active, err)
	}
	// Changes at the same time are all made, one after the other.
	var changing sync.WaitGroup
	for i := range 4 {
		changing.Go(func() {
			if _, err := change(plainLink.ID, gateway.Change{Note: new(fmt.Sprint(i))}); err != nil {
				t.Errorf("change at once: %v", err)
			}
		})
	}
	changing.Wait()
}

// testRelabel finds links by their current labels, in order of issue.
func testRelabel(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	const links = 150
	ids := make([]gateway.ID, links)
	for i := range ids {
		link := newLink(t)
		link.ID[0] = 5 // one partition, so that chunks fill up
		link.Labels = map[string]string{"n": fmt.Sprint(i % 3)}
		ids[i] = create(t, s, link).ID
	}
	relabel := func(i int, labels map[string]string) {
		t.Helper()
		if _, err := s.Change(t.Context(), ids[i], gateway.Change{Labels: &labels}, operator()); err != nil {
			t.Fatalf("change: %v", err)
		}
	}
	want := map[string][]int{}
	for i := range links {
		label := fmt.Sprint(i % 3)
		switch i % 5 {
		case 0: // to another
			label = "0"
			relabel(i, map[string]string{"n": label})
		case 1: // away and back
			relabel(i, map[string]string{})
			relabel(i, map[string]string{"n": label})
		case 2:
			label = "new"
			relabel(i, map[string]string{"n": label, "m": "x"})
		}
		want[label] = append(want[label], i)
	}
	for label, members := range want {
		var got []int
		var newer time.Time
		for cursor := ""; ; {
			page, err := s.List(t.Context(), gateway.ListQuery{Labels: map[string]string{"n": label}, Limit: 7, Cursor: cursor})
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			for i := range page.Links {
				got = append(got, slices.Index(ids, page.Links[i].ID))
				if at := page.Links[i].CreatedAt; i > 0 && at.After(newer) {
					t.Errorf("label %s: a link of %v stands behind one of %v", label, at, newer)
				}
				newer = page.Links[i].CreatedAt
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		slices.Sort(got) // within a millisecond, the link that was labelled last comes first
		equal(t, "label "+label, got, members)
	}
}

// testRevision expects another revision after each change, and refuses a change of any
// revision but the current one.
func testRevision(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := create(t, s, newLink(t))
	seen := map[string]string{link.Revision: "issue"}
	get := func() string {
		t.Helper()
		now, err := s.Get(t.Context(), link.ID)
		if err != nil {
			t.Fatal(err)
		}
		return now.Revision
	}
	equal(t, "after the issue", get(), link.Revision)
	equal(t, "click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	equal(t, "after a click", get(), link.Revision)
	note, yes, no := "another", true, false
	for what, change := range map[string]gateway.Change{
		"note": {Note: &note}, "pause": {Paused: &yes}, "expiry": {Life: 2 * time.Hour, Longest: 24 * time.Hour},
	} {
		change.Revision = get()
		changed, err := s.Change(t.Context(), link.ID, change, operator())
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		equal(t, what+" as it is read", get(), changed.Revision)
		if before, ok := seen[changed.Revision]; ok {
			t.Errorf("after %s it is the one of %s", what, before)
		}
		seen[changed.Revision] = what
	}
	last := get()
	if _, err := s.Change(t.Context(), link.ID, gateway.Change{Note: &note, Revision: last}, operator()); err != nil {
		t.Errorf("the same note: %v", err)
	}
	equal(t, "after what changed nothing", get(), last)
	for revision := range seen {
		if revision == last {
			continue
		}
		_, err := s.Change(t.Context(), link.ID, gateway.Change{Paused: &no, Revision: revision}, operator())
		if !errors.Is(err, gateway.ErrChanged) {
			t.Errorf("of an earlier revision: got %v, want ErrChanged", err)
		}
	}
	equal(t, "after what was refused", get(), last)
}

// TestOneOfManyChangesARevision lets many callers change the same revision at the same
// time: one of them succeeds.
func TestOneOfManyChangesARevision(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	var done atomic.Int64
	var changing sync.WaitGroup
	for i := range 20 {
		changing.Go(func() {
			_, err := s.Change(t.Context(), link.ID, gateway.Change{
				Life: time.Duration(i+1) * time.Minute, Longest: 24 * time.Hour, Revision: link.Revision,
			}, operator())
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, gateway.ErrChanged):
				t.Errorf("got %v, want ErrChanged", err)
			}
		})
	}
	changing.Wait()
	equal(t, "changes", done.Load(), 1)
}

package redisstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// TestClicksTogether sends GET, HEAD and POST for one link at the same time, so that they
// share calls: each GET and POST is counted once, HEAD is not.
func TestClicksTogether(t *testing.T) {
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	const rounds, each = 10, 20
	for range rounds {
		var clicking sync.WaitGroup
		for range each {
			for _, method := range []string{"HEAD", "GET", "HEAD", "POST"} {
				clicking.Go(func() {
					a, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
					if err != nil || a.Outcome != gateway.OutcomeRedirected {
						t.Errorf("%s: %s, %v", method, a.Outcome, err)
					}
				})
			}
		}
		clicking.Wait()
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 2*rounds*each)
}

// TestChangesTogether changes the note and the labels of one link at the same time:
// neither change undoes the other.
func TestChangesTogether(t *testing.T) {
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	for n := range 50 {
		note, labels := fmt.Sprint(n), map[string]string{"n": fmt.Sprint(n)}
		var changing sync.WaitGroup
		for _, change := range []gateway.Change{{Note: &note}, {Labels: &labels}} {
			changing.Go(func() {
				if _, err := s.Change(t.Context(), link.ID, change, operator()); err != nil {
					t.Errorf("change: %v", err)
				}
			})
		}
		changing.Wait()
		changed := get(t, s, link.ID)
		equal(t, "after both", []string{changed.Note, changed.Labels["n"]}, []string{note, note})
	}
}

// TestLimitOfAPlainLink sets a click limit for a link without confirmation: its record
// has no place for one.
func TestLimitOfAPlainLink(t *testing.T) {
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	_, err := s.Change(t.Context(), link.ID, gateway.Change{MaxClicks: 5}, operator())
	var refused *gateway.ChangeError
	if !errors.As(err, &refused) || refused.Limit != gateway.LimitClicks {
		t.Errorf("got %v, want a refusal because of its clicks", err)
	}
	equal(t, "the link", plain(get(t, s, link.ID)), plain(link))
}

// TestChangedLimitCounts raises and lowers the click limit of a link: exactly the last
// limit is spent.
func TestChangedLimitCounts(t *testing.T) {
	s := open(t, startSingle(t).client)
	for _, tt := range []struct{ before, after int64 }{{2, 4}, {5, 3}} {
		link := restrict(t, s, limited(t, tt.before))
		spend(t, s, link.ID, "")
		limit := gateway.Change{MaxClicks: tt.after, Window: window}
		if _, err := s.Change(t.Context(), link.ID, limit, operator()); err != nil {
			t.Fatalf("change: %v", err)
		}
		spent := int64(1)
		for spend(t, s, link.ID, "").Outcome == gateway.OutcomeRedirected {
			spent++
		}
		equal(t, "spent of a limit that was changed", spent, tt.after)
	}
}

// TestLongerIsARevision prolongs a link twice. Even if only the end changes, each change
// is an event and a revision.
func TestLongerIsARevision(t *testing.T) {
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	revisions := map[string]bool{link.Revision: true}
	for n := range 2 {
		longer := gateway.Change{Life: time.Duration(n+2) * time.Hour, Longest: 24 * time.Hour}
		changed, err := s.Change(t.Context(), link.ID, longer, operator())
		if err != nil {
			t.Fatalf("change: %v", err)
		}
		revisions[changed.Revision] = true
	}
	equal(t, "revisions", len(revisions), 3)
	equal(t, "events", len(events(t, s, link.ID, 10)), 3)
}

// TestLastHundredDownloads mixes downloads with refusals: the last hundred downloads are
// always there, even right after the list was trimmed.
func TestLastHundredDownloads(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	refused := gateway.Attempt{ID: link.ID, Method: "POST"}
	downloads := 0
	for n := range 600 {
		if n%4 == 3 {
			if err := s.RecordEvent(t.Context(), refused, gateway.EventRefused, gateway.OutcomeBadRequest); err != nil {
				t.Fatalf("note: %v", err)
			}
		} else {
			admit(t, s, link.ID, "GET")
			downloads++
		}
		if n < 130 {
			continue
		}
		list, err := s.Events(t.Context(), link.ID, "", 200)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		count := map[gateway.EventKind]int{}
		for _, e := range list.Events {
			count[e.Kind]++
		}
		if count[gateway.EventRedirected] < min(downloads, 100) || count[gateway.EventRefused] > 32 {
			t.Fatalf("after %d downloads there are %v", downloads, count)
		}
	}
}

// TestTriesInTheirWindow sets the clock between attempts: each attempt counts for the
// whole window and no longer, and a release removes only the right one.
func TestTriesInTheirWindow(t *testing.T) {
	const minute = time.Minute
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	var link gateway.Link
	fresh := func() {
		link = newLink(t)
		link.Passphrase = true
		restrict(t, s, link, 24*time.Hour)
	}
	reserve := func(clientKey string, want time.Duration) gateway.PassphraseAttempt {
		t.Helper()
		tried, err := s.ReserveAttempt(t.Context(), link.ID, clientKey)
		if err != nil {
			t.Fatalf("try: %v", err)
		}
		if (tried.Reserved != "") != (want == 0) || tried.Wait != want {
			t.Errorf("%s: reserved %q, wait %v; want %v", clientKey, tried.Reserved, tried.Wait, want)
		}
		return tried
	}
	kept := func(want int) {
		t.Helper()
		list, err := c.server.List(keyOf("t", link.ID))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tries that are kept", len(list)-1, want) // the first element keeps the key
	}

	fresh()
	reserve("client-a", 0)
	right := reserve("client-a", 0) // in the same millisecond
	if err := s.ReleaseAttempt(t.Context(), link.ID, right); err != nil {
		t.Fatalf("untry: %v", err)
	}
	kept(1)

	fresh()
	for range 5 {
		reserve("client-a", 0)
		c.step(minute)
	}
	reserve("client-a", 10*minute) // until the first attempt is out of the window
	c.step(10*minute - time.Millisecond)
	reserve("client-a", time.Millisecond)
	c.step(time.Millisecond)
	kept(5)
	reserve("client-a", 0)
	kept(5)

	nine := func() {
		fresh()
		for i := range 9 {
			reserve([]string{"client-a", "client-b", "client-c"}[i%2+i/8*2], 0)
			c.step(time.Second)
		}
	}
	nine()
	reserve("client-d", 0) // the tenth
	reserve("client-c", 15*minute-9*time.Second)
	reserve("newcomer", minute) // has not failed yet
	c.step(minute)
	equal(t, "tries above the limit of the link", reserve("newcomer", 0).Left, 0)

	nine()
	c.step(14 * minute)
	reserve("client-d", 0) // the tenth
	// Both wait until the first attempt is out of the window, before the pause ends.
	reserve("client-c", minute-9*time.Second)
	reserve("newcomer", minute-9*time.Second)
	c.step(minute - 9*time.Second)
	reserve("client-c", 0)           // the tenth again
	reserve("client-d", time.Second) // until the second attempt is out of the window
	c.step(time.Second - time.Millisecond)
	reserve("newcomer", time.Millisecond)
	c.step(time.Millisecond)
	reserve("newcomer", 0)
}

// TestActiveByCounter keeps the live counter correct after it was lost, when links end
// before others that were issued earlier, and when it is empty.
func TestActiveByCounter(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	active := func(what string, want int64) {
		t.Helper()
		if n, err := s.Active(t.Context()); n != want || err != nil {
			t.Errorf("%s: %d links are live, %v; want %d", what, n, err, want)
		}
	}
	issue := func(life time.Duration) gateway.ID {
		link := newLink(t)
		link.ID[0] = 9 // all in one partition
		return create(t, s, link, life).ID
	}
	const counter = "keyhole:{p9}:active"
	lost := issue(time.Hour)
	c.server.Del(counter)
	if changed, err := revokes(t, s, lost); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	active("after a revocation of what the counter has lost", 0)
	last := issue(time.Hour)
	active("after another issue", 1)
	if changed, err := revokes(t, s, last); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	if fields, err := c.server.HKeys(counter); err != nil || len(fields) != 2 {
		t.Errorf("an empty counter has the fields %q, %v; want h and n", fields, err)
	}

	c.server.Del(counter)
	issue(30 * time.Hour)
	issue(90 * time.Second)
	active("after a long one and a short one", 2)
	c.step(3 * time.Minute)
	active("after the end of the short one", 1)

	issue(2 * time.Minute) // both end in this hour
	issue(20 * time.Minute)
	active("after two more", 3)
	c.step(4 * time.Minute)
	active("after the end of the first of them", 2)
	c.step(20 * time.Minute)
	active("after the end of both", 1)
}

// TestRelabelOfTheSameMoment gives a link a label of another link from the same moment,
// whose entry begins a chunk of the index: a listing with one link per page shows both.
func TestRelabelOfTheSameMoment(t *testing.T) {
	t.Parallel()
	const chunk = 32 // entries, in lua/index.lua
	for _, second := range [][2]byte{{0, 255}, {255, 0}} {
		c := startClock(t)
		s := open(t, c.client)
		issue := func(second byte, labels map[string]string) gateway.ID {
			link := newLink(t)
			link.ID[0], link.ID[1], link.Labels = 3, second, labels
			return create(t, s, link).ID
		}
		labels := map[string]string{"n": "1"}
		for range chunk {
			issue(9, labels)
			c.step(time.Second)
		}
		issue(second[0], labels)
		later := issue(second[1], nil)
		if _, err := s.Change(t.Context(), later, gateway.Change{Labels: &labels}, operator()); err != nil {
			t.Fatalf("change: %v", err)
		}
		equal(t, "listed", len(listed(t, s, gateway.ListQuery{Labels: map[string]string{"n": "1"}, Limit: 1})), chunk+2)
	}
}

// TestExtendedLinkIsServed performs every operation on links of the newest version of
// records.
func TestExtendedLinkIsServed(t *testing.T) {
	s := open(t, startSingle(t).client)
	extended := limited(t, 2)
	extended.Language = "de"
	link := restrict(t, s, extended)
	page := gateway.Attempt{ID: link.ID, Method: "GET", Page: true}
	equal(t, "a page", attempt(t, s, page).Outcome, gateway.OutcomePage)
	equal(t, "a click", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeRedirected)
	note := "n"
	changed, err := s.Change(t.Context(), link.ID, gateway.Change{Note: &note}, operator())
	if err != nil || changed.Language != "de" || changed.Note != note {
		t.Errorf("a change: %q, %q, %v", changed.Language, changed.Note, err)
	}
	equal(t, "events", len(events(t, s, link.ID, 10)), 4)
	if ended, err := revokes(t, s, link.ID); !ended || err != nil {
		t.Errorf("a revocation: changed %v, %v", ended, err)
	}
	equal(t, "a click after it", spend(t, s, link.ID, "page").Outcome, gateway.OutcomeRevoked)
}

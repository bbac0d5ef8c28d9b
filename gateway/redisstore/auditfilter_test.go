package redisstore_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// mustFilter returns a filter of addresses.
func mustFilter(t *testing.T, text string) gateway.AddressFilter {
	t.Helper()
	f, err := gateway.ParseAddressFilter(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// testAuditFilters compares the feed by each filter with the events that the filter
// describes, in both orders and with small and large pages.
func testAuditFilters(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	labels := map[gateway.ID]map[string]string{}
	for i := range 24 {
		link := newLink(t)
		link.Ref.Bucket = []string{"reports", "web"}[i%2]
		link.Ref.Key = fmt.Sprintf("%s/%d", []string{"a", "a/b", "b"}[i%3], i%4)
		link.CreatedBy = []string{"alice", "bob"}[i%2]
		link.Labels = map[string]string{"team": []string{"x", "y"}[i%2], "case": fmt.Sprint(i % 3)}
		id := create(t, s, link).ID
		labels[id] = link.Labels
		click := gateway.Attempt{ID: id, Method: "GET", Address: fmt.Sprintf("192.0.2.%d", i%5)}
		if _, err := s.Admit(t.Context(), click); err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			if err := s.RecordEvent(t.Context(), click, gateway.EventRefused, gateway.OutcomeWrongPassphrase); err != nil {
				t.Fatal(err)
			}
		}
		if i%5 == 0 {
			if _, _, err := s.Revoke(t.Context(), id, "leak", operator()); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, _ := feedOf(t, s, gateway.AuditQuery{Limit: 500})
	buckets := []string{"reports", "web"}
	key := func(e gateway.AuditEvent, bucket, key string) bool { return e.Ref.Bucket == bucket && e.Ref.Key == key }
	for name, test := range map[string]struct {
		query  gateway.AuditQuery
		wanted func(e gateway.AuditEvent) bool
	}{
		"object": {
			gateway.AuditQuery{Bucket: "reports", Key: "a/0"},
			func(e gateway.AuditEvent) bool { return key(e, "reports", "a/0") },
		},
		"object that no link has": {
			gateway.AuditQuery{Bucket: "reports", Key: "a"}, func(gateway.AuditEvent) bool { return false },
		},
		"downloads of an object": {
			gateway.AuditQuery{Bucket: "reports", Key: "a/0", Kind: gateway.EventRedirected},
			func(e gateway.AuditEvent) bool { return key(e, "reports", "a/0") && e.Kind == gateway.EventRedirected },
		},
		"key in any bucket": {
			gateway.AuditQuery{Buckets: buckets, Key: "a/b/1"},
			func(e gateway.AuditEvent) bool { return e.Ref.Key == "a/b/1" },
		},
		"prefix": {
			gateway.AuditQuery{Bucket: "web", Prefix: "a/b/"},
			func(e gateway.AuditEvent) bool { return e.Ref.Bucket == "web" && strings.HasPrefix(e.Ref.Key, "a/b/") },
		},
		"bucket": {
			gateway.AuditQuery{Bucket: "web"}, func(e gateway.AuditEvent) bool { return e.Ref.Bucket == "web" },
		},
		"label": {
			gateway.AuditQuery{Labels: map[string]string{"team": "x"}},
			func(e gateway.AuditEvent) bool { return labels[e.Link]["team"] == "x" },
		},
		"labels": {
			gateway.AuditQuery{Labels: map[string]string{"team": "x", "case": "2"}},
			func(e gateway.AuditEvent) bool { return labels[e.Link]["team"] == "x" && labels[e.Link]["case"] == "2" },
		},
		"actor": {
			gateway.AuditQuery{Actor: "bob"}, func(e gateway.AuditEvent) bool { return e.Actor == "bob" },
		},
		"actor and kind": {
			gateway.AuditQuery{Actor: "alice", Kind: gateway.EventRevoked},
			func(e gateway.AuditEvent) bool { return e.Actor == "alice" && e.Kind == gateway.EventRevoked },
		},
		"outcome": {
			gateway.AuditQuery{Outcome: gateway.OutcomeWrongPassphrase},
			func(e gateway.AuditEvent) bool { return e.Outcome == gateway.OutcomeWrongPassphrase },
		},
		"outcome of downloads": {
			gateway.AuditQuery{Outcome: gateway.OutcomeRedirected},
			func(e gateway.AuditEvent) bool { return e.Outcome == gateway.OutcomeRedirected },
		},
		"address": {
			gateway.AuditQuery{Address: mustFilter(t, "192.0.2.3")},
			func(e gateway.AuditEvent) bool { return e.Address == "192.0.2.3" },
		},
		"network": {
			gateway.AuditQuery{Address: mustFilter(t, "192.0.2.2/31"), Bucket: "reports"},
			func(e gateway.AuditEvent) bool {
				return (e.Address == "192.0.2.2" || e.Address == "192.0.2.3") && e.Ref.Bucket == "reports"
			},
		},
		"scope": {
			gateway.AuditQuery{
				Labels: map[string]string{"case": "1"}, Match: func(r gateway.ObjectRef) bool { return r.Bucket == "web" },
			},
			func(e gateway.AuditEvent) bool { return labels[e.Link]["case"] == "1" && e.Ref.Bucket == "web" },
		},
	} {
		want := summaries(slices.DeleteFunc(slices.Clone(all), func(e gateway.AuditEvent) bool { return !test.wanted(e) }))
		for _, limit := range []int{3, 500} {
			for _, oldest := range []bool{false, true} {
				q := test.query
				q.Limit, q.Oldest = limit, oldest
				if limit == 3 && oldest {
					continue // feedOf takes an empty page for the end, and pages can be empty before it
				}
				got, _ := feedOf(t, s, q)
				equal(t, fmt.Sprintf("%s, pages of %d, the oldest first: %v", name, limit, oldest), summaries(got), want)
			}
		}
	}
}

// TestShortAuditCursors reads a feed over all partitions, in both orders, with a new
// cursor after each page: no cursor has more than 512 characters, and every event comes
// once.
func TestShortAuditCursors(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	s := open(t, g.client)
	const links = 256
	for i := range links {
		link := newLink(t)
		link.ID[0] = byte(i)
		id := create(t, s, link).ID
		admit(t, s, id, "GET")
		refused := gateway.Attempt{ID: id, Method: "GET", Address: "192.0.2.3"}
		if err := s.RecordEvent(t.Context(), refused, gateway.EventRefused, gateway.OutcomeRateLimited); err != nil {
			t.Fatal(err)
		}
	}
	for _, oldest := range []bool{false, true} {
		q := gateway.AuditQuery{Limit: 11, Oldest: oldest}
		seen := map[string]bool{}
		longest := 0
		for {
			page, err := s.Audit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				if seen[e.ID] {
					t.Errorf("%s came twice", e.ID)
				}
				seen[e.ID] = true
			}
			longest = max(longest, len(page.Next))
			if q.Cursor = page.Next; page.Next == "" || oldest && !page.More {
				break
			}
		}
		equal(t, "events", len(seen), 3*links)
		if longest > 512 || longest == 0 {
			t.Errorf("a cursor has %d characters", longest)
		}
	}
}

// TestAuditAfterClockStep sets the clock back between two pages with the oldest event
// first: the feed still has the event of the earlier time, because no stream has passed it.
func TestAuditAfterClockStep(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	early, late := newLink(t), newLink(t)
	early.ID[0], late.ID[0] = 1, 2
	create(t, s, early)
	c.step(time.Minute)
	create(t, s, late)
	q := gateway.AuditQuery{Limit: 10, Oldest: true}
	_, q.Cursor = feedOf(t, s, q)
	c.step(-30 * time.Second)
	admit(t, s, early.ID, "GET")
	got, _ := feedOf(t, s, q)
	if len(got) != 1 || got[0].Link != early.ID {
		t.Errorf("got %v", summaries(got))
	}
}

// TestAuditBudget searches for one event among thousands. A page is short rather than
// late and says how many events it examined. The events of one object are found at once,
// because only its partition is searched.
func TestAuditBudget(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	s := open(t, g.client)
	needle := newLink(t)
	needle.Ref.Key = "needle"
	id := create(t, s, needle).ID
	each(11_000, func(int) { create(t, s, newLink(t)) })
	pages := func(q gateway.AuditQuery) (count, searched int) {
		t.Helper()
		found := 0
		for q.Limit = 50; ; count++ {
			page, err := s.Audit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			searched, found = searched+page.Searched, found+len(page.Events)
			if q.Cursor = page.Next; page.Next == "" || q.Oldest && !page.More {
				equal(t, "events", found, 1)
				return count + 1, searched
			}
		}
	}
	match := func(r gateway.ObjectRef) bool { return r.Key == "needle" }
	count, searched := pages(gateway.AuditQuery{Match: match})
	equal(t, "pages by scope", count, 3)
	equal(t, "examined by scope", searched, 11_001)
	count, searched = pages(gateway.AuditQuery{Bucket: needle.Ref.Bucket, Key: "needle", Match: match})
	equal(t, "pages by object", count, 1)
	if searched > 1000 {
		t.Errorf("%d events examined for one object", searched)
	}
	count, _ = pages(gateway.AuditQuery{Link: id, Oldest: true})
	equal(t, "pages by link", count, 1)
	count, _ = pages(gateway.AuditQuery{Bucket: needle.Ref.Bucket, Key: "needle", Oldest: true})
	equal(t, "pages by object, the oldest first", count, 3)
}

// TestAuditCursorsOfFilters gives the feed the cursor of a feed with other filters.
func TestAuditCursorsOfFilters(t *testing.T) {
	t.Parallel()
	s := open(t, startMini(t).client)
	for range 3 {
		admit(t, s, create(t, s, newLink(t)).ID, "GET")
	}
	ref := newLink(t).Ref
	queries := map[string]gateway.AuditQuery{
		"everything": {}, "bucket": {Bucket: ref.Bucket}, "key": {Bucket: ref.Bucket, Key: ref.Key},
		"prefix": {Bucket: ref.Bucket, Prefix: ref.Key}, "label": {Labels: map[string]string{"team": "audit"}},
		"actor": {Actor: operator().Actor}, "outcome": {Outcome: gateway.OutcomeRedirected},
		"address": {Address: mustFilter(t, "203.0.113.9")}, "network": {Address: mustFilter(t, "203.0.113.0/24")},
	}
	for of, q := range queries {
		q.Limit = 1
		page, err := s.Audit(t.Context(), q)
		if err != nil || page.Next == "" {
			t.Fatalf("%s: %+v, %v", of, page, err)
		}
		if raw, err := base64.RawURLEncoding.DecodeString(page.Next); err != nil || strings.Contains(string(raw), ref.Key) {
			t.Errorf("%s: the cursor %s, %v", of, page.Next, err)
		}
		for at, other := range queries {
			other.Limit, other.Cursor = 1, page.Next
			if _, err := s.Audit(t.Context(), other); (err == nil) != (of == at) {
				t.Errorf("the cursor of %s for %s: %v", of, at, err)
			}
		}
	}
}

// A page of events before the first one asks no stream backwards, which would walk through
// all of it.
func TestAuditUntilBeforeTheFirst(t *testing.T) {
	t.Parallel()
	target := startSingle(t)
	s := open(t, target.client)
	create(t, s, newLink(t))
	for want, until := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
		before := target.nodes[0].MustDo(t, "INFO", "commandstats")
		page, err := s.Audit(t.Context(), gateway.AuditQuery{Limit: 50, Until: until})
		if err != nil || len(page.Events) != want {
			t.Fatalf("%v: %d events, %v", until, len(page.Events), err)
		}
		after := target.nodes[0].MustDo(t, "INFO", "commandstats")
		const backwards = "cmdstat_xrevrange"
		if walked := strings.Contains(after, backwards) && !strings.Contains(before, backwards); walked != (want == 1) {
			t.Errorf("%v: the streams were read backwards: %t", until, walked)
		}
	}
}

package redisstore_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// listed returns the links of all pages. It fails the test for a page above the limit,
// and for a listing that does not end.
func listed(t *testing.T, s *redisstore.Store, q gateway.ListQuery, between ...func()) []gateway.Link {
	t.Helper()
	var all []gateway.Link
	for range 1000 {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		if len(page.Links) > q.Limit {
			t.Fatalf("%d links on a page of %d", len(page.Links), q.Limit)
		}
		all = append(all, page.Links...)
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
		for _, f := range between {
			f()
		}
	}
	t.Fatal("the listing does not end")
	return nil
}

// notesOf returns the notes of links; these tests number links by their notes.
func notesOf(links []gateway.Link) []string {
	notes := make([]string, len(links))
	for i, link := range links {
		notes[i] = link.Note
	}
	return notes
}

// numbered creates n links that differ in every attribute of a filter. They are in few
// partitions, so that chunks of the index fill up.
func numbered(t *testing.T, s *redisstore.Store, n int) []gateway.Link {
	t.Helper()
	links := make([]gateway.Link, n)
	for i := range links {
		link := newLink(t)
		link.ID[0] = byte(i % 3 * 20)
		link.Note = fmt.Sprintf("%04d", i)
		link.Ref.Bucket = []string{"archive", "reports", "web"}[i%3]
		link.Ref.Key = fmt.Sprintf("%s/%02d", []string{"a", "a/b", "a%b", "ab", "é"}[i%5], i%7)
		link.CreatedBy = []string{"alice", "bob"}[i%2]
		link.Labels = map[string]string{"team": []string{"x", "y", ""}[i%3]}
		if i%4 == 0 {
			link.Labels["even"] = "twice"
		}
		links[i] = create(t, s, link)
		if i%10 == 0 {
			revoked, _, err := s.Revoke(t.Context(), link.ID, "", operator())
			if err != nil {
				t.Fatalf("revoke: %v", err)
			}
			links[i] = revoked
		}
	}
	return links
}

func testList(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	links := numbered(t, s, 300)
	byKey := func(a, b gateway.Link) int {
		return strings.Compare(a.Ref.Bucket+"\x00"+a.Ref.Key+"\x00"+string(a.ID[:]),
			b.Ref.Bucket+"\x00"+b.Ref.Key+"\x00"+string(b.ID[:]))
	}
	all := []string{"web", "reports", "archive", "empty"}
	for name, test := range map[string]struct {
		query  gateway.ListQuery
		wanted func(l gateway.Link) bool
	}{
		"everything": {gateway.ListQuery{}, func(gateway.Link) bool { return true }},
		"state": {
			gateway.ListQuery{States: []gateway.State{gateway.StateRevoked}},
			func(l gateway.Link) bool { return l.State == gateway.StateRevoked },
		},
		"bucket":    {gateway.ListQuery{Bucket: "web"}, func(l gateway.Link) bool { return l.Ref.Bucket == "web" }},
		"no bucket": {gateway.ListQuery{Bucket: "we"}, func(gateway.Link) bool { return false }},
		"creator":   {gateway.ListQuery{CreatedBy: "bob"}, func(l gateway.Link) bool { return l.CreatedBy == "bob" }},
		"label": {
			gateway.ListQuery{Labels: map[string]string{"even": "twice"}},
			func(l gateway.Link) bool { return l.Labels["even"] == "twice" },
		},
		"empty label": {
			gateway.ListQuery{Labels: map[string]string{"team": ""}},
			func(l gateway.Link) bool { return l.Labels["team"] == "" },
		},
		"prefix": {
			gateway.ListQuery{Bucket: "reports", Prefix: "a/"},
			func(l gateway.Link) bool { return l.Ref.Bucket == "reports" && strings.HasPrefix(l.Ref.Key, "a/") },
		},
		"prefix is literal": {
			gateway.ListQuery{Buckets: all, Prefix: "a%"},
			func(l gateway.Link) bool { return strings.HasPrefix(l.Ref.Key, "a%") },
		},
		"prefix over buckets": {
			gateway.ListQuery{Buckets: all, Prefix: "a"},
			func(l gateway.Link) bool { return strings.HasPrefix(l.Ref.Key, "a") },
		},
		"prefix of half a letter": {
			gateway.ListQuery{Buckets: all, Prefix: "\xc3"},
			func(l gateway.Link) bool { return strings.HasPrefix(l.Ref.Key, "é") },
		},
		"key": {
			gateway.ListQuery{Bucket: "archive", Key: "a/03"},
			func(l gateway.Link) bool { return l.Ref.Bucket == "archive" && l.Ref.Key == "a/03" },
		},
		"all of them": {
			gateway.ListQuery{
				States: []gateway.State{gateway.StateActive}, Bucket: "archive", Prefix: "a", CreatedBy: "bob",
				Labels: map[string]string{"team": "x"},
			},
			func(l gateway.Link) bool {
				return l.State == gateway.StateActive && l.Ref.Bucket == "archive" && l.Ref.Key[0] == 'a' &&
					l.CreatedBy == "bob" && l.Labels["team"] == "x"
			},
		},
		"scope": {
			gateway.ListQuery{CreatedBy: "alice", Match: func(r gateway.ObjectRef) bool { return r.Bucket == "web" }},
			func(l gateway.Link) bool { return l.CreatedBy == "alice" && l.Ref.Bucket == "web" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want []gateway.Link
			for _, link := range links {
				if test.wanted(link) {
					want = append(want, link)
				}
			}
			slices.Reverse(want)
			if test.query.Prefix != "" || test.query.Key != "" {
				slices.SortFunc(want, byKey)
			}
			for _, limit := range []int{17, 500} {
				q := test.query
				q.Limit = limit
				equal(t, fmt.Sprintf("pages of %d", limit), notesOf(listed(t, s, q)), notesOf(want))
			}
		})
	}
	t.Run("every field", func(t *testing.T) {
		page, err := s.List(t.Context(), gateway.ListQuery{Limit: 1})
		if err != nil || len(page.Links) != 1 {
			t.Fatalf("list: %d links, %v", len(page.Links), err)
		}
		equal(t, "link", plain(page.Links[0]), plain(links[299]))
	})
	t.Run("cursors", func(t *testing.T) { testCursors(t, s) })
}

// testCursors gives listings the cursors of other listings.
func testCursors(t *testing.T, s *redisstore.Store) {
	t.Helper()
	next := func(q gateway.ListQuery) string {
		q.Limit = 3
		page, err := s.List(t.Context(), q)
		if err != nil || page.Next == "" {
			t.Fatalf("list: next %q, %v", page.Next, err)
		}
		return page.Next
	}
	everything, byKey := gateway.ListQuery{}, gateway.ListQuery{Bucket: "web", Prefix: "a"}
	good := next(everything)
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatalf("a cursor that is not base64url: %v", err)
	}
	for name, test := range map[string]struct {
		query  gateway.ListQuery
		cursor string
	}{
		"noise":             {everything, "?!"},
		"short":             {everything, "AAAA"},
		"changed":           {everything, string(flipped)},
		"cut":               {everything, base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1])},
		"longer":            {everything, base64.RawURLEncoding.EncodeToString(append(raw, 0))},
		"padded":            {everything, good + "="},
		"of another filter": {gateway.ListQuery{CreatedBy: "bob"}, good},
		"of another bucket": {gateway.ListQuery{Bucket: "archive", Prefix: "a"}, next(byKey)},
		"of another order":  {byKey, good},
		"a megabyte":        {everything, strings.Repeat("A", 1<<20)},
	} {
		test.query.Cursor, test.query.Limit = test.cursor, 3
		if page, err := s.List(t.Context(), test.query); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%s: %d links, %v, want ErrCursor", name, len(page.Links), err)
		}
	}
}

// testPaging changes links between pages: every link that existed at the first page
// appears once and in order.
func testPaging(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	links := numbered(t, s, 120)
	for name, q := range map[string]gateway.ListQuery{
		"newest first": {Limit: 7},
		"by label":     {Limit: 7, Labels: map[string]string{"team": "x"}},
		"by key":       {Limit: 7, Buckets: []string{"archive", "reports", "web"}, Prefix: "a"},
	} {
		before := map[string]bool{}
		for _, note := range notesOf(listed(t, s, q)) {
			before[note] = true
		}
		n := 0
		during := listed(t, s, q, func() {
			fresh := newLink(t)
			fresh.Note, fresh.Ref.Bucket, fresh.Ref.Key = "new", "web", "a/"+fresh.ID.String()
			fresh.Labels = map[string]string{"team": "x"}
			create(t, s, fresh)
			if _, _, err := s.Revoke(t.Context(), links[n].ID, "", operator()); err != nil {
				t.Fatalf("revoke: %v", err)
			}
			n++
		})
		seen := map[string]bool{}
		for _, note := range notesOf(during) {
			if seen[note] && note != "new" {
				t.Errorf("%s: %s came twice", name, note)
			}
			seen[note] = true
		}
		for note := range before {
			if !seen[note] {
				t.Errorf("%s: %s did not come", name, note)
			}
		}
	}
}

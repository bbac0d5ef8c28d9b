package redisstore_test

import (
	"slices"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// found returns the notes of the links with a prefix, sorted.
func found(t *testing.T, s *redisstore.Store, prefix string) (notes []string) {
	t.Helper()
	parsed, ok := gateway.ParseIDPrefix(prefix)
	if !ok {
		t.Fatalf("%q is no prefix", prefix)
	}
	links, err := s.Find(t.Context(), parsed)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	for _, link := range links {
		notes = append(notes, link.Note)
	}
	slices.Sort(notes)
	return notes
}

// testFind finds links by the beginnings of their ids among many others of the same
// partition, also ended ones.
func testFind(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	issue := func(note string, change func(id *gateway.ID)) gateway.Link {
		link := newLink(t)
		link.Note = note
		change(&link.ID)
		return create(t, s, link)
	}
	// The first two ids differ in their last byte, the third one in bit 41.
	a := issue("a", func(id *gateway.ID) { *id = gateway.ID{7, 1, 2, 3, 4, 0x80, 15: 1} })
	issue("b", func(id *gateway.ID) { *id = gateway.ID{7, 1, 2, 3, 4, 0x80, 15: 2} })
	c := issue("c", func(id *gateway.ID) { *id = gateway.ID{7, 1, 2, 3, 4, 0x00, 15: 1} })
	// These ids have the first bytes of the others, but not at their beginning.
	issue("d", func(id *gateway.ID) { *id = gateway.ID{7, 7, 1, 2, 3, 4} })
	issue("e", func(id *gateway.ID) { *id = gateway.ID{7, 15: 7} })
	for range 100 { // more than the entries of three chunks
		issue("other", func(id *gateway.ID) { id[0] = 7 })
	}
	if changed, err := revokes(t, s, a.ID); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	text := a.ID.String()
	for prefix, want := range map[string][]string{
		text[:8]: {"a", "b", "c"}, text[:9]: {"a", "b"}, text[:25]: {"a", "b"}, c.ID.String()[:9]: {"c"},
		newID(t).String()[:20]: nil,
	} {
		equal(t, "found by "+prefix, found(t, s, prefix), want)
	}
	// These ids hold the prefix at their second byte, in the chunk of the link and in newer ones.
	for i := range byte(60) {
		if i == 1 {
			issue("between", func(id *gateway.ID) { *id = gateway.ID{8, 1, 2, 3, 4} })
		}
		issue("second byte", func(id *gateway.ID) { *id = gateway.ID{8, 8, 1, 2, 3, 4, i} })
	}
	equal(t, "found between", found(t, s, gateway.ID{8, 1, 2, 3, 4}.String()[:8]), []string{"between"})
	for range 20 {
		issue("many", func(id *gateway.ID) { id[0], id[1], id[2], id[3], id[4] = 9, 1, 2, 3, 4 })
	}
	equal(t, "found of many", len(found(t, s, gateway.ID{9, 1, 2, 3, 4}.String()[:8])), 16)
}

// TestFindOverTime finds links of several index buckets, and none that is forgotten.
func TestFindOverTime(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client)
	const day = 24 * time.Hour
	id := gateway.ID{7, 1, 2, 3, 4}
	for i, note := range []string{"a", "b", "c"} {
		link := newLink(t)
		link.ID, link.Note = id, note
		link.ID[15] = byte(i)
		create(t, s, link, 2*day)
		c.step(15 * day)
	}
	prefix := id.String()[:8]
	equal(t, "after 45 days", found(t, s, prefix), []string{"b", "c"})
	c.step(30 * day)
	equal(t, "after 75 days", found(t, s, prefix), []string(nil))
}

// TestFindUnreadable finds a link whose record is damaged: an error, because the caller
// would take another link for the only one.
func TestFindUnreadable(t *testing.T) {
	node, prefix := redistest.StartSingle(t), newPrefix()
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	for last := range byte(2) {
		link := newLink(t)
		link.ID = gateway.ID{7, 1, 2, 3, 4, 15: last}
		create(t, s, link)
		if last == 1 {
			key := keyIn(prefix, "h", link.ID)
			node.MustDo(t, "LSET", key, "0", "\x7f"+node.MustDo(t, "LINDEX", key, "0")[1:])
		}
	}
	parsed, _ := gateway.ParseIDPrefix(gateway.ID{7, 1, 2, 3, 4}.String()[:8])
	_, err := s.Find(t.Context(), parsed)
	unavailable(t, "find", err)
}

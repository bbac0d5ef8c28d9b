package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// counted returns the live links of keys of the bucket reports.
func counted(t *testing.T, s *redisstore.Store, keys ...string) map[string]gateway.LiveCount {
	t.Helper()
	counts, err := s.LiveLinks(t.Context(), "main", "reports", keys)
	if err != nil {
		t.Fatalf("live links: %v", err)
	}
	return counts
}

// share creates links of an object, in the partition p.
func share(t *testing.T, s *redisstore.Store, p byte, key string, links int) []gateway.ID {
	t.Helper()
	ids := make([]gateway.ID, links)
	for i := range ids {
		link := newLink(t)
		link.ID[0], link.Ref.Key = p, key
		ids[i] = create(t, s, link).ID
	}
	return ids
}

// testLiveLinks counts the links that have not ended, of the objects that are asked for.
func testLiveLinks(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	equal(t, "without links", counted(t, s, "a"), map[string]gateway.LiveCount{})
	equal(t, "without keys", counted(t, s), map[string]gateway.LiveCount{})

	a := share(t, s, 1, "a", 5)
	share(t, s, 2, "a", 1)
	share(t, s, 1, "a/b", 2)
	share(t, s, 1, "ab", 1)
	share(t, s, 63, "é", 1)
	if _, _, err := s.Revoke(t.Context(), a[0], "", operator()); err != nil {
		t.Fatal(err)
	}
	paused := true
	if _, err := s.Change(t.Context(), a[1], gateway.Change{Paused: &paused}, operator()); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*gateway.Link){
		func(l *gateway.Link) { l.Ref.Storage = "other" },
		func(l *gateway.Link) { l.Ref.Bucket = "report" },
		func(l *gateway.Link) { l.Ref.Bucket = "reports2" },
	} {
		link := newLink(t)
		link.Ref.Key = "a"
		change(&link)
		create(t, s, link)
	}
	later := newLink(t)
	later.Ref.Key, later.NotBefore = "later", time.Now().Add(30*time.Minute).Truncate(time.Millisecond)
	create(t, s, later)
	want := map[string]gateway.LiveCount{"a": {Links: 5}, "a/b": {Links: 2}, "é": {Links: 1}, "later": {Links: 1}}
	equal(t, "live links", counted(t, s, "é", "a/b", "a", "later", "a", "missing", "", "zz"), want)
	equal(t, "of one key", counted(t, s, "a"), map[string]gateway.LiveCount{"a": {Links: 5}})

	// A link that is used up is not live, although its grants still have a permission.
	once := newLink(t)
	once.Ref.Key, once.MaxClicks = "once", 1
	create(t, s, once)
	equal(t, "before the click", counted(t, s, "once"), map[string]gateway.LiveCount{"once": {Links: 1}})
	spent, err := s.Spend(t.Context(), gateway.Attempt{ID: once.ID, Method: "POST"},
		gateway.Spending{Nonce: "n", Window: time.Minute, Last: true})
	if err != nil || spent.Outcome != gateway.OutcomeRedirected {
		t.Fatalf("spend: %+v, %v", spent, err)
	}
	equal(t, "after the click", counted(t, s, "once"), map[string]gateway.LiveCount{})
}

// TestLiveLinksAgainstList compares the counts of random pages with a count over all
// links. The links are in few partitions, so that commands return full replies, folders are
// skipped and objects have more links than one command reads.
func TestLiveLinksAgainstList(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	s := open(t, g.client)
	const seed = 20261129
	random := rand.New(rand.NewPCG(seed, seed))
	links := make([]gateway.Link, 3000)
	for i := range links {
		links[i] = newLink(t)
		links[i].ID[0] = byte(random.UintN(2)) //nolint:gosec // 0 or 1.
		links[i].Ref.Key = fmt.Sprintf("%c", 'a'+random.IntN(8))
		if random.IntN(4) > 0 { // in a folder between two of the objects
			links[i].Ref.Key += "/" + strconv.Itoa(random.IntN(1000))
		}
		if random.IntN(20) == 0 {
			links[i].Ref.Key = "popular"
		}
	}
	each(len(links), func(i int) {
		create(t, s, links[i])
		if i%5 == 0 {
			if _, _, err := s.Revoke(t.Context(), links[i].ID, "", operator()); err != nil {
				t.Errorf("revoke: %v", err)
			}
		}
	})
	naive, keys := map[string]int{}, []string{}
	for i, link := range links {
		if naive[link.Ref.Key] == 0 {
			keys = append(keys, link.Ref.Key)
		}
		naive[link.Ref.Key]++ // every key at least once, so that ended links are keys too
		if i%5 == 0 {
			naive[link.Ref.Key+"\x00ended"]++
		}
	}
	exact, bounds := 0, 0
	for range 60 {
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		page := keys[:1+random.IntN(100)]
		counts := counted(t, s, page...)
		for _, key := range page {
			want, got := naive[key]-naive[key+"\x00ended"], counts[key]
			switch {
			case got.AtLeast:
				bounds++
				if got.Links > want {
					t.Errorf("%s has at least %d live links, want %d", key, got.Links, want)
				}
			case got.Links != want:
				t.Errorf("%s has %d live links, want %d", key, got.Links, want)
			default:
				exact++
			}
		}
	}
	if exact == 0 || bounds == 0 || bounds > exact/10 {
		t.Errorf("%d exact counts and %d lower bounds", exact, bounds)
	}
}

// TestLiveLinksAreBounded counts an object with more links than a request reads, and says
// that the count is a lower bound. Its neighbours keep exact counts.
func TestLiveLinksAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	share(t, s, 7, "m", 40)
	share(t, s, 7, "n", 3)
	share(t, s, 8, "l", 2)
	equal(t, "one partition", counted(t, s, "l", "m", "n"), map[string]gateway.LiveCount{
		"l": {Links: 2}, "m": {Links: 16, AtLeast: true}, "n": {Links: 3},
	})
	each(1200, func(i int) {
		link := newLink(t)
		link.ID[0], link.Ref.Key = byte(i), "o" //nolint:gosec // Any partition will do.
		create(t, s, link)
	})
	counts := counted(t, s, "l", "n", "o")
	if o := counts["o"]; !o.AtLeast || o.Links < 900 || o.Links > 1000 {
		t.Errorf("got %+v", o)
	}
	if counts["l"].Links != 2 || counts["n"].Links != 3 || counts["l"].AtLeast || counts["n"].AtLeast {
		t.Errorf("the neighbours have %+v", counts)
	}
}

// TestLiveLinksOfUnreadable counts an object with a link that this version cannot read.
func TestLiveLinksOfUnreadable(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	ids := share(t, s, 7, "m", 2)
	g.nodes[0].MustDo(t, "LSET", keyIn(prefix, "h", ids[0]), "0", "\x09 of another version")
	equal(t, "counts", counted(t, s, "m"), map[string]gateway.LiveCount{"m": {Links: 1, AtLeast: true}})
	g.nodes[0].MustDo(t, "ZADD", prefix+":"+partitionOf(ids[0])+":names:"+
		strconv.FormatInt(time.Now().UnixMilli()/(32*24*60*60*1000), 10), "0", "reports\x00m\x00short")
	_, err := s.LiveLinks(t.Context(), "main", "reports", []string{"m"})
	unavailable(t, "a foreign member of the index", err)
}

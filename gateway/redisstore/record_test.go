package redisstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// number returns the number that follows name in s.
func number(tb testing.TB, s, name string) int {
	tb.Helper()
	_, after, found := strings.Cut(s, name)
	end := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		after = after[:end]
	}
	n, err := strconv.Atoi(after)
	if !found || err != nil {
		tb.Fatalf("no number %s in %q", name, s)
	}
	return n
}

// TestRecords changes records directly in Redis. A record that the store does not
// understand opens nothing.
func TestRecords(t *testing.T) {
	g := startSingle(t)
	node := g.nodes[0]
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	key := func(letter string, id gateway.ID) string {
		return keyIn(prefix, letter, id)
	}
	permission := func(id gateway.ID) string { return key("l", id) }
	history := func(id gateway.ID) string { return key("h", id) }
	click := func(id gateway.ID, method string) (gateway.Outcome, error) {
		a, err := s.Admit(t.Context(), gateway.Attempt{ID: id, Method: method})
		return a.Outcome, err
	}

	t.Run("a permission that lost its TTL", func(t *testing.T) {
		var link gateway.Link
		life := 300 * time.Millisecond
		inTime(t, "a click and PERSIST before the end", func() error {
			link = create(t, s, newLink(t), life)
			admit(t, s, link.ID, "GET")
			if life *= 2; node.MustDo(t, "PERSIST", permission(link.ID)) != "1" {
				return errors.New("the permission has expired")
			}
			return nil
		})
		poll(t, pollLimit, func() bool { return admit(t, s, link.ID, "HEAD") == gateway.OutcomeExpired })
		equal(t, "GET", admit(t, s, link.ID, "GET"), gateway.OutcomeExpired)
		equal(t, "exists", node.MustDo(t, "EXISTS", permission(link.ID)), "1")
		got := get(t, s, link.ID)
		equal(t, "state", got.State, gateway.StateExpired)
		equal(t, "clicks", got.Clicks, 1)
	})
	t.Run("TTLs", func(t *testing.T) {
		link := create(t, s, newLink(t), time.Hour)
		equal(t, "of the permission", node.MustDo(t, "PEXPIRETIME", permission(link.ID)),
			strconv.FormatInt(link.ExpiresAt.UnixMilli(), 10))
		end := link.ExpiresAt.Add(30 * 24 * time.Hour).UnixMilli()
		equal(t, "of the history", node.MustDo(t, "PEXPIRETIME", history(link.ID)), strconv.FormatInt(end, 10))
		admit(t, s, link.ID, "GET")
		equal(t, "after a click", node.MustDo(t, "PEXPIRETIME", permission(link.ID)),
			strconv.FormatInt(link.ExpiresAt.UnixMilli(), 10))
		revoked, _, err := s.Revoke(t.Context(), link.ID, "", operator())
		if err != nil {
			t.Fatalf("revoke: %v", err)
		}
		equal(t, "permission after the revocation", node.MustDo(t, "EXISTS", permission(link.ID)), "0")
		end = revoked.RevokedAt.Add(30 * 24 * time.Hour).UnixMilli()
		equal(t, "history after the revocation", node.MustDo(t, "PEXPIRETIME", history(link.ID)), strconv.FormatInt(end, 10))
	})
	t.Run("paused", func(t *testing.T) {
		link := create(t, s, newLink(t))
		node.MustDo(t, "SETRANGE", permission(link.ID), "1", "\x01")
		equal(t, "state", get(t, s, link.ID).State, gateway.StatePaused)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			equal(t, method, admit(t, s, link.ID, method), gateway.OutcomePaused)
		}
		equal(t, "clicks", get(t, s, link.ID).Clicks, 0)
		equal(t, "events", len(events(t, s, link.ID, 10)), 3)
	})
	t.Run("a permission without history", func(t *testing.T) {
		link := create(t, s, newLink(t))
		node.MustDo(t, "DEL", history(link.ID))
		for _, method := range []string{"GET", "HEAD", "POST"} {
			equal(t, method, admit(t, s, link.ID, method), gateway.OutcomeNotFound)
		}
		equal(t, "history", node.MustDo(t, "EXISTS", history(link.ID)), "0")
	})
	t.Run("a history without permission", func(t *testing.T) {
		link := create(t, s, newLink(t))
		node.MustDo(t, "DEL", permission(link.ID))
		equal(t, "GET", admit(t, s, link.ID, "GET"), gateway.OutcomeExpired)
		revoked, _, err := s.Revoke(t.Context(), link.ID, "", operator())
		if err != nil || revoked.State != gateway.StateRevoked {
			t.Errorf("revoke: %s, %v", revoked.State, err)
		}
	})
	for name, spoil := range map[string]func(link gateway.Link){
		"permission of another version": func(l gateway.Link) { node.MustDo(t, "SETRANGE", permission(l.ID), "0", "\x04") },
		"unknown flag":                  func(l gateway.Link) { node.MustDo(t, "SETRANGE", permission(l.ID), "1", "\x02") },
		"unknown flag of version 2": func(l gateway.Link) {
			node.MustDo(t, "SETRANGE", permission(l.ID), "0",
				"\x02\x04")
		},
		"a start that is not enforced": func(l gateway.Link) { node.MustDo(t, "SETRANGE", permission(l.ID), "13", "\x01") },
		"cut permission":               func(l gateway.Link) { node.MustDo(t, "SET", permission(l.ID), "\x01\x00\x7f") },
		"permission of another type": func(l gateway.Link) {
			node.MustDo(t, "DEL", permission(l.ID))
			node.MustDo(t, "HSET", permission(l.ID), "a", "b")
		},
		"history of another type": func(l gateway.Link) { node.MustDo(t, "SET", history(l.ID), "x") },
	} {
		t.Run(name, func(t *testing.T) {
			link := create(t, s, newLink(t))
			spoil(link)
			for _, method := range []string{"GET", "HEAD", "POST"} {
				outcome, err := click(link.ID, method)
				unavailable(t, method+" "+string(outcome), err)
			}
			_, err := s.Get(t.Context(), link.ID)
			unavailable(t, "get", err)
		})
	}
	t.Run("times after the year 9999", func(t *testing.T) {
		far := create(t, s, newLink(t))
		create(t, s, newLink(t))
		const end = "\xff\xff\xff\xff\xff\xff" // milliseconds
		node.MustDo(t, "SETRANGE", permission(far.ID), "2", end)
		head := node.MustDo(t, "LINDEX", history(far.ID), "0")
		node.MustDo(t, "LSET", history(far.ID), "0", head[:8]+end+head[14:20]+end+head[26:])
		page, err := s.List(t.Context(), gateway.ListQuery{Limit: 100})
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		last := time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
		found := slices.ContainsFunc(page.Links, func(l gateway.Link) bool {
			return l.ID == far.ID &&
				l.ExpiresAt.Equal(last)
		})
		if !found {
			t.Error("the link is not in the listing")
		}
		if _, err := json.Marshal(page.Links); err != nil {
			t.Errorf("the listing cannot be written as JSON: %v", err)
		}
		if _, changed, err := s.Revoke(t.Context(), far.ID, "", operator()); err != nil || !changed {
			t.Errorf("revoke: changed %v, %v", changed, err)
		}
		equal(t, "a click", admit(t, s, far.ID, "GET"), gateway.OutcomeRevoked)
	})
	t.Run("a passphrase without its tries", func(t *testing.T) {
		link := limited(t, 3)
		link.Passphrase = true
		restrict(t, s, link)
		node.MustDo(t, "DEL", key("t", link.ID))
		_, err := s.ReserveAttempt(t.Context(), link.ID, "somebody")
		unavailable(t, "try", err)
		equal(t, "it is made by nobody else", node.MustDo(t, "EXISTS", key("t", link.ID)), "0")
	})
	t.Run("a limited link without its nonces", func(t *testing.T) {
		link := restrict(t, s, limited(t, 3))
		node.MustDo(t, "DEL", key("s", link.ID))
		_, err := post(t, s, link.ID, "page")
		unavailable(t, "spend", err)
		equal(t, "clicks", get(t, s, link.ID).Clicks, 0)
	})
	t.Run("a permission with another field", func(t *testing.T) {
		link := create(t, s, newLink(t))
		node.MustDo(t, "APPEND", permission(link.ID), "\x01")
		for _, method := range []string{"GET", "HEAD", "POST"} {
			_, err := click(link.ID, method)
			unavailable(t, method, err)
		}
	})
	t.Run("a history with another field", func(t *testing.T) {
		link := create(t, s, newLink(t))
		record := node.MustDo(t, "LINDEX", history(link.ID), "0")
		node.MustDo(t, "LSET", history(link.ID), "0", record+"\x01")
		_, err := s.Get(t.Context(), link.ID)
		unavailable(t, "get", err)
	})
	t.Run("history of another version", func(t *testing.T) {
		link := create(t, s, newLink(t))
		record := node.MustDo(t, "LINDEX", history(link.ID), "0")
		node.MustDo(t, "LSET", history(link.ID), "0", "\x04"+record[1:])
		for what, call := range map[string]func() error{
			"get":    func() error { _, err := s.Get(t.Context(), link.ID); return err },
			"revoke": func() error { _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); return err },
			"events": func() error { _, err := s.Events(t.Context(), link.ID, "", 5); return err },
		} {
			unavailable(t, what, call())
		}
		// It hides no other link of a listing, like the records of another type above.
		other := create(t, s, newLink(t))
		page, err := s.List(t.Context(), gateway.ListQuery{Limit: 500})
		if err != nil {
			t.Errorf("list: %v", err)
		}
		in := func(id gateway.ID) bool {
			return slices.ContainsFunc(page.Links, func(l gateway.Link) bool { return l.ID == id })
		}
		equal(t, "in a listing", []bool{in(link.ID), in(other.ID)}, []bool{false, true})
		node.MustDo(t, "DEL", permission(link.ID))
		_, err = click(link.ID, "GET")
		unavailable(t, "click", err)
	})
}

// TestPartitions connects to a Redis with another number of partitions.
func TestPartitions(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	first := open(t, g.client, withPrefix(prefix))
	if err := first.Prepare(t.Context()); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	equal(t, "partitions", g.nodes[0].MustDo(t, "GET", prefix+":partitions"), "64")
	g.nodes[0].MustDo(t, "SET", prefix+":partitions", "32")
	second := open(t, g.client, withPrefix(prefix))
	if err := second.Prepare(t.Context()); !errors.Is(err, redisstore.ErrPartitions) {
		t.Errorf("prepare: %v, want ErrPartitions", err)
	}
	if err := second.Ready(t.Context()); !errors.Is(err, redisstore.ErrPartitions) {
		t.Errorf("ready: %v, want ErrPartitions", err)
	}
	_, err := second.Admit(t.Context(), gateway.Attempt{ID: newID(t), Method: "GET"})
	unavailable(t, "admit", err)
	if !errors.Is(err, redisstore.ErrPartitions) {
		t.Errorf("admit: %v, want ErrPartitions too", err)
	}
}

// TestShippedUser checks that the shipped user may do what the service does and nothing
// more.
func TestShippedUser(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	create(t, s, newLink(t))
	for _, command := range []string{
		"FLUSHALL", "KEYS *", "CONFIG GET *", "SCAN 0", "ACL WHOAMI", "SHUTDOWN", "SCRIPT FLUSH",
		"REPLICAOF NO ONE", "MONITOR", "GET other:key", "DEL other:key", "PUBLISH a b", "CLIENT LIST",
		"RESTORE keyhole:a 0 x",
	} {
		_, err := node.DoAs(redistest.Username, redistest.Password, strings.Fields(command)...)
		if err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", command, err)
		}
	}
	if _, err := node.DoAs("default", "", "PING"); err == nil {
		t.Error("anybody may connect")
	}
}

// TestNoToken searches for the token in everything that Redis holds.
func TestNoToken(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix("keyhole"))
	const token = "4444444444444444444444"
	link := newLink(t)
	link.ID = gateway.IDOf(token)
	create(t, s, link)
	admit(t, s, link.ID, "GET")
	keys := strings.Split(node.MustDo(t, "KEYS", "*"), "\n")
	if len(keys) < 9 {
		t.Errorf("only %d keys: %q", len(keys), keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "keyhole:") {
			t.Errorf("key %q is outside the prefix", key)
		}
		if strings.Contains(key+node.MustDo(t, "DUMP", key), token) {
			t.Errorf("the token is in %s", key)
		}
	}
}

// TestDropped keeps few downloads over all links: old ones are trimmed and counted;
// operators' events and each link's last clicks stay. Refusals trim no downloads.
func TestDropped(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix), func(o *redisstore.Options) { o.MaxClickEvents = 64 })
	link := newLink(t)
	link.ID[0] = 0
	create(t, s, link)
	const clicks = 3000
	for range clicks {
		admit(t, s, link.ID, "GET")
	}
	kept, err := strconv.ParseInt(g.nodes[0].MustDo(t, "XLEN", prefix+":{p0}:clicks"), 10, 64)
	if err != nil || kept > 1500 {
		t.Errorf("%d events are kept, %v", kept, err)
	}
	dropped, err := s.Dropped(t.Context())
	if err != nil {
		t.Fatalf("dropped: %v", err)
	}
	equal(t, "dropped and kept", dropped+kept, clicks)
	equal(t, "clicks", fmt.Sprint(get(t, s, link.ID).Clicks), "3000")
	// Operators' events stay in the link's own events and in the feed.
	for _, paused := range []bool{true, false} {
		if _, err := s.Change(t.Context(), link.ID, gateway.Change{Paused: &paused, Note: new(fmt.Sprint(paused))},
			operator()); err != nil {
			t.Fatalf("change: %v", err)
		}
	}
	if _, _, err := s.Revoke(t.Context(), link.ID, "", operator()); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	for range clicks {
		admit(t, s, link.ID, "GET")
	}
	const operations = 6 // issued, changed and paused, changed and resumed, revoked
	own := map[gateway.EventKind]int{}
	for _, e := range events(t, s, link.ID, 200) {
		own[e.Kind]++
	}
	equal(t, "the link's own", []int{own[gateway.EventRedirected], own[gateway.EventRefused], len(own)}, []int{
		100, 32,
		operations + 1,
	})
	feed, _ := feedOf(t, s, gateway.AuditQuery{Limit: 500})
	kinds := map[gateway.EventKind]int{}
	for _, e := range feed {
		kinds[e.Kind]++
	}
	for kind, want := range map[gateway.EventKind]int{
		gateway.EventIssued: 1, gateway.EventChanged: 2, gateway.EventPaused: 1, gateway.EventResumed: 1,
		gateway.EventRevoked: 1,
	} {
		equal(t, string(kind), kinds[kind], want)
	}
	if int64(kinds[gateway.EventRedirected]) != kept || kinds[gateway.EventRefused] == 0 ||
		kinds[gateway.EventRefused] > 1500 {
		t.Errorf("the feed has %v: want %d downloads as before the refusals, and few of those", kinds, kept)
	}
	after, err := s.Dropped(t.Context())
	if err != nil {
		t.Fatalf("dropped: %v", err)
	}
	equal(t, "downloads that made room for refusals", after-dropped, 0)
}

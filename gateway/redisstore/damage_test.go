package redisstore_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/redistest"
)

// TestUnknownEnd gives histories an end that this version does not know: such links are
// refused.
func TestUnknownEnd(t *testing.T) {
	c := startClock(t)
	s := open(t, c.client, withPrefix("keyhole"))
	link := restrict(t, s, limited(t, 3))
	list, err := c.server.List(keyOf("h", link.ID))
	if err != nil {
		t.Fatal(err)
	}
	c.server.Del(keyOf("h", link.ID))
	if _, err := c.server.Push(keyOf("h", link.ID), list[0][:1]+"\x03"+list[0][2:]); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		_, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: method})
		unavailable(t, method, err)
	}
	_, err = post(t, s, link.ID, "page")
	unavailable(t, "spend", err)
}

// TestUnknownFlags gives permissions a flag or a start that their version does not have:
// they are refused before a click is counted.
func TestUnknownFlags(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions("single", node.Addr), withPrefix("keyhole"))
	spoil := func(id gateway.ID, offset, bytes string) (kept func(what string)) {
		node.MustDo(t, "SETRANGE", keyOf("l", id), offset, bytes)
		before := node.MustDo(t, "GET", keyOf("l", id))
		return func(what string) {
			t.Helper()
			equal(t, "the permission after "+what, node.MustDo(t, "GET", keyOf("l", id)), before)
		}
	}
	for name, bytes := range map[string]string{"version 1": "\x01\x02", "version 2": "\x02\x04"} {
		id := restrict(t, s, limited(t, 3)).ID
		kept := spoil(id, "0", bytes)
		_, err := post(t, s, id, "page")
		unavailable(t, "a flag that "+name+" has not", err)
		kept(name)
	}
	id := create(t, s, newLink(t)).ID
	kept := spoil(id, "13", "\x01")
	_, err := s.Admit(t.Context(), gateway.Attempt{ID: id, Method: "GET"})
	unavailable(t, "a start that version 1 has not", err)
	kept("a click")
}

// TestOtherAction gives links of the newest version of records another action, as a later
// release will write it: the flag in the permission and the letter in the history. Such
// links open nothing and count nothing. Create writes no such link.
func TestOtherAction(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions("single", node.Addr), withPrefix("keyhole"))
	upload := newLink(t)
	upload.Action = "upload"
	if _, err := s.Create(t.Context(), upload, gateway.Secrets{}, time.Hour, operator()); err == nil {
		t.Error("a link with an unknown action was created")
	}
	equal(t, "the permission of the refused link", node.MustDo(t, "EXISTS", keyOf("l", upload.ID)), "0")
	for name, link := range map[string]gateway.Link{"plain": newLink(t), "limited": limited(t, 3)} {
		link.Language = "de"
		id := create(t, s, link).ID
		history := node.MustDo(t, "LINDEX", keyOf("h", id), "0")
		const download, other = "d\x00\x02de\x00", "u\x00\x02de\x00"
		if !strings.HasSuffix(history, download) {
			t.Fatalf("%s: the history ends with %q", name, history[len(history)-len(download):])
		}
		node.MustDo(t, "LSET", keyOf("h", id), "0", strings.TrimSuffix(history, download)+other)
		flags := map[bool]string{false: "\x04", true: "\x06"}[link.NeedsConfirmation()]
		node.MustDo(t, "SETRANGE", keyOf("l", id), "1", flags)
		before := node.MustDo(t, "GET", keyOf("l", id))
		for _, a := range []gateway.Attempt{
			{ID: id, Method: "GET", Page: true},
			{ID: id, Method: "GET", Grant: "g"},
			{ID: id, Method: "HEAD"},
			{ID: id, Method: "POST"},
		} {
			_, err := s.Admit(t.Context(), a)
			unavailable(t, name+": "+a.Method, err)
		}
		_, err := post(t, s, id, "page")
		unavailable(t, name+": spend", err)
		_, err = s.Get(t.Context(), id)
		unavailable(t, name+": get", err)
		equal(t, name+": the permission", node.MustDo(t, "GET", keyOf("l", id)), before)
		equal(t, name+": the events", node.MustDo(t, "LLEN", keyOf("h", id)), "1")
	}
}

// TestRestoredPermission restores permissions as they were before their links ended, like
// a backup of Redis: they open nothing, and a revocation removes them.
func TestRestoredPermission(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions("single", node.Addr), withPrefix("keyhole"))
	exists := func(id gateway.ID) string { return node.MustDo(t, "EXISTS", keyOf("l", id)) }

	revoked := create(t, s, newLink(t)).ID
	admit(t, s, revoked, "GET")
	copied := node.MustDo(t, "GET", keyOf("l", revoked))
	if changed, err := revokes(t, s, revoked); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	node.MustDo(t, "SET", keyOf("l", revoked), copied)
	for _, method := range []string{"GET", "HEAD", "POST"} {
		equal(t, method, admit(t, s, revoked, method), gateway.OutcomeRevoked)
	}
	if changed, err := revokes(t, s, revoked); changed || err != nil {
		t.Errorf("revoke again: changed %v, %v", changed, err)
	}
	equal(t, "the revoked link's permission", exists(revoked), "0")

	usedUp := restrict(t, s, limited(t, 1)).ID
	copied = node.MustDo(t, "GET", keyOf("l", usedUp))
	equal(t, "the last click", spend(t, s, usedUp, "page").Outcome, gateway.OutcomeRedirected)
	node.MustDo(t, "SET", keyOf("l", usedUp), copied)
	equal(t, "one more", spend(t, s, usedUp, "another").Outcome, gateway.OutcomeUsedUp)
	page := gateway.Attempt{ID: usedUp, Method: "GET", Page: true}
	equal(t, "a page", attempt(t, s, page).Outcome, gateway.OutcomeUsedUp)
}

// TestBrokenPrefixes clicks links whose allowed addresses are damaged: they are neither
// admitted nor counted, nor refused by a damaged rule.
func TestBrokenPrefixes(t *testing.T) {
	node := redistest.StartSingle(t)
	s := open(t, clientOptions("single", node.Addr), withPrefix("keyhole"))
	const inside, outside = "97.98.99.100", "192.0.2.1" // "abcd" and another
	for name, tt := range map[string]struct{ prefixes, rest, client string }{
		"a letter behind the last":              {"\x00\x07" + "4\x20abcd" + "4", "rest", outside},
		"more bits than an IPv4 address":        {"\x00\x06" + "4\x21abcd", "rest", outside},
		"more bits than an IPv6 address":        {"\x00\x12" + "6\x81abcdefghijklmnop", "rest", outside},
		"an address without its last byte":      {"\x00\x05" + "4\x20abc", "rest", outside},
		"a length beyond the end of the record": {"\x00\x07" + "4\x20abcd", "", inside},
	} {
		id := create(t, s, newLink(t)).ID
		permission := node.MustDo(t, "GET", keyOf("l", id))
		broken := "\x02" + permission[1:19] + strings.Repeat("\x00", 5) + tt.prefixes + tt.rest
		node.MustDo(t, "SET", keyOf("l", id), broken)
		for _, method := range []string{"GET", "HEAD"} {
			click := gateway.Attempt{ID: id, Method: method, Client: netip.MustParseAddr(tt.client)}
			a, err := s.Admit(t.Context(), click)
			unavailable(t, name+": "+method+" "+string(a.Outcome), err)
		}
		equal(t, "the permission after "+name, node.MustDo(t, "GET", keyOf("l", id)), broken)
	}
}

// TestNoIDTwice issues a link with the id of an ended one: the history stays.
func TestNoIDTwice(t *testing.T) {
	s := open(t, startSingle(t).client)
	link := create(t, s, newLink(t))
	if changed, err := revokes(t, s, link.ID); !changed || err != nil {
		t.Fatalf("revoke: changed %v, %v", changed, err)
	}
	existing, err := s.Create(t.Context(), link, gateway.Secrets{}, time.Hour, operator())
	if !errors.Is(err, gateway.ErrExists) || existing.State != gateway.StateRevoked {
		t.Errorf("issued again: %s, %v; want the revoked link and ErrExists", existing.State, err)
	}
	equal(t, "a click", admit(t, s, link.ID, "GET"), gateway.OutcomeRevoked)
}

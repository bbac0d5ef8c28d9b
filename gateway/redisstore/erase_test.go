package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// The address of a recipient in every form in which events hold it.
const (
	erasedFull    = "203.0.113.77"
	erasedNetwork = "203.0.113.0/24"
	erasedHash    = "hash:0123456789abcdef"
	erasedIPv6    = "2001:db8::77"
)

// clickedFrom issues a link and clicks it from addresses, one download and one refusal
// each.
func clickedFrom(t *testing.T, s *redisstore.Store, addresses ...string) gateway.Link {
	t.Helper()
	link := create(t, s, newLink(t))
	for _, address := range addresses {
		a := gateway.Attempt{ID: link.ID, Method: "GET", Address: address}
		if o := attempt(t, s, a).Outcome; o != gateway.OutcomeRedirected {
			t.Fatalf("the click got %s", o)
		}
		recordRefusal(t, s, a, gateway.OutcomeObjectGone)
	}
	return link
}

// feed returns every event of the feed as "id kind address", newest first.
func feedLines(t *testing.T, s *redisstore.Store) []string {
	t.Helper()
	all, _ := feedOf(t, s, gateway.AuditQuery{Limit: 50})
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = fmt.Sprint(e.ID, " ", e.Link, " ", e.Kind, " ", e.Address)
	}
	return lines
}

// eventsOf returns the events of one link, newest first.
func eventsOf(t *testing.T, s *redisstore.Store, id gateway.ID) []gateway.Event {
	t.Helper()
	list, err := s.Events(t.Context(), id, "", 500)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	return list.Events
}

// eraseAll repeats an erasure to its end.
func eraseAll(t *testing.T, s *redisstore.Store, e gateway.Erasure) (total gateway.ErasureResult, calls int) {
	t.Helper()
	for calls = 1; calls < 1000; calls++ {
		r, err := s.Erase(t.Context(), e, operator())
		if err != nil {
			t.Fatalf("erase: %v", err)
		}
		total.FeedEvents += r.FeedEvents
		total.LinkEvents += r.LinkEvents
		if total.Done = r.Done; r.Next == "" {
			return total, calls
		}
		e.Cursor = r.Next
	}
	t.Fatal("the erasure does not come to an end")
	return total, calls
}

func testErase(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	mine := clickedFrom(t, s, erasedFull, "198.51.100.1", erasedNetwork)
	other := clickedFrom(t, s, erasedFull, "198.51.100.1", erasedHash, erasedIPv6)
	before, ofOther := feedLines(t, s), fmt.Sprint(eventsOf(t, s, other.ID))
	middle, err := s.Audit(t.Context(), gateway.AuditQuery{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}

	// One link: every address of its events, also the operator's, and nothing else.
	result, _ := eraseAll(t, s, gateway.Erasure{Link: mine.ID, Reason: "asked", Budget: time.Hour})
	if result != (gateway.ErasureResult{FeedEvents: 7, LinkEvents: 6, Done: true}) {
		t.Errorf("erased %+v", result)
	}
	events := eventsOf(t, s, mine.ID)
	if e := events[0]; len(events) != 8 || e.Kind != gateway.EventErased || e.Actor != "alice" || e.Reason != "asked" {
		t.Errorf("%d events, the newest is %+v", len(events), events[0])
	}
	for _, e := range events {
		if e.Address != "" || e.ID == "" {
			t.Errorf("an event after the erasure: %+v", e)
		}
	}
	if got := fmt.Sprint(eventsOf(t, s, other.ID)); got != ofOther {
		t.Errorf("the events of the other link:\n got %s\nwant %s", got, ofOther)
	}
	after := feedLines(t, s)
	equal(t, "feed", after[1:], withoutAddresses(before, mine.ID.String(), ""))
	rest, err := s.Audit(t.Context(), gateway.AuditQuery{Limit: 100, Cursor: middle.Next})
	if err != nil || len(rest.Events)+3 != len(before) {
		t.Errorf("the cursor from before leads to %d events, %v", len(rest.Events), err)
	}
	if link := get(t, s, mine.ID); link.Clicks != 3 || link.State != gateway.StateActive {
		t.Errorf("the link is %s after %d clicks", link.State, link.Clicks)
	}

	// One address in all its forms, from all links, in many calls.
	forms := []string{erasedFull, erasedNetwork, erasedHash, erasedIPv6}
	result, calls := eraseAll(t, s, gateway.Erasure{Addresses: forms, Subject: erasedFull})
	if result.FeedEvents != 6 || result.LinkEvents != 6 || !result.Done || calls < 64 {
		t.Errorf("erased %+v in %d calls", result, calls)
	}
	for _, e := range eventsOf(t, s, other.ID) {
		if slices.Contains(forms, e.Address) || e.Kind == gateway.EventIssued && e.Address != operator().Address {
			t.Errorf("after the erasure of the address: %+v", e)
		}
	}
	all := feedLines(t, s)
	for _, form := range forms {
		if strings.Contains(strings.Join(all, "\n"), form) {
			t.Errorf("the feed still has %s", form)
		}
	}
	if n := strings.Count(strings.Join(all, "\n"), "198.51.100.1"); n != 2 {
		t.Errorf("another address stands in %d events, want 2", n)
	}
	equal(t, "newest", all[0][22:], " "+gateway.ID{}.String()+" erased ")
	result, _ = eraseAll(t, s, gateway.Erasure{Addresses: forms, Subject: erasedFull, Budget: time.Hour})
	if !result.Done || result.FeedEvents+result.LinkEvents != 0 {
		t.Errorf("erased again: %+v", result)
	}
	// The feed goes on as before.
	if admit(t, s, mine.ID, "GET"); !strings.HasSuffix(feedLines(t, s)[0], "redirected 203.0.113.9") {
		t.Errorf("the newest event is %s", feedLines(t, s)[0])
	}
}

// withoutAddresses returns lines of the feed as they are after the erasure of a link.
func withoutAddresses(lines []string, id, instead string) []string {
	var out []string
	for _, line := range lines {
		if strings.Contains(line, " "+id+" ") {
			line = line[:strings.LastIndexByte(line, ' ')+1] + instead
		}
		out = append(out, line)
	}
	return out
}

// The bytes of an erased address are in no key of Redis any more.
func TestErasureLeavesNoBytes(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t)
	prefix := newPrefix()
	s := open(t, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	link := clickedFrom(t, s, erasedFull, erasedNetwork, erasedHash)
	const packed = "\xcb\x00\x71\x4d" // 203.0.113.77
	read := func() string {
		p := prefix + ":" + partitionOf(link.ID)
		text := node.MustDo(t, "LRANGE", keyIn(prefix, "h", link.ID), "0", "-1")
		for _, stream := range []string{":ops", ":clicks", ":refusals"} {
			text += node.MustDo(t, "XRANGE", p+stream, "-", "+")
		}
		return text
	}
	found := func(text string) []bool {
		return []bool{strings.Contains(text, packed), strings.Contains(text, erasedNetwork), strings.Contains(text,
			erasedHash)}
	}
	equal(t, "before", found(read()), []bool{true, true, true})
	forms := []string{erasedFull, erasedNetwork, erasedHash}
	eraseAll(t, s, gateway.Erasure{Addresses: forms, Subject: erasedFull, Budget: time.Hour})
	equal(t, "after", found(read()), []bool{false, false, false})
}

// An erasure of a link whose retention is over erases its events from the feed.
func TestEraseForgottenLink(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := clickedFrom(t, s, erasedFull)
	g.nodes[0].MustDo(t, "DEL", keyIn(prefix, "h", link.ID))
	result, _ := eraseAll(t, s, gateway.Erasure{Link: link.ID, Budget: time.Hour})
	if !result.Done || result.FeedEvents != 3 || result.LinkEvents != 0 {
		t.Errorf("erased %+v", result)
	}
	for _, line := range feedLines(t, s) {
		if !strings.HasSuffix(line, " ") {
			t.Errorf("the feed has %q", line)
		}
	}
}

// A dry run counts what an erasure would erase. It changes and records nothing, and its cursor
// continues no erasure, which would then have no event.
func TestEraseDryRun(t *testing.T) {
	t.Parallel()
	s := open(t, startSingle(t).client)
	link := clickedFrom(t, s, erasedFull, erasedHash)
	feed, events := feedLines(t, s), fmt.Sprint(eventsOf(t, s, link.ID))
	all := gateway.Erasure{Addresses: []string{erasedFull}, Subject: erasedFull, DryRun: true}
	one := gateway.Erasure{Link: link.ID, DryRun: true}
	for want, e := range map[gateway.ErasureResult]gateway.Erasure{
		{FeedEvents: 2, LinkEvents: 2, Done: true}: all,
		{FeedEvents: 5, LinkEvents: 4, Done: true}: one,
	} {
		if got, _ := eraseAll(t, s, e); got != want {
			t.Errorf("a dry run counts %+v, want %+v", got, want)
		}
	}
	equal(t, "feed", feedLines(t, s), feed)
	equal(t, "events", fmt.Sprint(eventsOf(t, s, link.ID)), events)
	r, err := s.Erase(t.Context(), all, operator())
	if err != nil || r.Next == "" {
		t.Fatalf("got %+v, %v", r, err)
	}
	all.DryRun, all.Cursor = false, r.Next
	if _, err := s.Erase(t.Context(), all, operator()); !errors.Is(err, gateway.ErrCursor) {
		t.Errorf("an erasure from the cursor of a dry run: %v, want ErrCursor", err)
	}
	all.DryRun, all.Cursor = true, ""
	all.Budget = time.Hour
	unconfirmed := open(t, startSingle(t).client, withReplica()) // there is none
	if _, err := unconfirmed.Erase(t.Context(), all, operator()); err != nil {
		t.Errorf("without a replica: %v", err)
	}
}

// An erasure of one link leaves the addresses of other links in the same partition.
func TestEraseBesideOthers(t *testing.T) {
	t.Parallel()
	s := open(t, startMini(t).client)
	mine, beside := newLink(t), newLink(t)
	beside.ID[0] = mine.ID[0]
	create(t, s, mine)
	create(t, s, beside)
	for _, id := range []gateway.ID{mine.ID, beside.ID} {
		attempt(t, s, gateway.Attempt{ID: id, Method: "GET", Address: erasedFull})
	}
	before := feedLines(t, s)
	result, _ := eraseAll(t, s, gateway.Erasure{Link: mine.ID, Budget: time.Hour})
	if result != (gateway.ErasureResult{FeedEvents: 2, LinkEvents: 1, Done: true}) {
		t.Errorf("erased %+v", result)
	}
	equal(t, "feed", feedLines(t, s)[1:], withoutAddresses(before, mine.ID.String(), ""))
}

// Everything that an erasure cannot read is counted once and keeps the result from being
// done: an address may be in it.
func TestEraseCountsUnreadable(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(do func(args ...string), stream, history string){
		"an entry of the feed": func(do func(...string), stream, _ string) {
			do("XADD", stream, "*", "9", "of a later version")
		},
		"an event of a link": func(do func(...string), _, history string) {
			do("RPUSH", history, "\x09 of a later version")
		},
		"a history of another type": func(do func(...string), _, history string) {
			do("DEL", history)
			do("SET", history, "x")
		},
	} {
		g := startSingle(t)
		prefix := newPrefix()
		s := open(t, g.client, withPrefix(prefix))
		link := clickedFrom(t, s, erasedFull)
		plant(func(args ...string) { g.nodes[0].MustDo(t, args...) }, prefix+":"+partitionOf(link.ID)+":clicks",
			keyIn(prefix, "h", link.ID))
		e := gateway.Erasure{Addresses: []string{erasedFull}, Subject: erasedFull, Budget: time.Hour}
		result, err := s.Erase(t.Context(), e, operator())
		if err != nil || result.Unreadable != 1 || result.Done || result.Next != "" {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

// Events that this version cannot read stay as they are, and the result is not done.
func TestEraseUnreadable(t *testing.T) {
	t.Parallel()
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := clickedFrom(t, s, erasedFull)
	stream := prefix + ":" + partitionOf(link.ID) + ":clicks"
	g.nodes[0].MustDo(t, "XADD", stream, "*", "9", "of a later version")
	g.nodes[0].MustDo(t, "RPUSH", keyIn(prefix, "h", link.ID), "\x09 of a later version")
	broken := clickedFrom(t, s, erasedFull)
	g.nodes[0].MustDo(t, "DEL", keyIn(prefix, "h", broken.ID))
	g.nodes[0].MustDo(t, "SET", keyIn(prefix, "h", broken.ID), "x")
	result, _ := eraseAll(t, s, gateway.Erasure{Addresses: []string{erasedFull}, Subject: erasedFull, Budget: time.Hour})
	if result.Done || result.FeedEvents != 4 || result.LinkEvents != 2 {
		t.Errorf("erased %+v", result)
	}
	if text := g.nodes[0].MustDo(t, "XRANGE", stream, "-", "+"); !strings.Contains(text, "of a later version") {
		t.Error("the event of a later version is gone")
	}
	// A history of a later version gets no event of an erasure.
	g.nodes[0].MustDo(t, "DEL", keyIn(prefix, "h", link.ID))
	g.nodes[0].MustDo(t, "RPUSH", keyIn(prefix, "h", link.ID), "\x09"+strings.Repeat("x", 60))
	_, err := s.Erase(t.Context(), gateway.Erasure{Link: link.ID, Budget: time.Hour}, operator())
	if !errors.Is(err, gateway.ErrRecord) {
		t.Errorf("a history of a later version: %v, want ErrRecord", err)
	}
	// Each call counts what the calls before it could not read.
	if result, _ = eraseAll(t, s, gateway.Erasure{Addresses: []string{erasedFull}, Subject: erasedFull}); result.Done {
		t.Errorf("in many calls: %+v", result)
	}
}

// An erasure without a selection is refused: it would erase every address.
func TestEraseWithoutSelection(t *testing.T) {
	t.Parallel()
	s := open(t, startMini(t).client)
	clickedFrom(t, s, erasedFull)
	if _, err := s.Erase(t.Context(), gateway.Erasure{Budget: time.Hour}, operator()); err == nil {
		t.Error("it is not refused")
	}
	if lines := feedLines(t, s); len(lines) != 3 || !strings.HasSuffix(lines[0], erasedFull) {
		t.Errorf("the feed has %q", lines)
	}
}

// A cursor belongs to its link or address.
func TestCursorOfAnErasure(t *testing.T) {
	t.Parallel()
	s := open(t, startMini(t).client)
	clickedFrom(t, s, erasedFull)
	r, err := s.Erase(t.Context(), gateway.Erasure{Addresses: []string{erasedFull}, Subject: erasedFull}, operator())
	if err != nil || r.Next == "" || r.Done {
		t.Fatalf("got %+v, %v", r, err)
	}
	for name, e := range map[string]gateway.Erasure{
		"another address": {Addresses: []string{"192.0.2.1"}, Subject: "192.0.2.1", Cursor: r.Next},
		"a link":          {Link: newID(t), Cursor: r.Next},
		"nonsense":        {Addresses: []string{erasedFull}, Subject: erasedFull, Cursor: "x"},
	} {
		if _, err := s.Erase(t.Context(), e, operator()); !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("%s: got %v, want ErrCursor", name, err)
		}
	}
}

// An erasure is confirmed by the replicas.
func TestErasureIsConfirmed(t *testing.T) {
	t.Parallel()
	o := startSingle(t).client
	o.Timeout = unconfirmed
	s := open(t, o, withReplica()) // there is none
	link := create0(t, s)
	_, err := s.Erase(t.Context(), gateway.Erasure{Link: link, Budget: time.Hour}, operator())
	if !errors.Is(err, gateway.ErrNotConfirmed) {
		t.Errorf("got %v, want ErrNotConfirmed", err)
	}
}

// create0 tries to issue a link that no replica confirms, and returns its id.
func create0(t *testing.T, s *redisstore.Store) gateway.ID {
	t.Helper()
	link := newLink(t)
	_, err := s.Create(t.Context(), link, gateway.Secrets{}, time.Hour, operator())
	if !errors.Is(err, gateway.ErrNotConfirmed) {
		t.Fatalf("create: %v, want ErrNotConfirmed", err)
	}
	return link.ID
}

// A full stream of the default size is rewritten while clicks wait, so the time must stay
// far below redis.timeout (500ms by default).
func BenchmarkEraseStream(b *testing.B) {
	node := redistest.StartSingle(b)
	prefix := newPrefix()
	s := open(b, clientOptions(redisstore.ModeSingle, node.Addr), withPrefix(prefix))
	link := create(b, s, newLink(b))
	const full = 1_000_000 / 64
	stream := prefix + ":" + partitionOf(link.ID) + ":clicks"
	node.MustDo(b, "EVAL", `for i = 1, tonumber(ARGV[2]) do
		redis.call('XADD', KEYS[1], '*', '1', ARGV[1] .. 'dgd4' .. string.char(203, 0, 113, i % 200)) end`,
		"1", stream, string(link.ID[:]), fmt.Sprint(full))
	b.ResetTimer()
	for i := range b.N {
		e := gateway.Erasure{
			Link: link.ID, Addresses: []string{fmt.Sprintf("203.0.113.%d", i%200)}, Budget: time.Hour,
		}
		if _, err := s.Erase(b.Context(), e, operator()); err != nil {
			b.Fatal(err)
		}
	}
}

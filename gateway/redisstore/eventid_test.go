package redisstore_test

import (
	"slices"
	"sync"
	"testing"

	"keyhole/gateway"
)

// TestEventIDs reads the same events over two gateways, in both orders and by link:
// an event has one ID wherever it is shown, and no other event has it.
func TestEventIDs(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	one, two := open(t, g.client, withPrefix(prefix)), open(t, g.client, withPrefix(prefix))
	want := map[string]gateway.Event{}
	var ids []gateway.ID
	for range 5 {
		link := create(t, one, newLink(t))
		ids = append(ids, link.ID)
		for range 3 {
			admit(t, one, link.ID, "GET")
		}
		if _, _, err := two.Revoke(t.Context(), link.ID, "", operator()); err != nil {
			t.Fatal(err)
		}
		refused := gateway.Attempt{ID: link.ID, Method: "GET", Address: "192.0.2.3"}
		if err := two.RecordEvent(t.Context(), refused, gateway.EventRefused, gateway.OutcomeRevoked); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := feedOf(t, one, gateway.AuditQuery{Limit: 7})
	for _, e := range first {
		if had, ok := want[e.ID]; ok || e.ID == "" {
			t.Errorf("%+v and %+v have one ID", had, e)
		}
		want[e.ID] = e.Event
	}
	equal(t, "events", len(want), 5*6)
	again, _ := feedOf(t, two, gateway.AuditQuery{Limit: 3, Oldest: true})
	equal(t, "events, the oldest first", len(again), len(want))
	for _, e := range again {
		equal(t, "the event of "+e.ID, e.Event, want[e.ID])
	}
	for _, id := range ids {
		for _, e := range events(t, two, id, 2) {
			equal(t, "the event of "+e.ID+" at its link", e, want[e.ID])
		}
	}
}

// TestEventReaderResumes reads while two gateways write, with a new reader for each
// batch that knows only the saved cursor: every event comes once.
func TestEventReaderResumes(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	one, two := open(t, g.client, withPrefix(prefix)), open(t, g.client, withPrefix(prefix))
	const writers, each = 4, 25
	var writing sync.WaitGroup
	for range writers {
		link := create(t, one, newLink(t))
		writing.Go(func() {
			for range each - 1 {
				if _, err := two.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}); err != nil {
					t.Errorf("admit: %v", err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()

	var read []string
	cursor := ""
	for last := false; ; {
		reader := gateway.NewEventReader(two, gateway.AuditQuery{Limit: 7, Cursor: cursor})
		batch, err := reader.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			read = append(read, e.ID)
		}
		cursor = reader.Cursor()
		if len(batch) > 0 {
			continue
		}
		if last { // Everything was written before this batch, and it is empty.
			break
		}
		<-written
		last = true
	}
	slices.Sort(read)
	equal(t, "events that came once", len(slices.Compact(read)), writers*each)
	equal(t, "events", len(read), writers*each)
}

// TestEventIDsOfTheSameMillisecond tells events apart that differ in nothing but
// their place in the stream, also when the list or the stream has dropped some.
func TestEventIDsOfTheSameMillisecond(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := create(t, s, newLink(t))
	var clicking sync.WaitGroup
	for range 200 { // more than the list keeps
		clicking.Go(func() {
			if _, err := s.Admit(t.Context(), gateway.Attempt{ID: link.ID, Method: "GET"}); err != nil {
				t.Errorf("admit: %v", err)
			}
		})
	}
	clicking.Wait()
	feed, _ := feedOf(t, s, gateway.AuditQuery{Limit: 50, Kind: gateway.EventRedirected})
	equal(t, "events of the feed", len(feed), 200)
	known := func() (ids []string) {
		for _, e := range events(t, s, link.ID, 500) {
			if e.Kind == gateway.EventRedirected && e.ID != "" {
				ids = append(ids, e.ID)
			}
		}
		return ids
	}
	newest := func(n int) (ids []string) {
		for _, e := range feed[:n] {
			ids = append(ids, e.ID)
		}
		return ids
	}
	equal(t, "IDs at the link", known(), newest(100))

	stream := prefix + ":" + partitionOf(link.ID) + ":clicks"
	g.nodes[0].MustDo(t, "XTRIM", stream, "MAXLEN", "60")
	equal(t, "IDs of what the feed still keeps", known(), newest(60))
}

// TestEventIDsOfLinksAtOnce clicks two links of one partition within one millisecond, from
// the same addresses: each event has the ID of its own entry in the stream.
func TestEventIDsOfLinksAtOnce(t *testing.T) {
	s := open(t, startClock(t).client)
	var links []gateway.ID
	for range 2 {
		link := newLink(t)
		link.ID[0] = 5
		links = append(links, create(t, s, link).ID)
	}
	addresses := []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}
	for _, address := range addresses {
		for _, id := range links {
			click := gateway.Attempt{ID: id, Method: "GET", Address: address}
			equal(t, "a click", attempt(t, s, click).Outcome, gateway.OutcomeRedirected)
		}
	}
	feed, _ := feedOf(t, s, gateway.AuditQuery{Limit: 50, Kind: gateway.EventRedirected})
	equal(t, "events of the feed", len(feed), len(links)*len(addresses))
	for _, id := range links {
		var want, got []string
		for _, e := range feed {
			if e.Link == id {
				want = append(want, e.ID+" "+e.Address)
			}
		}
		for _, e := range events(t, s, id, 50) {
			if e.Kind == gateway.EventRedirected {
				got = append(got, e.ID+" "+e.Address)
			}
		}
		slices.Sort(want) // Events of one millisecond have no order.
		slices.Sort(got)
		equal(t, "the events of the link", got, want)
	}
}

// TestEventIDsAfterTheClockWentBack keeps counting clicks when the stream has entries
// of a later time. Such a click has an ID in the feed and none at its link.
func TestEventIDsAfterTheClockWentBack(t *testing.T) {
	g := startSingle(t)
	prefix := newPrefix()
	s := open(t, g.client, withPrefix(prefix))
	link := create(t, s, newLink(t))
	stream := prefix + ":" + partitionOf(link.ID) + ":clicks"
	for i, address := range []string{"192.0.2.1", "192.0.2.2"} {
		if i == 1 {
			g.nodes[0].MustDo(t, "XSETID", stream, "99999999999999-0")
		}
		click := gateway.Attempt{ID: link.ID, Method: "GET", Address: address}
		if admission, err := s.Admit(t.Context(), click); err != nil || admission.Outcome != gateway.OutcomeRedirected {
			t.Fatalf("admit: %+v, %v", admission, err)
		}
	}
	equal(t, "clicks", get(t, s, link.ID).Clicks, 2)
	feed, _ := feedOf(t, s, gateway.AuditQuery{Limit: 50, Kind: gateway.EventRedirected, Oldest: true})
	if len(feed) != 2 || feed[0].ID == "" || feed[1].ID == "" || feed[0].ID == feed[1].ID {
		t.Fatalf("the feed has %+v", feed)
	}
	for _, e := range events(t, s, link.ID, 50) {
		want := map[string]string{"192.0.2.1": feed[0].ID}[e.Address]
		if e.Kind == gateway.EventRedirected && e.ID != want {
			t.Errorf("the ID of %+v is not %q", e, want)
		}
	}
}

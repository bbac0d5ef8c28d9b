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
		if err := two.Note(t.Context(), refused, gateway.EventRefused, gateway.OutcomeRevoked); err != nil {
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
			if e.Actor != "" {
				equal(t, "the event of "+e.ID+" at its link", e, want[e.ID])
			}
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

package gateway

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
)

// numberedFeed answers like a feed of length events that are numbered by their ID. It holds
// no event; the feed of a real store is tested in gateway/redisstore. A page looks at
// budget events at most, of which those with an odd number are not selected.
type numberedFeed struct {
	length, budget int
	err            error
	queries        []AuditQuery
}

func (f *numberedFeed) Audit(_ context.Context, q AuditQuery) (AuditPage, error) {
	f.queries = append(f.queries, q)
	if f.err != nil {
		return AuditPage{}, f.err
	}
	next := 0
	if q.Cursor != "" {
		var err error
		if next, err = strconv.Atoi(q.Cursor); err != nil {
			return AuditPage{}, ErrCursor
		}
	}
	var page AuditPage
	for scanned := 0; next < f.length && scanned < f.budget && len(page.Events) < q.Limit; scanned++ {
		if next%2 == 0 {
			page.Events = append(page.Events, AuditEvent{Event: Event{ID: strconv.Itoa(next)}})
		}
		next++
	}
	page.Next, page.More = strconv.Itoa(next), next < f.length
	return page, nil
}

// idsOf returns the IDs of events.
func idsOf(events []AuditEvent) []string {
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	return ids
}

func TestEventReader(t *testing.T) {
	t.Parallel()
	feed := &numberedFeed{length: 6, budget: 2}
	reader := NewEventReader(feed, AuditQuery{Kind: EventIssued, Limit: 10})
	read := func(want ...string) {
		t.Helper()
		batch, err := reader.Next(t.Context())
		if got := idsOf(batch); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if reader.Cursor() != "" {
		t.Errorf("the cursor of a new reader is %q", reader.Cursor())
	}
	read("0")
	read("2")

	// Another process goes on where the first one stopped.
	reader = NewEventReader(feed, AuditQuery{Kind: EventIssued, Limit: 10, Cursor: reader.Cursor()})
	read("4")
	read()
	caughtUp := reader.Cursor()
	read()
	if reader.Cursor() != caughtUp {
		t.Errorf("the cursor moved from %q to %q without an event", caughtUp, reader.Cursor())
	}
	feed.length = 9
	read("6")
	read("8")
	for _, q := range feed.queries {
		if !q.Oldest || q.Kind != EventIssued || q.Limit != 10 {
			t.Errorf("asked the feed for %+v", q)
		}
	}
}

// TestEventReaderSkipsEmptyPages goes on behind pages that have looked at events
// and selected none of them: an empty batch means that there is nothing left.
func TestEventReaderSkipsEmptyPages(t *testing.T) {
	t.Parallel()
	feed := &numberedFeed{length: 4, budget: 1}
	reader := NewEventReader(feed, AuditQuery{Limit: 10, Cursor: "1"})
	batch, err := reader.Next(t.Context())
	if got := idsOf(batch); err != nil || !slices.Equal(got, []string{"2"}) || reader.Cursor() != "3" {
		t.Errorf("got %q, %v, and the cursor %q", got, err, reader.Cursor())
	}
	batch, err = reader.Next(t.Context())
	if err != nil || len(batch) != 0 || reader.Cursor() != "4" {
		t.Errorf("at the end: %q, %v, and the cursor %q", idsOf(batch), err, reader.Cursor())
	}
}

// TestEventReaderAfterAnError stays where it was, so that no event is lost.
func TestEventReaderAfterAnError(t *testing.T) {
	t.Parallel()
	feed := &numberedFeed{length: 3, budget: 9}
	reader := NewEventReader(feed, AuditQuery{Limit: 1})
	if _, err := reader.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := reader.Cursor()
	feed.err = ErrUnavailable
	if batch, err := reader.Next(t.Context()); !errors.Is(err, ErrUnavailable) || batch != nil ||
		reader.Cursor() != before {
		t.Errorf("got %q, %v, and the cursor %q", idsOf(batch), err, reader.Cursor())
	}
	feed.err = nil
	if batch, err := reader.Next(t.Context()); err != nil || !slices.Equal(idsOf(batch), []string{"2"}) {
		t.Errorf("after the error: %q, %v", idsOf(batch), err)
	}
	if _, err := NewEventReader(feed, AuditQuery{Cursor: "forged"}).Next(t.Context()); !errors.Is(err, ErrCursor) {
		t.Errorf("a forged cursor: %v", err)
	}
}

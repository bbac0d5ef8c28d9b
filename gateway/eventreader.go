package gateway

import "context"

// EventFeed is the source of an EventReader: the Audit method of Store.
type EventFeed interface {
	// Audit returns one page of the events of all links, or ErrCursor.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
}

// EventReader reads the events of all links, oldest first, and then new events as they
// happen. Save its cursor, a text, to survive a restart: a new reader with that cursor
// continues after the last batch, without loss and without repeats. The cursor is valid
// for every gateway of the same Redis.
//
// A reader that falls too far behind misses the events that the feed has dropped
// meanwhile (audit.max_entries). Only one goroutine at a time may use a reader.
type EventReader struct {
	feed  EventFeed
	query AuditQuery
}

// NewEventReader returns a reader of the events that q selects. q.Cursor is the Cursor of
// an earlier reader with the same selection; if it is empty, q.Since or q.FromNow decides
// where the reader begins. q.Limit is the largest number of events in a batch.
// NewEventReader sets q.Oldest itself.
func NewEventReader(feed EventFeed, q AuditQuery) *EventReader {
	q.Oldest = true
	return &EventReader{feed: feed, query: q}
}

// Next returns the next events. An empty batch means that the reader has read all events
// so far: wait before you call Next again. An error leaves the cursor unchanged, so you
// can repeat Next. ErrCursor means that q.Cursor does not belong to this selection.
// ErrUnavailable means that Redis did not answer.
func (r *EventReader) Next(ctx context.Context) ([]AuditEvent, error) {
	for {
		page, err := r.feed.Audit(ctx, r.query)
		if err != nil {
			return nil, err
		}
		r.query.Cursor = page.Next
		// A page can be empty although the feed has more events: the store examines a
		// limited number of events for a page, and the selection may exclude all of them.
		if len(page.Events) > 0 || !page.More {
			return page.Events, nil
		}
	}
}

// Cursor returns the position of the next batch. A consumer saves the cursor after it has
// processed a batch. If the consumer stops between the two, it later reads that batch
// again and recognises the events by Event.ID. Before the first Next, Cursor returns the
// cursor given to NewEventReader.
func (r *EventReader) Cursor() string { return r.query.Cursor }

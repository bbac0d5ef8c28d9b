package gateway

import "context"

// EventFeed is what an EventReader reads: the Audit method of Store.
type EventFeed interface {
	// Audit returns one page of the events of all links, or ErrCursor.
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
}

// EventReader reads the events of all links, oldest first, and goes on with those
// that happen later. Its cursor is text that survives a restart: a reader that is
// made with it begins behind the last batch, without loss and without repeats, over
// any gateway of the same Redis.
//
// A reader that falls behind loses the events that the feed has dropped by then
// (audit.max_entries). It is for one goroutine at a time.
type EventReader struct {
	feed  EventFeed
	query AuditQuery
}

// NewEventReader returns a reader of the events that q selects. q.Oldest is set,
// q.Cursor is the Cursor of an earlier reader of the same selection, or empty to
// begin where q.Since or q.FromNow says, and q.Limit is the most events of a batch.
func NewEventReader(feed EventFeed, q AuditQuery) *EventReader {
	q.Oldest = true
	return &EventReader{feed: feed, query: q}
}

// Next returns the next events. An empty batch means that the reader has caught up:
// the caller waits before it calls Next again. After an error the cursor is where
// it was, and Next can be repeated. ErrCursor means that q.Cursor is not a cursor of
// this selection; ErrUnavailable that the feed could not be read.
func (r *EventReader) Next(ctx context.Context) ([]AuditEvent, error) {
	for {
		page, err := r.feed.Audit(ctx, r.query)
		if err != nil {
			return nil, err
		}
		r.query.Cursor = page.Next
		// A page can be empty although the feed goes on, because the store looks at a
		// bounded number of events for each page and the selection may skip all of them.
		if len(page.Events) > 0 || !page.More {
			return page.Events, nil
		}
	}
}

// Cursor returns where the next batch begins. A consumer saves it after it has
// processed a batch. If it stops between the two, it reads that batch again, and
// Event.ID tells it which events it has processed already. Before the first Next it
// is the cursor that the reader was made with.
func (r *EventReader) Cursor() string { return r.query.Cursor }

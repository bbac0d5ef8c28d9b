package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Events returns the last keptDownloads downloads of a link and its last keptOthers
// refusals, pages and failures. The list may hold a few more, because lua/event.lua trims
// it only at times.
const (
	keptDownloads = 100
	keptOthers    = 32
)

// Events implements gateway.Store: it merges all operators' events within the retention
// and the last clicks by time.
func (s *Store) Events(
	ctx context.Context, id gateway.ID, cursor string, limit int,
) (_ gateway.EventList, err error) {
	defer s.observe(callEvents, time.Now(), &err)
	limit = max(limit, 1)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.EventList{}, err
	}
	cursors := s.cursors.Load()
	from := eventPosition{clicks: -1}
	if cursor != "" {
		if from, err = parseEventPosition(cursors, id, cursor); err != nil {
			return gateway.EventList{}, err
		}
	}
	p := partition(id)
	v, err := run(ctx, s.client.rest, s.scripts.events, true,
		[]string{s.keys.history(id), s.keys.operations(p), s.keys.clicks(p), s.keys.refusals(p)},
		from.operation, limit+1, id[:])
	if err != nil {
		return gateway.EventList{}, unavailable("events", err)
	}
	r := replyOf(v)
	switch r.text() {
	case "n":
		return gateway.EventList{}, gateway.ErrNotFound
	case "l":
	default:
		return gateway.EventList{}, unavailable("events", gateway.ErrRecord)
	}
	list := r.list()
	operations, broken := operationsOf(r.list())
	clicks, err := clicksOf(id, list, r.list(), from)
	if err := errors.Join(r.err, broken, err); err != nil {
		return gateway.EventList{}, unavailable("events", err)
	}
	page, next := eventList(clicks, operations, limit)
	if next != nil {
		page.Next = next.cursor(cursors, id)
	}
	return page, nil
}

// eventPosition is the end of a page of events. The next page has the earlier clicks, and
// of the clicks at time the oldest ones; new clicks do not change which those are. The
// next page also has the operators' event operation and earlier ones. If clicks at time
// are trimmed between the two pages, some events appear twice.
type eventPosition struct {
	time      int64  // Unix milliseconds
	clicks    int    // number of clicks at time that are left; -1: no position
	operation string // a record.Place
}

// parseEventPosition reads a cursor of one link's events.
func parseEventPosition(cursors *sealer, id gateway.ID, cursor string) (eventPosition, error) {
	raw, err := cursors.open(cursorEvents, string(id[:]), cursor)
	if err != nil {
		return eventPosition{}, err
	}
	d := record.Decoder{Rest: raw}
	p := eventPosition{time: d.Fixed(6), clicks: int(d.Fixed(2)), operation: d.Take(record.PlaceWidth)}
	if d.Err != nil || d.Rest != "" {
		return eventPosition{}, gateway.ErrCursor
	}
	return p, nil
}

// cursor seals the position.
func (p eventPosition) cursor(cursors *sealer, id gateway.ID) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.time)<<16|uint64(p.clicks)) //nolint:gosec // 48 and 16 bits.
	return cursors.seal(cursorEvents, string(id[:]), string(raw)+p.operation)
}

// clicksOf reads the clicks of a link's list, and the sequence number of each click in
// its stream. It returns the clicks after the position, newest first.
func clicksOf(id gateway.ID, list, sequences []any, from eventPosition) ([]gateway.Event, error) {
	if len(sequences) != len(list) {
		return nil, gateway.ErrRecord
	}
	var kept []gateway.Event // newest first
	downloads, others := 0, 0
	for i, v := range slices.Backward(list) {
		text, ok := v.(string)
		if !ok {
			return nil, gateway.ErrRecord
		}
		c, err := record.ParseClick(id, text)
		if err != nil {
			return nil, err
		}
		c.ID = clickID(&c.Event, sequences[i])
		count, most := &others, keptOthers
		if c.Kind == gateway.EventRedirected {
			count, most = &downloads, keptDownloads
		}
		if *count++; *count <= most {
			kept = append(kept, c.Event)
		}
	}
	if from.clicks < 0 {
		return kept, nil
	}
	same := 0
	for _, e := range kept {
		if e.Time.UnixMilli() == from.time {
			same++
		}
	}
	// Of the millisecond where the previous page ended, only the oldest clicks are left.
	return slices.DeleteFunc(kept, func(e gateway.Event) bool {
		at := e.Time.UnixMilli()
		if at == from.time {
			same--
		}
		return at > from.time || at == from.time && same >= from.clicks
	}), nil
}

// clickID returns the ID of a click's event with a sequence number, or an empty string if
// the stream no longer has the event.
func clickID(e *gateway.Event, sequence any) string {
	text, _ := sequence.(string)
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return ""
	}
	stream := streamOf(e.Link, streamRefusals)
	if e.Kind == gateway.EventRedirected {
		stream = streamOf(e.Link, streamClicks)
	}
	return eventID(positionOf(record.Place(e.Time.UnixMilli(), seq), stream))
}

// operationsOf reads operators' events, each as time, sequence number and value.
func operationsOf(list []any) ([]record.Operation, error) {
	r := &reply{rest: list}
	var operations []record.Operation
	for len(r.rest) > 0 && r.err == nil {
		ms, seq, value := r.number(), r.number(), r.text()
		if r.err != nil {
			return nil, r.err
		}
		o, err := record.ParseOperation(ms, seq, value)
		if err != nil {
			return nil, err
		}
		o.ID = eventID(positionOf(o.Place, streamOf(o.Link, streamOperations)))
		operations = append(operations, o)
	}
	return operations, r.err
}

// eventList merges clicks and operations, newest first. It returns the position of the
// next page, or nil at the end.
func eventList(
	clicks []gateway.Event, operations []record.Operation, limit int,
) (page gateway.EventList, _ *eventPosition) {
	next := eventPosition{operation: record.NoPlace}
	if len(operations) > 0 {
		next.operation = operations[0].Place
	}
	for len(page.Events) < limit && len(clicks)+len(operations) > 0 {
		if len(operations) > 0 && (len(clicks) == 0 || operationFirst(operations[0].Event, clicks[0])) {
			page.Events = append(page.Events, operations[0].Event)
			next.operation = operations[0].Previous
			operations = operations[1:]
			continue
		}
		page.Events = append(page.Events, clicks[0])
		clicks = clicks[1:]
	}
	if len(clicks)+len(operations) == 0 {
		return page, nil
	}
	if len(clicks) > 0 {
		next.time = clicks[0].Time.UnixMilli()
		for _, c := range clicks {
			if c.Time.Equal(clicks[0].Time) {
				next.clicks++
			}
		}
	}
	return page, &next
}

// operationFirst reports whether an operators' event is newer than a click. Within one
// millisecond, the issue is older than every click, and a revocation is newer than all
// clicks except those that were refused because of it.
func operationFirst(operation, c gateway.Event) bool {
	if !operation.Time.Equal(c.Time) {
		return operation.Time.After(c.Time)
	}
	refused := operation.Kind == gateway.EventRevoked && c.Outcome == gateway.OutcomeRevoked
	return operation.Kind != gateway.EventIssued && !refused
}

package redisstore

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// streams is the number of event streams: one of operations, one of downloads and one of
// refusals per partition. A cursor holds the places of the streams in this order.
const streams = 3 * partitions

// feed is the position of a page of the audit feed: one place in each stream. A single
// place for all streams would miss events. One stream may get an event with a time up to
// which another stream was read already: in the same millisecond, or by the clock of
// another master. The cursor holds until in 6 bytes and each place in 10 bytes.
type feed struct {
	query  *gateway.AuditQuery
	since  int64           // Unix milliseconds
	until  int64           // Unix milliseconds; 0: no end
	places [streams]string // each a record.Place; empty: from since or until
}

// Audit implements gateway.Store: it merges the streams of all partitions by time. A page
// examines at most scanBudget events.
func (s *Store) Audit(ctx context.Context, q gateway.AuditQuery) (_ gateway.AuditPage, err error) {
	defer s.observe(callAudit, time.Now(), &err)
	q.Limit = max(q.Limit, 1)
	filter := auditFilter(&q)
	position, now, _, err := s.span(ctx, cursorAudit, filter, q.Cursor)
	if err != nil {
		return gateway.AuditPage{}, err
	}
	f, err := newFeed(&q, position, now)
	if err != nil {
		return gateway.AuditPage{}, err
	}
	page, more, err := s.auditPage(ctx, f)
	if err != nil {
		return gateway.AuditPage{}, unavailable("audit", err)
	}
	page.More = more && q.Oldest
	if more || q.Oldest {
		page.Next = s.cursors.Load().seal(cursorAudit, filter, f.position())
	}
	return page, nil
}

// auditFilter packs the filters of a page, for its cursor.
func auditFilter(q *gateway.AuditQuery) string {
	b := record.AppendTime(record.AppendTime(nil, q.Since), q.Until)
	b = record.AppendString(b, string(q.Kind))
	b = append(b, q.Link[:]...)
	b = strconv.AppendBool(b, q.FromNow)
	return string(strconv.AppendBool(b, q.Oldest))
}

// newFeed returns the feed at a position; an empty position is the first page.
func newFeed(q *gateway.AuditQuery, position string, now int64) (*feed, error) {
	f := &feed{query: q}
	if !q.Since.IsZero() {
		f.since = max(q.Since.UnixMilli(), 0)
	}
	if !q.Until.IsZero() {
		f.until = max(q.Until.UnixMilli(), 1)
	}
	if f.until == 0 && !q.Oldest {
		f.until = now + 1 // Events that happen between two pages would be out of order.
	}
	if position == "" {
		if q.FromNow {
			for i := range f.places {
				f.places[i] = record.Place(now-1, math.MaxUint32) // the last possible place before now
			}
		}
		return f, nil
	}
	d := record.Decoder{Rest: position}
	f.until = d.Fixed(6)
	for i := range f.places {
		if place := d.Take(record.PlaceWidth); place != record.NoPlace {
			f.places[i] = place
		}
	}
	if d.Err != nil || d.Rest != "" {
		return nil, gateway.ErrCursor
	}
	return f, nil
}

// position packs the position of the next page.
func (f *feed) position() string {
	var b strings.Builder
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(f.until)<<16)[:6]) //nolint:gosec // 48 bits of milliseconds.
	for _, place := range f.places {
		if place == "" {
			place = record.NoPlace
		}
		b.WriteString(place)
	}
	return b.String()
}

// auditPage takes events until the page is full, the budget is spent or no event is left.
// It moves the places of the feed after the events that it examined.
func (s *Store) auditPage(ctx context.Context, f *feed) (page gateway.AuditPage, more bool, err error) {
	w := s.walkStreams(f)
	q := f.query
	for scanned := 0; scanned < scanBudget && len(page.Events) < q.Limit; {
		entries, err := w.take(ctx, min(max(q.Limit, 50), scanChunk, scanBudget-scanned))
		if err != nil || len(entries) == 0 {
			return page, false, err
		}
		links, err := s.linksOf(ctx, f.ofLink(entries))
		if err != nil {
			return page, false, err
		}
		for _, e := range entries {
			if len(page.Events) == q.Limit {
				return page, true, nil
			}
			scanned++
			place := e.position[:record.PlaceWidth]
			f.places[e.position[record.PlaceWidth]] = place
			if event, ok := f.selects(e.event, links[e.id]); ok {
				page.Events = append(page.Events, event)
			}
		}
	}
	more, err = w.more(ctx)
	return page, more, err
}

// ofLink returns the events of the requested link, or all events if none is requested.
func (f *feed) ofLink(events []entry) []entry {
	if f.query.Link == (gateway.ID{}) {
		return events
	}
	return slices.DeleteFunc(slices.Clone(events), func(e entry) bool { return e.id != f.query.Link })
}

// linksOf reads the links of events, each link once. A link that Redis no longer has is
// nil.
func (s *Store) linksOf(ctx context.Context, events []entry) (map[gateway.ID]*gateway.Link, error) {
	links := make(map[gateway.ID]*gateway.Link, len(events))
	var distinct []entry
	for _, e := range events {
		if _, known := links[e.id]; !known {
			links[e.id] = nil
			distinct = append(distinct, e)
		}
	}
	read, err := s.fetch(ctx, distinct)
	if err != nil {
		return nil, err
	}
	for i, f := range read {
		links[distinct[i].id] = f.link
	}
	return links, nil
}

// selects reports whether an event belongs on the page, and returns it with its link's
// object. link is nil if Redis no longer has the link.
func (f *feed) selects(e gateway.Event, link *gateway.Link) (gateway.AuditEvent, bool) {
	event := gateway.AuditEvent{Event: e}
	if link != nil {
		event.Ref = link.Ref
	}
	return event, (f.query.Kind == "" || e.Kind == f.query.Kind) &&
		(f.query.Link == (gateway.ID{}) || e.Link == f.query.Link) &&
		(f.query.Match == nil || link != nil && f.query.Match(link.Ref))
}

// walkStreams walks through the events of all streams.
func (s *Store) walkStreams(f *feed) walk {
	m := &merge{
		chunk:  firstChunk,
		before: func(a, b string) bool { return a > b },
		fetch: func(ctx context.Context, sources []*source, n int) error {
			return s.fetchEvents(ctx, f, sources, n)
		},
	}
	if f.query.Oldest {
		m.before = func(a, b string) bool { return a < b }
	}
	for p := range partitions {
		for i, key := range []string{s.keys.operations(p), s.keys.clicks(p), s.keys.refusals(p)} {
			number := streams/partitions*p + i
			m.sources = append(m.sources, &source{partition: number, stream: key, after: f.places[number]})
		}
	}
	return walk{m}
}

// fetchEvents reads the next n events of each stream.
func (s *Store) fetchEvents(ctx context.Context, f *feed, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	pipe := s.client.rest.Pipeline()
	commands := make([]*redis.Cmd, len(sources))
	for i, src := range sources {
		first, last := strconv.FormatInt(f.since, 10), "+"
		if f.until > 0 {
			last = "(" + strconv.FormatInt(f.until, 10) + "-0"
		}
		if f.query.Oldest {
			if src.after != "" {
				first = "(" + streamID(src.after)
			}
			commands[i] = pipe.Do(ctx, "xrange", src.stream, first, last, "count", n)
			continue
		}
		if src.after != "" {
			last = "(" + streamID(src.after)
		}
		commands[i] = pipe.Do(ctx, "xrevrange", src.stream, last, first, "count", n)
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	for i, command := range commands {
		list, err := command.Slice()
		if err != nil {
			return err
		}
		sources[i].done = len(list) < n
		entries := make([]entry, len(list))
		for j, v := range list {
			if entries[j], err = eventEntry(sources[i], v); err != nil {
				return err
			}
		}
		sources[i].read(entries)
	}
	return nil
}

// streamID converts a record.Place to a stream ID of Redis.
func streamID(place string) string {
	d := record.Decoder{Rest: place}
	ms := strconv.FormatInt(d.Fixed(6), 10)
	return ms + "-" + strconv.FormatInt(d.Fixed(4), 10)
}

// The numbers of a partition's streams, in the order of a feed's places.
const (
	streamOperations = iota
	streamClicks
	streamRefusals
)

// streamOf returns the number of a stream of the partition that holds a link.
func streamOf(id gateway.ID, kind int) int { return streams/partitions*partition(id) + kind }

// positionOf packs the place of an event and the number of its stream.
func positionOf(place string, stream int) string {
	return place + string([]byte{byte(stream)}) //nolint:gosec // Under streams.
}

// eventID writes the position of an event as text for gateway.Event.ID.
func eventID(position string) string { return hex.EncodeToString([]byte(position)) }

// eventEntry reads one entry of a stream: its ID, and the version and value of its event.
// The position of the entry is its place and the number of the stream.
func eventEntry(src *source, v any) (entry, error) {
	r := replyOf(v)
	id := r.text()
	fields := &reply{rest: r.list()}
	version, value := fields.text(), fields.text()
	if r.err != nil || fields.err != nil || version != strconv.Itoa(record.Plain) {
		return entry{}, fmt.Errorf("%w: unknown event in a stream", gateway.ErrRecord)
	}
	before, after, _ := strings.Cut(id, "-")
	ms, msErr := strconv.ParseInt(before, 10, 64)
	seq, seqErr := strconv.ParseInt(after, 10, 64)
	if msErr != nil || seqErr != nil {
		return entry{}, fmt.Errorf("%w: invalid stream ID of an event", gateway.ErrRecord)
	}
	var event gateway.Event
	var err error
	if src.partition%(streams/partitions) == streamOperations {
		var o record.Operation
		o, err = record.ParseOperation(ms, seq, value)
		event = o.Event
	} else {
		event, err = record.ParseStreamed(ms, value)
	}
	if err == nil && partition(event.Link) != src.partition/(streams/partitions) {
		err = errOtherReply // The events of a link are in the streams of its partition.
	}
	position := positionOf(record.Place(ms, seq), src.partition)
	event.ID = eventID(position)
	return entry{id: event.Link, position: position, event: event}, err
}

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
)

// streams is how many streams of events there are: one of operators', one of
// downloads' and one of refusals' in each partition. Their order is that of the
// places in a cursor.
const streams = 3 * partitions

// feed is where a page of the audit feed begins: in each stream after, or before
// where the newest come first, an entry of its own. One place for all of them
// would not do: an event that a stream is given a moment later may have the time
// of one that was read from another. The cursor holds until in 6 bytes and each
// place in 10.
type feed struct {
	query  *gateway.AuditQuery
	since  int64           // milliseconds
	until  int64           // milliseconds, 0: no such end
	places [streams]string // as operationAt has it, empty: from since or until on
}

// Audit implements gateway.Store: the streams of all partitions, joined by time.
// One page looks at lookBudget events at most.
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

// auditFilter packs what a page selects, for its cursor.
func auditFilter(q *gateway.AuditQuery) string {
	b := appendTime(appendTime(nil, q.Since), q.Until)
	b = appendString(b, string(q.Kind))
	b = append(b, q.Link[:]...)
	b = strconv.AppendBool(b, q.FromNow)
	return string(strconv.AppendBool(b, q.Oldest))
}

// newFeed reads a position, empty for the first page.
func newFeed(q *gateway.AuditQuery, position string, now int64) (*feed, error) {
	f := &feed{query: q}
	if !q.Since.IsZero() {
		f.since = max(q.Since.UnixMilli(), 0)
	}
	if !q.Until.IsZero() {
		f.until = max(q.Until.UnixMilli(), 1)
	}
	if f.until == 0 && !q.Oldest {
		f.until = now + 1 // What happens between two pages would come out of turn.
	}
	if position == "" {
		if q.FromNow {
			for i := range f.places {
				f.places[i] = string(operationAt(now-1, math.MaxUint32)) // the last entry that can be before now
			}
		}
		return f, nil
	}
	d := decoder{rest: position}
	f.until = d.fixed(6)
	for i := range f.places {
		if place := d.take(uint64(len(noOperation))); place != noOperation {
			f.places[i] = place
		}
	}
	if d.err != nil || d.rest != "" {
		return nil, gateway.ErrCursor
	}
	return f, nil
}

// position packs where the next page begins.
func (f *feed) position() string {
	var b strings.Builder
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(f.until)<<16)[:6]) //nolint:gosec // 48 bits of milliseconds.
	for _, place := range f.places {
		if place == "" {
			place = noOperation
		}
		b.WriteString(place)
	}
	return b.String()
}

// auditPage takes events until the page is full, the budget is spent or nothing is
// left, and moves the places on behind what was looked at.
func (s *Store) auditPage(ctx context.Context, f *feed) (page gateway.AuditPage, more bool, err error) {
	w := s.walkStreams(f)
	q := f.query
	for looked := 0; looked < lookBudget && len(page.Events) < q.Limit; {
		entries, err := w.take(ctx, min(max(q.Limit, 50), lookPiece, lookBudget-looked))
		if err != nil || len(entries) == 0 {
			return page, false, err
		}
		links, err := s.linksOf(ctx, f.concerned(entries))
		if err != nil {
			return page, false, err
		}
		for _, e := range entries {
			if len(page.Events) == q.Limit {
				return page, true, nil
			}
			looked++
			place := e.position[:len(noOperation)]
			f.places[e.position[len(noOperation)]] = place
			if event, ok := f.selects(e.event, links[e.id]); ok {
				page.Events = append(page.Events, event)
			}
		}
	}
	more, err = w.more(ctx)
	return page, more, err
}

// concerned returns the events of the link that is asked for, all where none is.
func (f *feed) concerned(events []entry) []entry {
	if f.query.Link == (gateway.ID{}) {
		return events
	}
	return slices.DeleteFunc(slices.Clone(events), func(e entry) bool { return e.id != f.query.Link })
}

// linksOf reads the links of events, each once however many are of it. A link that
// has been forgotten is nil.
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

// selects tells whether an event belongs on the page, and joins it with its link's
// object. link is nil where it is not known any more.
func (f *feed) selects(e gateway.Event, link *gateway.Link) (gateway.AuditEvent, bool) {
	event := gateway.AuditEvent{Event: e}
	if link != nil {
		event.Ref = link.Ref
	}
	return event, (f.query.Kind == "" || e.Kind == f.query.Kind) &&
		(f.query.Link == (gateway.ID{}) || e.Link == f.query.Link) &&
		(f.query.Match == nil || link != nil && f.query.Match(link.Ref))
}

// walkStreams goes through the events of all streams.
func (s *Store) walkStreams(f *feed) walk {
	m := &merge{
		piece:  firstPiece,
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
	_, _ = pipe.Exec(ctx) // The errors are in the commands.
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

// streamID writes a place as Redis names it.
func streamID(place string) string {
	d := decoder{rest: place}
	ms := strconv.FormatInt(d.fixed(6), 10)
	return ms + "-" + strconv.FormatInt(d.fixed(4), 10)
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
func positionOf(place []byte, stream int) string {
	return string(append(place, byte(stream))) //nolint:gosec // Under streams.
}

// eventID writes the position of an event as text for gateway.Event.ID.
func eventID(position string) string { return hex.EncodeToString([]byte(position)) }

// eventEntry reads one entry of a stream: its ID, and a version and a value. Its
// position is its place and the stream.
func eventEntry(src *source, v any) (entry, error) {
	r := replyOf(v)
	id := r.text()
	fields := &reply{rest: r.list()}
	format, record := fields.text(), fields.text()
	if r.err != nil || fields.err != nil || format != strconv.Itoa(version) {
		return entry{}, fmt.Errorf("%w: event in a stream", gateway.ErrRecord)
	}
	before, after, _ := strings.Cut(id, "-")
	ms, strange := strconv.ParseInt(before, 10, 64)
	seq, odd := strconv.ParseInt(after, 10, 64)
	if strange != nil || odd != nil {
		return entry{}, fmt.Errorf("%w: id of an event", gateway.ErrRecord)
	}
	var event gateway.Event
	var err error
	if src.partition%(streams/partitions) == streamOperations {
		var o operation
		o, err = parseOperation(ms, seq, record)
		event = o.Event
	} else {
		event, err = parseStreamed(ms, record)
	}
	if err == nil && partition(event.Link) != src.partition/(streams/partitions) {
		err = errOtherReply // A link's events are in the streams of its partition.
	}
	position := positionOf(operationAt(ms, seq), src.partition)
	event.ID = eventID(position)
	return entry{id: event.Link, position: position, event: event}, err
}

package redisstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// streams is the number of event streams: one of operations, one of downloads and one of
// refusals per partition.
const streams = 3 * partitions

// readsPartition reports whether a partition can have events of the query.
func (f *feed) readsPartition(p int) bool {
	if f.candidates == nil {
		return true
	}
	for id := range f.candidates {
		if partition(id) == p {
			return true
		}
	}
	return false
}

// readsKind reports whether the streams of a kind can have events of the query. The kind
// is streamOperations, streamClicks or streamRefusals.
func (f *feed) readsKind(kind int) bool {
	q, fits := f.query, true
	switch q.Kind {
	case "":
	case gateway.EventRedirected:
		fits = kind == streamClicks
	case gateway.EventPage, gateway.EventRefused, gateway.EventFailed:
		fits = kind == streamRefusals
	default:
		fits = kind == streamOperations
	}
	switch q.Outcome {
	case "":
	case gateway.OutcomeRedirected, gateway.OutcomeResumed:
		fits = fits && kind == streamClicks
	default:
		fits = fits && kind == streamRefusals
	}
	return fits && (q.Actor == "" || kind == streamOperations)
}

// walkStreams walks through the streams that can have events of the query.
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
		if !f.readsPartition(p) {
			continue
		}
		for i, key := range []string{s.keys.operations(p), s.keys.clicks(p), s.keys.refusals(p)} {
			if number := streams/partitions*p + i; f.readsKind(i) {
				m.sources = append(m.sources, &source{partition: number, stream: key, after: f.places[number]})
			}
		}
	}
	return walk{m}
}

// fetchEvents reads the next n events of each stream.
func (s *Store) fetchEvents(ctx context.Context, f *feed, sources []*source, n int) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	if f.until > 0 && !f.query.Oldest {
		var err error
		if sources, err = s.startedStreams(ctx, f, sources); err != nil {
			return err
		}
	}
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

// startedStreams returns the streams that have an event in the times of the query, and marks
// the others as read. If all events of a stream are later than the end of XREVRANGE, Redis
// walks through the whole stream; XRANGE finds that there is none at once.
func (s *Store) startedStreams(ctx context.Context, f *feed, sources []*source) ([]*source, error) {
	first, last := strconv.FormatInt(f.since, 10), "("+strconv.FormatInt(f.until, 10)+"-0"
	pipe := s.client.rest.Pipeline()
	commands := make(map[*source]*redis.Cmd, len(sources))
	for _, src := range sources {
		if src.after == "" {
			commands[src] = pipe.Do(ctx, "xrange", src.stream, first, last, "count", 1)
		}
	}
	if len(commands) == 0 {
		return sources, nil
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	var started []*source
	for _, src := range sources {
		if command, asked := commands[src]; asked {
			list, err := command.Slice()
			if err != nil {
				return nil, err
			}
			if len(list) == 0 {
				src.done = true
				src.read(nil)
				continue
			}
		}
		started = append(started, src)
	}
	return started, nil
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

// parseStreamID reads the ID of an entry of a stream: milliseconds since 1970, and a number that
// distinguishes entries of the same millisecond.
func parseStreamID(id string) (ms, seq int64, err error) {
	before, after, _ := strings.Cut(id, "-")
	ms, msErr := strconv.ParseInt(before, 10, 64)
	seq, seqErr := strconv.ParseInt(after, 10, 64)
	if msErr != nil || seqErr != nil {
		return 0, 0, fmt.Errorf("%w: invalid stream ID of an event", gateway.ErrRecord)
	}
	return ms, seq, nil
}

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
	ms, seq, err := parseStreamID(id)
	if err != nil {
		return entry{}, err
	}
	var event gateway.Event
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

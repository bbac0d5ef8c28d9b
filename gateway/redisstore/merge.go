package redisstore

import (
	"context"

	"keyhole/gateway"
)

// entry is one link of an index, or one event of a stream.
type entry struct {
	id          gateway.ID
	indexBucket int64         // of the index that listed it
	position    string        // the order of entries; a cursor holds the last one
	event       gateway.Event // only of a stream
}

// source is one index or stream of one partition, read chunk by chunk.
type source struct {
	partition   int
	indexBucket int64   // only of an index
	stream      string  // the key, only of a stream
	after       string  // position of the last entry that was read; empty: none
	ahead       []entry // entries that were read and not yet taken
	done        bool    // the source has no more entries to read
}

// read appends entries that were read.
func (s *source) read(entries []entry) {
	if len(entries) > 0 {
		s.after = entries[len(entries)-1].position
		s.ahead = append(s.ahead, entries...)
	}
}

// merge merges sources into one order.
type merge struct {
	sources []*source
	before  func(a, b string) bool // the order of positions
	// fetch reads the next n entries of each source, in one round trip.
	fetch func(ctx context.Context, sources []*source, n int) error
	chunk int
}

// The number of entries that are read from a source at once grows during a listing. A page
// is spread evenly over the partitions, so the first chunk is usually enough.
const (
	firstChunk = 6
	lastChunk  = 256
)

// next returns the source with the first entry, and nil if all sources are done.
func (m *merge) next(ctx context.Context) (*source, error) {
	if err := m.fill(ctx); err != nil {
		return nil, err
	}
	var first *source
	for _, s := range m.sources {
		if len(s.ahead) > 0 && (first == nil || m.before(s.ahead[0].position, first.ahead[0].position)) {
			first = s
		}
	}
	return first, nil
}

// fill reads more entries if a source has none ahead, because the first entry is known
// only when every source has one. In the same round trip it also reads sources that have
// few entries ahead.
func (m *merge) fill(ctx context.Context) error {
	for {
		var short []*source
		empty := false
		for _, s := range m.sources {
			if s.done {
				continue
			}
			empty = empty || len(s.ahead) == 0
			if len(s.ahead) <= m.chunk/2 {
				short = append(short, s)
			}
		}
		if !empty {
			return nil
		}
		if err := m.fetch(ctx, short, m.chunk); err != nil {
			return err
		}
		m.chunk = min(2*m.chunk, lastChunk)
	}
}

// walk visits several merges one after the other.
type walk []*merge

// first returns the source with the next entry, and nil at the end.
func (w *walk) first(ctx context.Context) (s *source, err error) {
	for len(*w) > 0 && s == nil && err == nil {
		if s, err = (*w)[0].next(ctx); s == nil && err == nil {
			*w = (*w)[1:]
		}
	}
	return s, err
}

// take returns the next n entries, or fewer at the end.
func (w *walk) take(ctx context.Context, n int) ([]entry, error) {
	var taken []entry
	for len(taken) < n {
		s, err := w.first(ctx)
		if s == nil || err != nil {
			return taken, err
		}
		taken = append(taken, s.ahead[0])
		s.ahead = s.ahead[1:]
	}
	return taken, nil
}

// more reports whether take would return an entry.
func (w *walk) more(ctx context.Context) (bool, error) {
	s, err := w.first(ctx)
	return s != nil, err
}

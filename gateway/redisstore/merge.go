package redisstore

import (
	"context"

	"keyhole/gateway"
)

// entry is one link as an index has it, or one event.
type entry struct {
	id         gateway.ID
	generation int64         // of the index that named it
	position   string        // orders entries, and resumes a listing after this one
	event      gateway.Event // of a stream
}

// source is one index or stream of one partition, read piece by piece.
type source struct {
	partition  int
	generation int64   // of an index
	stream     string  // its key, of a stream
	after      string  // position of the last entry that was read, empty: none
	ahead      []entry // read, not yet taken
	done       bool    // there is no more to read
}

// read puts entries that were read behind those ahead.
func (s *source) read(entries []entry) {
	if len(entries) > 0 {
		s.after = entries[len(entries)-1].position
		s.ahead = append(s.ahead, entries...)
	}
}

// merge joins sources into one order.
type merge struct {
	sources []*source
	before  func(a, b string) bool // the order of positions
	// fetch reads the next n entries of each source, in one round trip.
	fetch func(ctx context.Context, sources []*source, n int) error
	piece int
}

// The pieces that sources are read in: they grow as the listing goes on.
// Partitions share a page evenly, so the first is usually enough.
const (
	firstPiece = 6
	lastPiece  = 256
)

// next returns the source whose next entry is first, nil where all are done.
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

// fill reads on where a source has run out: without its next entry nobody can
// say which is first. Those that are about to run out are read along.
func (m *merge) fill(ctx context.Context) error {
	for {
		var short []*source
		out := false
		for _, s := range m.sources {
			if s.done {
				continue
			}
			out = out || len(s.ahead) == 0
			if len(s.ahead) <= m.piece/2 {
				short = append(short, s)
			}
		}
		if !out {
			return nil
		}
		if err := m.fetch(ctx, short, m.piece); err != nil {
			return err
		}
		m.piece = min(2*m.piece, lastPiece)
	}
}

// walk goes through groups of links, each a merge, one after the other.
type walk []*merge

// first returns the source with the next entry, nil at the end.
func (w *walk) first(ctx context.Context) (s *source, err error) {
	for len(*w) > 0 && s == nil && err == nil {
		if s, err = (*w)[0].next(ctx); s == nil && err == nil {
			*w = (*w)[1:]
		}
	}
	return s, err
}

// take returns the next n entries, fewer at the end.
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

// more tells whether take would return anything.
func (w *walk) more(ctx context.Context) (bool, error) {
	s, err := w.first(ctx)
	return s != nil, err
}

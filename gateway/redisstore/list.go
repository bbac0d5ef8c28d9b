package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"keyhole/gateway"
)

// A page looks at lookBudget entries at most, and fetches at most lookPiece
// records at once, readBatch of them by one execution of the script.
const (
	lookBudget = 5000
	lookPiece  = 500
	readBatch  = 50
)

// List implements gateway.Store. The index that names the fewest links is
// read, and the other filters are asked of the records.
func (s *Store) List(ctx context.Context, q gateway.ListQuery) (_ gateway.ListPage, err error) {
	defer s.observe(callList, time.Now(), &err)
	q.Limit = max(q.Limit, 1)
	kind, filter := byte(cursorTerm), filterOf(q)
	if byName(q) {
		kind = cursorName
	}
	after, now, horizon, err := s.span(ctx, kind, filter, q.Cursor)
	if err != nil {
		return gateway.ListPage{}, err
	}
	w, err := s.walkOf(q, after, now, horizon)
	if err != nil {
		return gateway.ListPage{}, err
	}
	page, last, err := s.page(ctx, q, w)
	if err != nil {
		return gateway.ListPage{}, unavailable("list", err)
	}
	if last != "" {
		page.Next = s.cursors.Load().seal(kind, filter, last)
	}
	return page, nil
}

// span returns the position that a cursor goes on from, empty for none, and
// Redis' time and the horizon, which say what may exist.
func (s *Store) span(ctx context.Context, kind byte, filter, cursor string) (after string, now, horizon int64, err error) {
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return "", 0, 0, err
	}
	if cursor != "" {
		if after, err = s.cursors.Load().open(kind, filter, cursor); err != nil {
			return "", 0, 0, err
		}
	}
	now, horizon, err = s.clock(ctx)
	return after, now, horizon, err
}

// page takes links until the page is full, the budget is spent or nothing is
// left. It returns the position to go on from, empty at the end.
func (s *Store) page(ctx context.Context, q gateway.ListQuery, w walk) (page gateway.ListPage, last string, err error) {
	looked, piece := 0, min(q.Limit, lookPiece)
	for looked < lookBudget && len(page.Links) < q.Limit {
		entries, err := w.take(ctx, min(piece, lookBudget-looked))
		if err != nil || len(entries) == 0 {
			return page, "", err
		}
		found, err := s.fetch(ctx, entries)
		if err != nil {
			return page, "", err
		}
		for i, f := range found {
			looked++
			last = entries[i].position
			if f.link != nil && matches(q, f.link) {
				page.Links = append(page.Links, *f.link)
			}
			if len(page.Links) == q.Limit && i+1 < len(found) {
				return page, last, nil
			}
		}
		piece = min(2*piece, lookPiece)
	}
	more, err := w.more(ctx)
	if err != nil || !more {
		return page, "", err
	}
	return page, last, nil
}

// byPartition groups entries: those of one partition and generation together, size of
// them at most.
func byPartition(entries []entry, size int) [][]entry {
	type place struct {
		partition  int
		generation int64
	}
	in := map[place][]entry{}
	var order []place
	for _, e := range entries {
		at := place{partition(e.id), e.generation}
		if in[at] == nil {
			order = append(order, at)
		}
		in[at] = append(in[at], e)
	}
	var groups [][]entry
	for _, at := range order {
		groups = slices.AppendSeq(groups, slices.Chunk(in[at], size))
	}
	return groups
}

// found is a link that an index named.
type found struct {
	link *gateway.Link // nil: it has been forgotten since, or cannot be read
	open bool          // whether it still has a permission, if only for grants
	// unreadable says that a link with a permission has a record which this version
	// does not understand.
	unreadable bool
}

// fetch reads the links of entries, in one round trip.
func (s *Store) fetch(ctx context.Context, entries []entry) ([]found, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	// Those of one partition are read by the same executions.
	groups := byPartition(entries, readBatch)
	batches := make([]batch, len(groups))
	for b, group := range groups {
		for _, e := range group {
			batches[b].keys = append(batches[b].keys, s.keys.link(e.id), s.keys.history(e.id))
		}
	}
	if err := runAll(ctx, s.client.rest, s.scripts.read, true, batches); err != nil {
		return nil, err
	}
	read := make(map[string]found, len(entries))
	for b, group := range groups {
		r := replyOf(batches[b].reply)
		now := r.number()
		for _, e := range group {
			seen := r.view(now)
			if r.err != nil {
				return nil, r.err
			}
			link, err := seen.link(e.id)
			switch {
			case err == nil:
				read[e.position] = found{link: &link, open: seen.open()}
			case errors.Is(err, gateway.ErrRecord):
				// One record of another version must not hide all the others.
				s.options.Logger.WarnContext(ctx, "link left out of a listing", "link", e.id.String(), "error", err)
				read[e.position] = found{unreadable: seen.live != ""}
			case !errors.Is(err, gateway.ErrNotFound):
				return nil, err
			}
		}
	}
	all := make([]found, len(entries))
	for i, e := range entries {
		all[i] = read[e.position]
	}
	return all, nil
}

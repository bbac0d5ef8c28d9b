package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// The sizes of a page: it examines at most scanBudget entries, reads at most scanChunk
// links in one round trip, and readTogether of them in one execution of the script.
const (
	scanBudget   = 5000
	scanChunk    = 500
	readTogether = 50
)

// List implements gateway.Store. It walks through the index that lists the fewest links
// and applies the other filters to the links.
func (s *Store) List(ctx context.Context, q gateway.ListQuery) (_ gateway.ListPage, err error) {
	defer s.observe(callList, time.Now(), &err)
	q.Limit = max(q.Limit, 1)
	kind, filter := byte(cursorAttribute), filterOf(q)
	if byName(q) {
		kind = cursorPrefix
	}
	position, now, retentionHorizon, err := s.span(ctx, kind, filter, q.Cursor)
	if err != nil {
		return gateway.ListPage{}, err
	}
	start, after, err := startOf(q, position, now)
	if err != nil {
		return gateway.ListPage{}, err
	}
	w, err := s.newWalk(q, after, start, now, retentionHorizon)
	if err != nil {
		return gateway.ListPage{}, err
	}
	page, last, err := s.page(ctx, q, start, w)
	if err != nil {
		return gateway.ListPage{}, unavailable("list", err)
	}
	if last != "" {
		page.Next = s.cursors.Load().seal(kind, filter, withStart(q, start, last))
	}
	return page, nil
}

// span returns the position in a cursor (empty without a cursor), Redis' time and the
// retention horizon. Redis has only links that were issued within the horizon before its
// time.
func (s *Store) span(
	ctx context.Context, kind byte, filter, cursor string,
) (after string, now, retentionHorizon int64, err error) {
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
	now, retentionHorizon, err = s.clock(ctx)
	return after, now, retentionHorizon, err
}

// budgetOf returns the number of entries that a page examines: as many as the caller wants
// (0: no wish), and at most as many as the store allows.
func budgetOf(wanted, most int) int {
	if wanted > 0 {
		return min(wanted, most)
	}
	return most
}

// page takes links until the page is full, the budget is spent or no entry is left. It
// returns the position of the next page, or an empty string at the end. start is the time
// of the first page.
func (s *Store) page(
	ctx context.Context, q gateway.ListQuery, start int64, w walk,
) (page gateway.ListPage, last string, err error) {
	chunk, budget := min(q.Limit, scanChunk), budgetOf(q.Budget, scanBudget)
	for page.Searched < budget && len(page.Links) < q.Limit {
		entries, err := w.take(ctx, min(chunk, budget-page.Searched))
		if err != nil || len(entries) == 0 {
			return page, "", err
		}
		found, err := s.fetch(ctx, entries)
		if err != nil {
			return page, "", err
		}
		for i, f := range found {
			page.Searched++
			last = entries[i].position
			if f.link != nil && q.Selects(f.link, record.Time(start)) {
				page.Links = append(page.Links, *f.link)
			}
			if len(page.Links) == q.Limit && i+1 < len(found) {
				return page, last, nil
			}
		}
		chunk = min(2*chunk, scanChunk)
	}
	more, err := w.more(ctx)
	if err != nil || !more {
		return page, "", err
	}
	return page, last, nil
}

// byPartition groups entries by partition and index bucket, with at most size entries in a
// group.
func byPartition(entries []entry, size int) [][]entry {
	type place struct {
		partition   int
		indexBucket int64
	}
	in := map[place][]entry{}
	var order []place
	for _, e := range entries {
		at := place{partition(e.id), e.indexBucket}
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

// found is a link that an index listed.
type found struct {
	link *gateway.Link // nil: Redis no longer has the link, or the record is unreadable
	open bool          // the link still has a permission, perhaps only for grants
	// unreadable means that the link has a permission, and a record that this version
	// cannot read.
	unreadable bool
}

// fetch reads the links of entries, in one round trip.
func (s *Store) fetch(ctx context.Context, entries []entry) ([]found, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	groups := byPartition(entries, readTogether)
	executions := make([]execution, len(groups))
	for i, group := range groups {
		for _, e := range group {
			executions[i].keys = append(executions[i].keys, s.keys.permission(e.id), s.keys.history(e.id))
		}
		executions[i].args = []any{""}
	}
	if err := runAll(ctx, s.client.rest, s.scripts.read, true, executions); err != nil {
		return nil, err
	}
	read := make(map[string]found, len(entries))
	for i, group := range groups {
		r := replyOf(executions[i].reply)
		now := r.number()
		for _, e := range group {
			view := r.view(now)
			if r.err != nil {
				return nil, r.err
			}
			link, err := view.Link(e.id)
			switch {
			case err == nil:
				read[e.position] = found{link: &link, open: view.Open()}
			case errors.Is(err, gateway.ErrRecord):
				// One record of another version must not hide all other links.
				s.options.Logger.WarnContext(ctx, "listing omits an unreadable link", "link", e.id.String(), "error", err)
				read[e.position] = found{unreadable: view.Permission != ""}
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

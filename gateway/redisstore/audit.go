package redisstore

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// The budgets of a page of the feed: it examines at most eventBudget events, and it reads
// the links of at most scanBudget of them. Events that a filter excludes by their own
// fields need no link.
const eventBudget = 20_000

// maxCandidates is the largest number of links for which a page of events by object or
// label reads only the partitions of these links.
const maxCandidates = 1000

// Audit implements gateway.Store: it merges the streams of the partitions by time.
func (s *Store) Audit(ctx context.Context, q gateway.AuditQuery) (_ gateway.AuditPage, err error) {
	defer s.observe(callAudit, time.Now(), &err)
	q.Limit = max(q.Limit, 1)
	filter := auditFilter(&q)
	position, now, retentionHorizon, err := s.span(ctx, cursorAudit, filter, q.Cursor)
	if err != nil {
		return gateway.AuditPage{}, err
	}
	f, err := newFeed(&q, position, now)
	if err != nil {
		return gateway.AuditPage{}, err
	}
	if f.candidates, err = s.candidates(ctx, &q, now, retentionHorizon); err != nil {
		return gateway.AuditPage{}, unavailable("audit", err)
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

// auditFilter packs the filters of a page, for its cursor. The filters of earlier versions
// have the same bytes as there.
func auditFilter(q *gateway.AuditQuery) string {
	b := record.AppendTime(record.AppendTime(nil, q.Since), q.Until)
	b = record.AppendString(b, string(q.Kind))
	b = append(b, q.Link[:]...)
	b = strconv.AppendBool(b, q.FromNow)
	b = strconv.AppendBool(b, q.Oldest)
	more := []string{q.Actor, string(q.Outcome), q.Address.String(), q.Bucket, q.Prefix, q.Key}
	for _, name := range slices.Sorted(maps.Keys(q.Labels)) {
		more = append(more, name, q.Labels[name])
	}
	if slices.ContainsFunc(more, func(text string) bool { return text != "" }) {
		for _, text := range more {
			b = record.AppendString(b, text)
		}
	}
	return string(b)
}

// candidates returns the links whose events a query by object or label can select; nil:
// any link. It returns nil if there are too many. It also returns nil with the oldest
// event first: links that are issued between two pages would become candidates after a
// page has passed their first events.
func (s *Store) candidates(
	ctx context.Context, q *gateway.AuditQuery, now, retentionHorizon int64,
) (map[gateway.ID]bool, error) {
	if q.Link != (gateway.ID{}) {
		return map[gateway.ID]bool{q.Link: true}, nil
	}
	if q.Oldest || q.Prefix+q.Key == "" && len(q.Labels) == 0 {
		return nil, nil //nolint:nilnil // nil means any link.
	}
	links := gateway.ListQuery{Bucket: q.Bucket, Buckets: q.Buckets, Prefix: q.Prefix, Key: q.Key, Labels: q.Labels}
	w, err := s.newWalk(links, "", now, now, retentionHorizon)
	if err != nil {
		return nil, err
	}
	entries, err := w.take(ctx, maxCandidates+1)
	if err != nil || len(entries) > maxCandidates {
		return nil, err
	}
	ids := make(map[gateway.ID]bool, len(entries))
	for _, e := range entries {
		ids[e.id] = true
	}
	return ids, nil
}

// auditPage takes events until the page is full, a budget is spent or no event is left.
// It moves the feed after the events that it examined.
func (s *Store) auditPage(ctx context.Context, f *feed) (page gateway.AuditPage, more bool, err error) {
	w, q, reads := s.walkStreams(f), f.query, 0
	budget := budgetOf(q.Budget, eventBudget)
	mostReads := max(budget*scanBudget/eventBudget, 1)
	for page.Searched < budget && reads < mostReads && len(page.Events) < q.Limit {
		entries, err := w.take(ctx, min(max(q.Limit, 50), scanChunk, budget-page.Searched, mostReads-reads))
		if err != nil || len(entries) == 0 {
			return page, false, err
		}
		links, err := s.linksOf(ctx, f.wanted(entries))
		if err != nil {
			return page, false, err
		}
		reads += len(links)
		for _, e := range entries {
			if len(page.Events) == q.Limit {
				return page, true, nil
			}
			page.Searched++
			f.examined(e)
			if link, ok := links[e.id]; ok && f.wants(e) && q.SelectsLink(link) {
				event := gateway.AuditEvent{Event: e.event}
				if link != nil {
					event.Ref = link.Ref
				}
				page.Events = append(page.Events, event)
			}
		}
	}
	more, err = w.more(ctx)
	return page, more, err
}

// wants reports whether the query selects an event if its link has the right object and
// labels.
func (f *feed) wants(e entry) bool {
	return f.query.Selects(&e.event) && (f.candidates == nil || f.candidates[e.id])
}

// wanted returns the events whose links decide.
func (f *feed) wanted(events []entry) []entry {
	return slices.DeleteFunc(slices.Clone(events), func(e entry) bool { return !f.wants(e) })
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
	if len(distinct) == 0 {
		return links, nil
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

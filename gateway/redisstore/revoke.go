package redisstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"keyhole/gateway"
)

// Revoke implements gateway.Store. It may be repeated: the first reason stays,
// and a repeat, that by go-redis after a lost reply too, has changed nothing.
// While Redis is evicting it works all the same.
func (s *Store) Revoke(ctx context.Context, id gateway.ID, reason string, by gateway.Origin) (_ gateway.Link, changed bool, err error) {
	defer s.observe(callRevoke, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, false, err
	}
	p := partition(id)
	v, err := s.write(ctx, s.client.rest, s.scripts.revoke, true,
		[]string{s.keys.link(id), s.keys.history(id), s.keys.operations(p), s.keys.active(p)},
		id[:], s.retention(), s.horizon.Load(),
		endBody(by.Actor, reason), operationBody(by, reason))
	if err != nil {
		return gateway.Link{}, false, unavailable("revoke", err)
	}
	r := replyOf(v)
	switch what := r.text(); what {
	case "r", "u", "l":
		link, err := s.viewed("revoke", r, id)
		return link, err == nil && what != "l", err
	case "n":
		return gateway.Link{}, false, gateway.ErrNotFound
	}
	return gateway.Link{}, false, unavailable("revoke", gateway.ErrRecord)
}

// Of a bulk revocation, bulkPiece links are looked at together, endTogether of
// them ended in one round trip, and revokeBatch by one execution of the script:
// Redis goes through a pipeline while clicks wait. Executions that wait for
// replicas go bulkParallel at a time.
const (
	bulkPiece    = 500
	endTogether  = 100
	revokeBatch  = 50
	bulkParallel = 8
)

// RevokeAll implements gateway.Store. It goes through the index that names the
// fewest links, piece by piece, each revoked before the next is read: what a
// failure leaves undone the next call finds again. What has ended costs a look;
// the budget ends a call only when it has ended something.
func (s *Store) RevokeAll(ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions, by gateway.Origin) (result gateway.BulkResult, err error) {
	defer s.observe(callBulk, time.Now(), &err)
	begun := time.Now()
	_, now, horizon, err := s.span(ctx, cursorTerm, "", "")
	if err != nil {
		return result, err
	}
	w, err := s.walkOf(q, "", now, horizon)
	if err != nil {
		return result, err
	}
	for {
		entries, err := w.take(ctx, bulkPiece)
		if err != nil {
			return result, unavailable("revoke all", err)
		}
		if len(entries) == 0 {
			result.Done = true
			return result, nil
		}
		ids, err := s.stillOpen(ctx, q, entries)
		if err != nil {
			return result, unavailable("revoke all", err)
		}
		result.Matched += len(ids)
		if !o.DryRun {
			for some := range slices.Chunk(ids, endTogether) {
				ended, err := s.endAll(ctx, some, o.Reason, by)
				result.Revoked += ended
				if err != nil {
					return result, unavailable("revoke all", err)
				}
			}
		}
		if result.Matched > 0 && time.Since(begun) >= o.Budget {
			more, err := w.more(ctx)
			if err != nil {
				return result, unavailable("revoke all", err)
			}
			result.Done = !more
			return result, nil
		}
	}
}

// stillOpen returns those of entries that q selects and that have a permission.
func (s *Store) stillOpen(ctx context.Context, q gateway.ListQuery, entries []entry) ([]gateway.ID, error) {
	all, err := s.fetch(ctx, entries)
	if err != nil {
		return nil, err
	}
	var ids []gateway.ID
	for i, f := range all {
		if f.open && matches(q, f.link) {
			ids = append(ids, entries[i].id)
		}
	}
	return ids, nil
}

// endAll ends links and returns how many of them this ended.
func (s *Store) endAll(ctx context.Context, ids []gateway.ID, reason string, by gateway.Origin) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var batches []batch
	for _, indexes := range byPartition(len(ids), func(i int) gateway.ID { return ids[i] }, revokeBatch) {
		p := partition(ids[indexes[0]])
		b := batch{
			keys: []string{s.keys.operations(p), s.keys.active(p)},
			args: []any{s.retention(), s.horizon.Load(), endBody(by.Actor, reason), operationBody(by, reason)},
		}
		for _, i := range indexes {
			b.keys = append(b.keys, s.keys.link(ids[i]), s.keys.history(ids[i]))
			b.args = append(b.args, ids[i][:])
		}
		batches = append(batches, b)
	}
	err := s.writeAll(ctx, batches)
	ended := 0
	for _, b := range batches {
		letters, _ := b.reply.(string) // Nil where that batch failed.
		for _, letter := range letters {
			switch letter {
			case 'r', 'u':
				ended++
			case '?':
				err = fmt.Errorf("%w: in a bulk revocation", gateway.ErrRecord)
			}
		}
	}
	return ended, err
}

// writeAll executes the script of bulk revocations once for each batch and keeps
// the reply of each that was executed, also where another failed. A batch is never
// sent again by itself: what it has ended would not be counted.
func (s *Store) writeAll(ctx context.Context, batches []batch) error {
	if s.options.WaitReplicas == 0 {
		return runAll(ctx, s.client.rest, s.scripts.revokeAll, false, batches)
	}
	var working sync.WaitGroup
	for worker := range bulkParallel {
		working.Go(func() {
			for i := worker; i < len(batches); i += bulkParallel {
				b := &batches[i]
				b.reply, b.err = s.write(ctx, s.client.rest, s.scripts.revokeAll, false, b.keys, b.args...)
			}
		})
	}
	working.Wait()
	for i := range batches {
		if batches[i].err != nil {
			return batches[i].err
		}
	}
	return nil
}

package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"keyhole/gateway"
)

// Of a bulk revocation, bulkPiece links are looked at together, endTogether of
// them ended in one round trip, and revokeTogether by one execution of the script:
// Redis goes through a pipeline while clicks wait. Executions that wait for
// replicas go bulkParallel at a time.
const (
	bulkPiece      = 500
	endTogether    = 100
	revokeTogether = 50
	bulkParallel   = 8
)

// RevokeAll implements gateway.Store. It goes through the index that names the
// fewest links, piece by piece, each revoked before the next is read: what a
// failure leaves undone the next call finds again. What it answers without an error
// is confirmed: every master has written and, with Options.WaitReplicas, its
// replicas have all that the call has found ended, by whomever.
func (s *Store) RevokeAll(ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions, by gateway.Origin) (result gateway.BulkResult, err error) {
	defer s.observe(callBulk, time.Now(), &err)
	run, err := s.newBulkRun(ctx, q, o)
	if err != nil {
		return result, err
	}
	if !o.DryRun {
		if run.before, err = s.replicationIDs(ctx); err != nil {
			return result, unavailable("revoke all", err)
		}
	}
	if err := run.revoke(ctx, s, by); err != nil {
		return run.result, unavailable("revoke all", err)
	}
	if !o.DryRun {
		if err := s.confirmAll(ctx, run.before); err != nil {
			run.result.Done = false
			return run.result, unavailable("revoke all", err)
		}
	}
	return run.result, nil
}

// bulkRun is one call of a bulk revocation.
type bulkRun struct {
	query   gateway.ListQuery
	options gateway.BulkOptions
	begun   time.Time
	walk    walk
	// skipped is how many links the calls before this one, by its cursor, could not
	// read.
	skipped int
	before  replicationIDs
	result  gateway.BulkResult
}

// newBulkRun begins a call where the cursor ends the one before, if there is one.
func (s *Store) newBulkRun(ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions) (*bulkRun, error) {
	run := &bulkRun{query: q, options: o, begun: time.Now()}
	position, now, horizon, err := s.span(ctx, cursorBulk, bulkFilter(q, o), o.Cursor)
	if err != nil {
		return nil, err
	}
	after := ""
	if position != "" {
		d := decoder{rest: position}
		run.skipped = int(d.number())
		if after = d.rest; d.err != nil {
			return nil, gateway.ErrCursor
		}
	}
	run.walk, err = s.walkOf(q, after, now, horizon)
	return run, err
}

// bulkFilter packs what a bulk revocation selects, for its cursor.
func bulkFilter(q gateway.ListQuery, o gateway.BulkOptions) string {
	b := appendString([]byte(filterOf(q)), o.Scope)
	return string(strconv.AppendBool(b, o.DryRun))
}

// revoke ends links until all have been looked at or the budget is spent. A cursor
// says where the next call goes on, and how many links could not be read so far.
func (run *bulkRun) revoke(ctx context.Context, s *Store, by gateway.Origin) error {
	for {
		entries, err := run.walk.take(ctx, bulkPiece)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			run.result.Done = run.skipped+run.result.Unreadable == 0
			return nil
		}
		open, err := s.stillOpen(ctx, run, entries)
		if err != nil {
			return err
		}
		run.result.Matched += len(open)
		if !run.options.DryRun {
			for some := range slices.Chunk(open, endTogether) {
				if err := s.endAll(ctx, run, some, by); err != nil {
					return err
				}
			}
		}
		if !run.spent() {
			continue
		}
		more, err := run.walk.more(ctx)
		if err != nil {
			return err
		}
		if !more {
			continue // Once more, to end like any other run.
		}
		position := binary.AppendUvarint(nil, uint64(run.skipped+run.result.Unreadable)) //nolint:gosec // Counts.
		position = append(position, entries[len(entries)-1].position...)
		run.result.Next = s.cursors.Load().seal(cursorBulk, bulkFilter(run.query, run.options), string(position))
		return nil
	}
}

// spent tells whether the call's time is.
func (run *bulkRun) spent() bool {
	took := time.Since(run.begun)
	if run.result.Matched > 0 || run.options.Cursor != "" {
		return took >= run.options.Budget
	}
	return run.options.LookBudget > 0 && took >= run.options.LookBudget
}

// stillOpen returns those of entries that the run selects and that have a
// permission. It counts those with a permission that this version cannot read:
// whether they are selected nobody can say.
func (s *Store) stillOpen(ctx context.Context, run *bulkRun, entries []entry) ([]entry, error) {
	all, err := s.fetch(ctx, entries)
	if err != nil {
		return nil, err
	}
	var open []entry
	for i, f := range all {
		switch {
		case f.unreadable:
			run.result.Unreadable++
		case f.open && matches(run.query, f.link):
			open = append(open, entries[i])
		}
	}
	return open, nil
}

// endAll ends links and counts those that this ended, also those of batches that
// were executed beside one that failed.
func (s *Store) endAll(ctx context.Context, run *bulkRun, links []entry, by gateway.Origin) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var batches []batch
	for _, group := range byPartition(links, revokeTogether) {
		var b batch
		b.keys, b.args = s.revokeBatch(partition(group[0].id), group[0].generation, run.options.Reason, by)
		for _, e := range group {
			b.keys = append(b.keys, s.keys.link(e.id), s.keys.history(e.id))
			b.args = append(b.args, e.id[:])
		}
		batches = append(batches, b)
	}
	err := s.writeAll(ctx, batches)
	for _, b := range batches {
		letters, ok := b.reply.(string)
		if !ok && b.err == nil {
			err = errors.Join(err, gateway.ErrRecord)
		}
		for _, letter := range letters {
			switch letter {
			case 'r', 'u':
				run.result.Revoked++
			case '?':
				run.result.Unreadable++
			}
		}
	}
	return err
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
	return firstError(batches)
}

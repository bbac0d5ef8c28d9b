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
	"keyhole/gateway/redisstore/record"
)

// The sizes of a bulk revocation: it reads bulkChunk links at once, ends endTogether of
// them in one round trip, and revokeTogether in one execution of the script. They are
// small because clicks wait while Redis executes a pipeline. If executions wait for
// replicas, bulkParallel of them run at the same time.
const (
	bulkChunk      = 500
	endTogether    = 100
	revokeTogether = 50
	bulkParallel   = 8
)

// RevokeAll implements gateway.Store. It walks through the index that lists the fewest
// links, and revokes each chunk before it reads the next one. After a failure, a later
// call finds the links that are left. An answer without error is confirmed: every master
// has written, and with Options.WaitReplicas its replicas have the end of every link that
// this call ended or found ended.
func (s *Store) RevokeAll(
	ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions, by gateway.Origin,
) (result gateway.BulkResult, err error) {
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
	start   int64 // time of the first call in Unix milliseconds, see startOf
	walk    walk
	// skipped is the number of links that earlier calls could not read; the cursor holds
	// it.
	skipped  int
	examined int // index entries of this call
	before   replicationIDs
	result   gateway.BulkResult
}

// newBulkRun returns a run that begins at the cursor, or at the start without one.
func (s *Store) newBulkRun(ctx context.Context, q gateway.ListQuery, o gateway.BulkOptions) (*bulkRun, error) {
	run := &bulkRun{query: q, options: o, begun: time.Now()}
	position, now, retentionHorizon, err := s.span(ctx, cursorBulk, bulkFilter(q, o), o.Cursor)
	if err != nil {
		return nil, err
	}
	if position != "" {
		d := record.Decoder{Rest: position}
		run.skipped = int(d.Number())
		if position = d.Rest; d.Err != nil {
			return nil, gateway.ErrCursor
		}
	}
	var after string
	if run.start, after, err = startOf(q, position, now); err != nil {
		return nil, err
	}
	run.walk, err = s.newWalk(q, after, run.start, now, retentionHorizon)
	return run, err
}

// bulkFilter packs the selection of a bulk revocation, for its cursor.
func bulkFilter(q gateway.ListQuery, o gateway.BulkOptions) string {
	b := record.AppendString([]byte(filterOf(q)), o.Scope)
	return string(strconv.AppendBool(b, o.DryRun))
}

// revoke ends links until none is left or the budget is spent. Then the cursor holds the
// position of the next call and the number of links that could not be read so far.
func (run *bulkRun) revoke(ctx context.Context, s *Store, by gateway.Origin) error {
	for {
		entries, err := run.walk.take(ctx, run.nextChunk())
		if err != nil {
			return err
		}
		run.examined += len(entries)
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
			continue // The next round ends the run as usual.
		}
		position := binary.AppendUvarint(nil, uint64(run.skipped+run.result.Unreadable)) //nolint:gosec // Counts.
		position = append(position, withStart(run.query, run.start, entries[len(entries)-1].position)...)
		run.result.Next = s.cursors.Load().seal(cursorBulk, bulkFilter(run.query, run.options), string(position))
		return nil
	}
}

// nextChunk returns the number of entries to read at once. It is positive until the call has
// spent its budget.
func (run *bulkRun) nextChunk() int {
	if run.options.Examine > run.examined {
		return min(run.options.Examine-run.examined, bulkChunk)
	}
	return bulkChunk
}

// spent reports whether the call has used up its budget of time or of entries.
func (run *bulkRun) spent() bool {
	if run.options.Examine > 0 && run.examined >= run.options.Examine {
		return true
	}
	took := time.Since(run.begun)
	if run.result.Matched > 0 || run.options.Cursor != "" {
		return took >= run.options.Budget
	}
	return run.options.SearchBudget > 0 && took >= run.options.SearchBudget
}

// stillOpen returns the entries that the query selects and that have a permission. It
// counts links with an unreadable permission, because the query may select them.
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
		case f.open && run.query.Selects(f.link, record.Time(run.start)):
			open = append(open, entries[i])
			if f.link.State == gateway.StateUsedUp {
				run.result.UsedUp++
			}
		}
	}
	return open, nil
}

// endAll ends links. It counts the links that it ended, even if another execution failed.
func (s *Store) endAll(ctx context.Context, run *bulkRun, links []entry, by gateway.Origin) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var executions []execution
	for _, group := range byPartition(links, revokeTogether) {
		var x execution
		x.keys, x.args = s.revocation(partition(group[0].id), group[0].indexBucket, run.options.Reason, by)
		x.args = append(x.args, "") // no width: a bulk revocation
		for _, e := range group {
			x.keys = append(x.keys, s.keys.permission(e.id), s.keys.history(e.id))
			x.args = append(x.args, e.id[:])
		}
		executions = append(executions, x)
	}
	err := s.writeAll(ctx, executions)
	for _, x := range executions {
		letters, ok := x.reply.(string)
		if !ok && x.err == nil {
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

// writeAll executes lua/revoke.lua for each execution, and keeps the replies even if an
// execution failed. It never repeats an execution: a repeat would not count the links
// that the first attempt ended.
func (s *Store) writeAll(ctx context.Context, executions []execution) error {
	if s.options.WaitReplicas == 0 {
		return runAll(ctx, s.client.rest, s.scripts.revoke, false, executions)
	}
	var working sync.WaitGroup
	for worker := range bulkParallel {
		working.Go(func() {
			for i := worker; i < len(executions); i += bulkParallel {
				x := &executions[i]
				x.reply, x.err = s.write(ctx, s.client.rest, s.scripts.revoke, false, x.keys, x.args...)
			}
		})
	}
	working.Wait()
	return firstError(executions)
}

package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Erase implements gateway.Store. It records the erasure first, so that a run that fails
// later has its event too. Then it erases addresses from the streams, and from the lists
// of links: of one link, or of every link that Redis has. Every step can be repeated. An
// answer without error is confirmed like that of RevokeAll. A dry run writes nothing, so it
// records and confirms nothing.
func (s *Store) Erase(
	ctx context.Context, e gateway.Erasure, by gateway.Origin,
) (result gateway.ErasureResult, err error) {
	defer s.observe(callErase, time.Now(), &err)
	if e.Link == (gateway.ID{}) && len(e.Addresses) == 0 {
		return result, errNoSelection
	}
	run, err := s.newErasureRun(ctx, e)
	if err != nil {
		return result, err
	}
	var before replicationIDs
	if !e.DryRun {
		before, err = s.replicationIDs(ctx)
	}
	if err == nil && e.Cursor == "" && !e.DryRun {
		err = s.recordErasure(ctx, e, by)
	}
	if err == nil && e.Link != (gateway.ID{}) {
		err = run.eraseLink(ctx, e.Link)
	} else if err == nil {
		err = run.eraseEverywhere(ctx)
	}
	if err == nil && !e.DryRun {
		err = s.confirmAll(ctx, before)
	}
	if err != nil {
		run.result.Next = ""
		return run.result, unavailable("erase", err)
	}
	run.result.Done = run.result.Next == "" && run.unknown+run.result.Unreadable == 0
	return run.result, nil
}

// errNoSelection means that an erasure names neither a link nor an address. It would
// erase every address.
var errNoSelection = errors.New("an erasure needs a link or an address")

// erasureRun is one call of an erasure.
type erasureRun struct {
	store     *Store
	erasure   gateway.Erasure
	addresses []any // as events store them; none: every address
	begun     time.Time
	// stream is the number of the first stream that is left; streams if only links are.
	stream int
	links  walk // through the lists that are left; empty for the erasure of one link
	// unknown is the number of unreadable events in earlier calls; the cursor holds it.
	unknown int
	result  gateway.ErasureResult
}

// newErasureRun returns a run that begins at the cursor, or at the start without one.
func (s *Store) newErasureRun(ctx context.Context, e gateway.Erasure) (*erasureRun, error) {
	run := &erasureRun{store: s, erasure: e, begun: time.Now()}
	for _, address := range e.Addresses {
		run.addresses = append(run.addresses, record.PackAddress(address))
	}
	position, now, retentionHorizon, err := s.span(ctx, cursorErasure, run.filter(), e.Cursor)
	if err != nil {
		return nil, err
	}
	after := ""
	if position != "" {
		d := record.Decoder{Rest: position}
		run.unknown, run.stream = int(d.Number()), int(d.Number())
		if after = d.Rest; d.Err != nil || run.stream > streams {
			return nil, gateway.ErrCursor
		}
	}
	run.links, err = s.newWalk(gateway.ListQuery{}, after, now, now, retentionHorizon)
	return run, err
}

// filter packs the selection, for the cursor. An erasure that went on from the cursor of a
// dry run would leave addresses and have no event, so the cursors differ.
func (run *erasureRun) filter() string {
	return string(run.erasure.Link[:]) + run.mode() + run.erasure.Subject
}

// mode returns what the scripts do with a match: e erases it, d counts it.
func (run *erasureRun) mode() string {
	if run.erasure.DryRun {
		return "d"
	}
	return "e"
}

// eraseLink erases the addresses of one link.
func (run *erasureRun) eraseLink(ctx context.Context, id gateway.ID) error {
	for kind := range streams / partitions {
		if err := run.eraseStream(ctx, streamOf(id, kind), string(id[:])); err != nil {
			return err
		}
	}
	return run.eraseLists(ctx, []entry{{id: id}})
}

// eraseEverywhere erases addresses from all streams and lists, until none is left or the
// budget is spent. Then the result has the cursor of the next call. Each call reads at
// least one stream or some lists.
func (run *erasureRun) eraseEverywhere(ctx context.Context) error {
	for run.stream < streams {
		if err := run.eraseStream(ctx, run.stream, ""); err != nil {
			return err
		}
		if run.stream++; run.spent() {
			run.stop("")
			return nil
		}
	}
	for {
		entries, err := run.links.take(ctx, bulkChunk)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := run.eraseLists(ctx, entries); err != nil {
			return err
		}
		if run.spent() {
			run.stop(entries[len(entries)-1].position)
			return nil
		}
	}
}

// spent reports whether the call has used up its budget of time.
func (run *erasureRun) spent() bool { return time.Since(run.begun) >= run.erasure.Budget }

// stop ends the call with a cursor. after is the position of the last link.
func (run *erasureRun) stop(after string) {
	position := binary.AppendUvarint(nil, uint64(run.unknown+run.result.Unreadable)) //nolint:gosec // Counts.
	position = binary.AppendUvarint(position, uint64(run.stream))                    //nolint:gosec // At most streams.
	position = append(position, after...)
	run.result.Next = run.store.cursors.Load().seal(cursorErasure, run.filter(), string(position))
}

// eraseStream erases addresses from one stream: of one link, or of all links if id is
// empty.
func (run *erasureRun) eraseStream(ctx context.Context, number int, id string) error {
	s := run.store
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	p, kind := number/(streams/partitions), "c"
	key := []string{s.keys.operations(p), s.keys.clicks(p), s.keys.refusals(p)}[number%(streams/partitions)]
	if number%(streams/partitions) == streamOperations {
		kind = "o"
	}
	args := append([]any{kind, id, run.mode()}, run.addresses...)
	v, err := s.runRepeatable(ctx, s.scripts.eraseStream, []string{key}, args...)
	if err != nil {
		return err
	}
	erased, unknown, err := erasedOf(v)
	run.result.FeedEvents += erased
	run.result.Unreadable += unknown
	return err
}

// eraseLists erases addresses from the lists of links.
func (run *erasureRun) eraseLists(ctx context.Context, links []entry) error {
	s := run.store
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var executions []execution
	for _, group := range byPartition(links, revokeTogether) {
		x := execution{args: append([]any{run.mode()}, run.addresses...)}
		for _, e := range group {
			x.keys = append(x.keys, s.keys.history(e.id))
		}
		executions = append(executions, x)
	}
	if err := runAll(ctx, s.client.rest, s.scripts.eraseLists, true, executions); err != nil {
		return err
	}
	for _, x := range executions {
		erased, unknown, err := erasedOf(x.reply)
		if err != nil {
			return err
		}
		run.result.LinkEvents += erased
		run.result.Unreadable += unknown
	}
	return nil
}

// erasedOf reads the reply of a script that erases addresses.
func erasedOf(v any) (erased, unknown int, err error) {
	r := replyOf(v)
	erased, unknown = int(r.number()), int(r.number())
	return erased, unknown, r.err
}

// recordErasure appends the event of an erasure. The event has no address, also not that
// of the operator: it may be the erased one.
func (s *Store) recordErasure(ctx context.Context, e gateway.Erasure, by gateway.Origin) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	return s.recordOperation(ctx, e.Link, record.ErasureFields(by.Actor, e.Reason))
}

// recordOperation appends an operators' event that changes no link, with packed fields. id
// is zero if the event is not about one link.
func (s *Store) recordOperation(ctx context.Context, id gateway.ID, fields []byte) error {
	p, history := partition(id), s.keys.history(id)
	if id == (gateway.ID{}) {
		history = s.keys.absent(p)
	}
	v, err := s.runRepeatable(ctx, s.scripts.recordOperation, []string{s.keys.operations(p), history},
		id[:], fields, s.retentionHorizon.Load())
	if err == nil && v != int64(1) {
		err = fmt.Errorf("%w: history of the link", gateway.ErrRecord)
	}
	return err
}

// runRepeatable executes a script that is safe to repeat.
func (s *Store) runRepeatable(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	return run(ctx, s.client.rest, sc, true, keys, args...)
}

// KnownDailyKeys returns the keys that hash the client addresses of days, for the days
// whose keys Redis has. Unlike DailyKey it creates none. The error is
// gateway.ErrUnavailable.
func (s *Store) KnownDailyKeys(ctx context.Context, days []string) (_ [][]byte, err error) {
	defer s.observe(callDaily, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	var known [][]byte
	for _, day := range days {
		key, err := s.client.rest.Get(ctx, s.keys.daily(day)).Result()
		switch {
		case err == nil && len(key) == dailyLength:
			known = append(known, []byte(key))
		case err == nil:
			return nil, unavailable("daily keys", fmt.Errorf("%w: a key has %d bytes", gateway.ErrRecord, len(key)))
		case !errors.Is(err, redis.Nil):
			return nil, unavailable("daily keys", err)
		}
	}
	return known, nil
}

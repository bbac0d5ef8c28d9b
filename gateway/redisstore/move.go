package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// The errors of CopyFrom.
var (
	// ErrUsed means that Redis already has keys with this prefix, perhaps of an installation
	// whose prefix begins with this one and a colon.
	ErrUsed = errors.New("redis already has keys with this prefix")
	// ErrNothingToMove means that the source has no keys of a service, or that a move to
	// the source is incomplete.
	ErrNothingToMove = errors.New("the source has no complete data of a service")
	// ErrMoveDiffers means that source and target differ after the copy: somebody wrote to
	// one of them, or the target lost writes.
	ErrMoveDiffers = errors.New("source and target differ after the copy")
	// ErrClocks means that the clocks of source and target differ by gateway.NotableSkew or
	// more. Redis drops a value that has expired by its own clock, so links could be lost.
	ErrClocks = errors.New("the clocks of the two servers differ")
	// ErrRetired means that an earlier move retired the source, and that the target does not
	// have exactly the copy of that move.
	ErrRetired = errors.New("an earlier move retired the source, and this redis does not have its copy")
	// ErrUnfinished means that commit has succeeded, but that the target may not be usable. A
	// repeat finishes the move.
	ErrUnfinished = errors.New("the source is retired, but the last step of the move failed")
	// ErrMoving means that a move to this Redis has begun and is not complete.
	ErrMoving = errors.New("a move to this redis is not complete")
)

// movingMark is the value of the key partitions while a move is incomplete, followed by
// the identifier of the run. No version of the service takes it for a number, so none uses
// a part of the data.
const movingMark = "moving "

// movePage is how many keys one step copies or compares, about.
const movePage = 256

// move copies the keys of one installation from one Redis to another.
type move struct {
	store    *Store // over the target
	from, to redis.UniversalClient
	mark     string
}

// CopyFrom copies every key of the installation from another Redis to the one of the store.
// No service may use either of them meanwhile. Values are copied in the format of DUMP,
// which has a checksum, and expiries as absolute times. CopyFrom then compares the names and
// expiries of all keys, and waits for the replicas of Options.WaitReplicas. Then it calls
// commit, after which nobody may use the source any more, and only then makes the target
// usable. It returns the number of keys.
//
// An interrupted run can be repeated: the target is refused by every service until a run is
// complete, and the next run first deletes what an earlier one left there. commit must keep
// its argument, the mark of the run. After commit, the source knows no later revocation, so
// a repeat passes that mark as retiredBy, copies and deletes nothing, and only finishes the
// move to the same target. An empty retiredBy means that the source is in use.
//
// Besides those above, the error can be that of Redis, ErrEvicting, ErrNotMaster, ErrVersion,
// gateway.ErrNotConfirmed or that of commit. The users need the commands dump and scan at
// the source, and restore and scan at the target, besides those of the service.
func (s *Store) CopyFrom(
	ctx context.Context, from *Client, retiredBy string, commit func(mark string) error,
) (int, error) {
	m := &move{store: s, from: from.rest, to: s.client.rest, mark: cmp.Or(retiredBy, movingMark+newCallID())}
	if err := m.check(ctx); err != nil {
		return 0, err
	}
	// A failover after this moment could lose keys, and is then found.
	masters, err := s.replicationIDs(ctx)
	if err != nil {
		return 0, err
	}
	if retiredBy != "" {
		err = m.checkRepeat(ctx, masters)
	} else if err = m.claim(ctx); err == nil {
		err = m.eachPage(ctx, m.from, func(names []string) error { return m.copyPage(ctx, names) })
	}
	if err != nil {
		return 0, err
	}
	copied, err := m.compare(ctx)
	if retiredBy != "" && errors.Is(err, ErrMoveDiffers) {
		err = fmt.Errorf("%w: %w", ErrRetired, err)
	}
	if err == nil {
		err = s.confirmAll(ctx, masters)
	}
	if err == nil {
		err = m.stillClaimed(ctx)
	}
	if err == nil {
		err = commit(m.mark)
	}
	if err != nil {
		return 0, err
	}
	// Without the confirmation, a failover could lose this write after a service has changed
	// the data of other masters.
	err = m.to.Set(ctx, s.keys.partitions(), partitions, 0).Err()
	if err == nil {
		err = s.confirmAll(ctx, masters)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return copied, nil
}

// check returns an error if the target is not fit, the source has no data of this version,
// or their clocks differ.
func (m *move) check(ctx context.Context) error {
	info, err := m.store.client.inspect(ctx)
	if err == nil {
		err = info.Check()
	}
	if err == nil {
		err = m.checkSource(ctx)
	}
	if err == nil {
		err = m.checkClocks(ctx)
	}
	return err
}

// checkSource returns an error unless the source has the data of a service of this version.
func (m *move) checkSource(ctx context.Context) error {
	text, err := m.from.Get(ctx, m.store.keys.partitions()).Result()
	if errors.Is(err, redis.Nil) || strings.HasPrefix(text, movingMark) {
		return ErrNothingToMove
	}
	if err == nil && text != strconv.Itoa(partitions) {
		err = fmt.Errorf("%w: %s; this version uses %d", ErrPartitions, text, partitions)
	}
	return err
}

// checkClocks returns ErrClocks if a master of the target has another time than the source.
// The time that the commands take counts as no difference.
func (m *move) checkClocks(ctx context.Context) error {
	nodes, err := mastersOf(ctx, m.to)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		before, beforeErr := m.from.Time(ctx).Result()
		now, nowErr := node.Time(ctx).Result()
		after, afterErr := m.from.Time(ctx).Result()
		if err := errors.Join(beforeErr, nowErr, afterErr); err != nil {
			return err
		}
		if skew := max(before.Sub(now), now.Sub(after)); skew >= gateway.NotableSkew {
			return fmt.Errorf("%w by %s", ErrClocks, skew.Round(time.Second))
		}
	}
	return nil
}

// checkRepeat returns an error unless the target still has the mark of the run that retired
// the source: ErrUsed if that run or somebody else has completed the target.
func (m *move) checkRepeat(ctx context.Context, masters replicationIDs) error {
	held, err := m.to.Get(ctx, m.store.keys.partitions()).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return ErrRetired
	case err != nil || held == m.mark:
		return err
	case strings.HasPrefix(held, movingMark):
		return ErrRetired
	}
	// That run may have failed because too few replicas had its last write.
	if err := m.store.confirmAll(ctx, masters); err != nil {
		return err
	}
	return ErrUsed
}

// claim writes the mark into an empty target, or takes over a target with the mark of an
// earlier run, whose other keys it deletes.
func (m *move) claim(ctx context.Context) error {
	name := m.store.keys.partitions()
	held, err := m.to.Get(ctx, name).Result()
	switch {
	case errors.Is(err, redis.Nil):
		err = m.eachPage(ctx, m.to, func([]string) error { return ErrUsed })
		if err != nil {
			return err
		}
		// A service that starts at the same time writes the same key.
		claimed, err := m.to.SetNX(ctx, name, m.mark, 0).Result()
		if err == nil && !claimed {
			err = ErrUsed
		}
		return err
	case err != nil:
		return err
	case !strings.HasPrefix(held, movingMark):
		return ErrUsed
	}
	// Nothing is deleted if another installation has a key with this prefix.
	if err := m.eachPage(ctx, m.to, m.checkOwn); err != nil {
		return err
	}
	if err := m.to.Set(ctx, name, m.mark, 0).Err(); err != nil {
		return err
	}
	return m.eachPage(ctx, m.to, func(names []string) error {
		if err := m.checkOwn(names); err != nil { // It has just appeared.
			return err
		}
		pipe := m.to.Pipeline()
		for _, name := range names {
			pipe.Del(ctx, name)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}

// checkOwn returns ErrUsed if a key belongs to another installation.
func (m *move) checkOwn(names []string) error {
	if slices.ContainsFunc(names, func(name string) bool { return !m.store.keys.owns(name) }) {
		return ErrUsed
	}
	return nil
}

// stillClaimed returns an error if another run has taken the target over.
func (m *move) stillClaimed(ctx context.Context) error {
	held, err := m.to.Get(ctx, m.store.keys.partitions()).Result()
	if err == nil && held != m.mark {
		err = fmt.Errorf("%w: another one has begun", ErrMoving)
	}
	return err
}

// eachPage calls do with all names of keys of the installation, page by page, except that
// of the key partitions. A page has at least one name. Redis may return a name twice.
func (m *move) eachPage(ctx context.Context, c redis.UniversalClient, do func(names []string) error) error {
	nodes, err := mastersOf(ctx, c)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			var names, page []string
			if names, cursor, err = node.Scan(ctx, cursor, m.store.keys.prefix+":*", movePage).Result(); err != nil {
				return err
			}
			for _, name := range names {
				if name != m.store.keys.partitions() {
					page = append(page, name)
				}
			}
			if len(page) == 0 {
				continue
			}
			if err := do(page); err != nil {
				return err
			}
		}
	}
	return nil
}

// mastersOf returns every master of a cluster, or c itself.
func mastersOf(ctx context.Context, c redis.UniversalClient) ([]redis.Cmdable, error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok {
		return []redis.Cmdable{c}, nil
	}
	var mu sync.Mutex
	var all []redis.Cmdable
	err := cluster.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, node)
		return nil
	})
	return all, err
}

// copyPage copies keys.
func (m *move) copyPage(ctx context.Context, names []string) error {
	read := m.from.Pipeline()
	values, ends := make([]*redis.StringCmd, len(names)), queueEnds(ctx, read, names)
	for i, name := range names {
		values[i] = read.Dump(ctx, name)
	}
	_, _ = read.Exec(ctx) // Every command holds its error.
	write := m.to.Pipeline()
	for i, name := range names {
		value, err := values[i].Result()
		end, endErr := ends[i].Int64()
		if errors.Is(err, redis.Nil) {
			continue // The key has just expired.
		}
		if err := errors.Join(err, endErr); err != nil {
			return err
		}
		if end < 0 { // -1: it never expires
			write.Do(ctx, "restore", name, 0, value, "replace")
			continue
		}
		write.Do(ctx, "restore", name, end, value, "replace", "absttl")
	}
	if write.Len() == 0 {
		return nil
	}
	_, err := write.Exec(ctx)
	return err
}

// queueEnds adds the commands that read when keys expire, in milliseconds since 1970; -1:
// never, -2: there is no such key.
func queueEnds(ctx context.Context, pipe redis.Pipeliner, names []string) []*redis.Cmd {
	ends := make([]*redis.Cmd, len(names))
	for i, name := range names {
		ends[i] = pipe.Do(ctx, "pexpiretime", name)
	}
	return ends
}

// compare returns the number of keys of the target, or ErrMoveDiffers if source and target
// do not have the same names with the same expiries.
func (m *move) compare(ctx context.Context) (int, error) {
	err := m.eachPage(ctx, m.from, func(names []string) error { return m.comparePage(ctx, m.from, m.to, names) })
	if err != nil {
		return 0, err
	}
	copied := 0
	err = m.eachPage(ctx, m.to, func(names []string) error {
		copied += len(names)
		return m.comparePage(ctx, m.to, m.from, names)
	})
	return copied, err
}

// comparePage compares keys of one Redis with those of the other. A confirmation is no data:
// an earlier run may have written it to the target.
func (m *move) comparePage(ctx context.Context, one, other redis.UniversalClient, names []string) error {
	onePipe, otherPipe := one.Pipeline(), other.Pipeline()
	ends, otherEnds := queueEnds(ctx, onePipe, names), queueEnds(ctx, otherPipe, names)
	_, _ = onePipe.Exec(ctx)   // Every command holds its error.
	_, _ = otherPipe.Exec(ctx) // the same
	for i, name := range names {
		end, err := ends[i].Int64()
		otherEnd, otherErr := otherEnds[i].Int64()
		if err := errors.Join(err, otherErr); err != nil {
			return err
		}
		if end == otherEnd || end == absentKey || m.store.keys.confirms(name) { // absentKey: it has just expired
			continue
		}
		if err := m.checkOwn(names[i : i+1]); err != nil {
			return err
		}
		if otherEnd == absentKey && end > 0 {
			node, err := masterOf(ctx, other, name)
			if err != nil {
				return err
			}
			now, err := node.Time(ctx).Result()
			if err != nil {
				return err
			}
			if now.UnixMilli() >= end {
				continue // It has expired by the other clock.
			}
		}
		return ErrMoveDiffers
	}
	return nil
}

// absentKey is the answer of PEXPIRETIME if a key does not exist.
const absentKey = -2

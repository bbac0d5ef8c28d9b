package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// Active returns the number of live permissions. An expired link leaves the count within
// 60 s. Every gateway returns the same number. The error is gateway.ErrUnavailable.
func (s *Store) Active(ctx context.Context) (_ int64, err error) {
	defer s.observe(callActive, time.Now(), &err)
	return s.count(ctx, "count live links", s.scripts.active, s.keys.liveCounter)
}

// count executes a script that counts with the key of each partition, and returns the sum
// of the replies. what names the operation in errors.
func (s *Store) count(ctx context.Context, what string, counting script, key func(p int) string) (int64, error) {
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return 0, err
	}
	executions := make([]execution, partitions)
	for p := range executions {
		executions[p].keys = []string{key(p)}
	}
	if err := runAll(ctx, s.client.rest, counting, true, executions); err != nil {
		return 0, unavailable(what, err)
	}
	var total int64
	for _, e := range executions {
		n, ok := e.reply.(int64)
		if !ok {
			return 0, unavailable(what, gateway.ErrRecord)
		}
		total += n
	}
	return total, nil
}

// Dropped returns the number of downloads that were trimmed from the streams since Redis
// was set up. Redis itself counts the entries of each stream, so a restart of the
// gateways does not reset the number. The error is gateway.ErrUnavailable.
func (s *Store) Dropped(ctx context.Context) (_ int64, err error) {
	defer s.observe(callDropped, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return 0, err
	}
	pipe := s.client.rest.Pipeline()
	streams := make([]*redis.XInfoStreamCmd, partitions)
	for p := range streams {
		streams[p] = pipe.XInfoStream(ctx, s.keys.clicks(p))
	}
	_, _ = pipe.Exec(ctx) // The commands hold their errors.
	var total int64
	for _, stream := range streams {
		info, err := stream.Result()
		if redis.HasErrorPrefix(err, "no such key") {
			continue // This partition has no link yet.
		}
		if err != nil {
			return 0, unavailable("count dropped events", err)
		}
		// miniredis does not count added entries and returns 0.
		total += max(info.EntriesAdded-info.Length, 0)
	}
	return total, nil
}

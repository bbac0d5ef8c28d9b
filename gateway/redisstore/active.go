package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// Active returns the number of live permissions, right within 60 s of an
// expiry and the same from every gateway.
func (s *Store) Active(ctx context.Context) (_ int64, err error) {
	defer s.observe(callActive, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return 0, err
	}
	batches := make([]batch, partitions)
	for p := range batches {
		batches[p].keys = []string{s.keys.active(p)}
	}
	if err := runAll(ctx, s.client.rest, s.scripts.active, true, batches); err != nil {
		return 0, unavailable("count live links", err)
	}
	var total int64
	for _, b := range batches {
		n, ok := b.reply.(int64)
		if !ok {
			return 0, unavailable("count live links", gateway.ErrRecord)
		}
		total += n
	}
	return total, nil
}

// Dropped returns how many downloads' events have made room for newer ones since
// Redis was set up: its own account of each stream, which outlives gateways.
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
	_, _ = pipe.Exec(ctx) // The errors are in the commands.
	var total int64
	for _, stream := range streams {
		info, err := stream.Result()
		if redis.HasErrorPrefix(err, "no such key") {
			continue // No link of that partition has been issued yet.
		}
		if err != nil {
			return 0, unavailable("count dropped events", err)
		}
		// A server that keeps no such account, as the one in the process, says 0.
		total += max(info.EntriesAdded-info.Length, 0)
	}
	return total, nil
}

package redisstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"keyhole/gateway"
)

const (
	dailyLength = 32
	// dailyLife is the TTL of the key of a day. A gateway may draw the key a day ahead,
	// up to 48 hours before the day of the key ends.
	dailyLife = 49 * time.Hour
)

// DailyKey returns the 32-byte key that hashes the client addresses of a day. day names
// the day and is part of the key in Redis. The first gateway that asks draws the key. The
// error is gateway.ErrUnavailable.
func (s *Store) DailyKey(ctx context.Context, day string) (_ []byte, err error) {
	defer s.observe(callDaily, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	drawn := make([]byte, dailyLength)
	_, _ = rand.Read(drawn) // It never fails.
	pipe := s.client.rest.Pipeline()
	pipe.SetNX(ctx, s.keys.daily(day), drawn, dailyLife)
	key := pipe.Get(ctx, s.keys.daily(day))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, unavailable("daily key", err)
	}
	if len(key.Val()) != dailyLength {
		return nil, unavailable("daily key", fmt.Errorf("%w: the key has %d bytes", gateway.ErrRecord, len(key.Val())))
	}
	return []byte(key.Val()), nil
}

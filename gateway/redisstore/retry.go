package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// maxReserved is how long a reservation is kept at most.
const maxReserved = 24 * time.Hour

// Reserve implements gateway.Retries. A reservation goes before any history can: or
// a retry would bring back a link that was revoked and is forgotten.
func (s *Store) Reserve(ctx context.Context, name string, sealed []byte) (_ []byte, err error) {
	defer s.observe(callReserve, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	v, err := s.write(ctx, s.client.rest, s.scripts.reserve, true, []string{s.keys.retry(name)},
		sealed, min(maxReserved, s.options.Retention).Milliseconds())
	if err != nil {
		return nil, unavailable("reserve", err)
	}
	kept, ok := v.(string)
	if !ok {
		return nil, unavailable("reserve", gateway.ErrRecord)
	}
	return []byte(kept), nil
}

// Reserved implements gateway.Retries.
func (s *Store) Reserved(ctx context.Context, name string) (_ []byte, err error) {
	defer s.observe(callReserved, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	kept, err := s.client.rest.Get(ctx, s.keys.retry(name)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, gateway.ErrNotFound
	case err != nil:
		return nil, unavailable("reserved", err)
	}
	return kept, nil
}

// Confirm implements gateway.Retries.
func (s *Store) Confirm(ctx context.Context, id gateway.ID) (_ gateway.Link, err error) {
	defer s.observe(callConfirm, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	v, err := s.write(ctx, s.client.rest, s.scripts.confirm, true, []string{s.keys.link(id), s.keys.history(id)})
	if err != nil {
		return gateway.Link{}, unavailable("confirm", err)
	}
	return s.viewed("confirm", replyOf(v), id)
}

package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// ReadCursors returns the cursors of the gateways on this Redis. Unlike the first call of
// every other method, ReadCursors writes nothing, so keyhole doctor can use it. The errors
// are gateway.ErrNotFound if no gateway has run on this Redis yet, gateway.ErrRecord and
// gateway.ErrUnavailable.
func (s *Store) ReadCursors(ctx context.Context) (gateway.Cursors, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	key, err := s.client.rest.Get(ctx, s.keys.cursors()).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, gateway.ErrNotFound
	case err != nil:
		return nil, unavailable("read cursors", err)
	}
	sealer, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return readCursors{sealer}, nil
}

// readCursors seals and opens cursors without a store.
type readCursors struct{ sealer *sealer }

// SealCursor implements gateway.Cursors.
func (r readCursors) SealCursor(_ context.Context, query, position string) (string, error) {
	return r.sealer.seal(cursorOther, query, position), nil
}

// OpenCursor implements gateway.Cursors.
func (r readCursors) OpenCursor(_ context.Context, query, cursor string) (string, error) {
	return r.sealer.open(cursorOther, query, cursor)
}

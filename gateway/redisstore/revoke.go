package redisstore

import (
	"context"
	"errors"
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
	generation := s.generation.Load()
	for range 2 {
		keys, args := s.revokeBatch(partition(id), generation, reason, by)
		keys = append(keys, s.keys.link(id), s.keys.history(id))
		v, err := s.write(ctx, s.client.rest, s.scripts.revoke, true, keys, append(args, generationWidth, id[:])...)
		confirmed := !errors.Is(err, gateway.ErrNotConfirmed)
		if err != nil && confirmed {
			return gateway.Link{}, false, unavailable("revoke", err)
		}
		r := replyOf(v)
		switch what := r.text(); what {
		case "g":
			generation = r.number()
			continue
		case "r", "u", "l":
			if !confirmed {
				return gateway.Link{}, what != "l", unavailable("revoke", err)
			}
			link, err := s.viewed("revoke", r, id)
			return link, err == nil && what != "l", err
		case "n":
			return gateway.Link{}, false, gateway.ErrNotFound
		}
		break
	}
	return gateway.Link{}, false, unavailable("revoke", gateway.ErrRecord)
}

// revokeBatch begins the keys and arguments of a revocation in one partition of
// links that were issued in one generation.
func (s *Store) revokeBatch(p int, generation int64, reason string, by gateway.Origin) (keys []string, args []any) {
	keys = []string{s.keys.operations(p), s.keys.active(p), s.keys.terms(p, generation), s.keys.names(p, generation)}
	args = []any{s.retention(), s.horizon.Load(), endBody(by.Actor, reason), operationBody(by, reason), generation}
	return keys, args
}

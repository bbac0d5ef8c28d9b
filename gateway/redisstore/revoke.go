package redisstore

import (
	"context"
	"errors"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// Revoke implements gateway.Store. It is repeatable: the first reason is kept, and a
// repeat reports that it changed nothing. go-redis repeats a call after a lost reply, and
// then Revoke reports the same. Revoke works even while Redis evicts keys.
func (s *Store) Revoke(
	ctx context.Context, id gateway.ID, reason string, by gateway.Origin,
) (_ gateway.Link, changed bool, err error) {
	defer s.observe(callRevoke, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, false, err
	}
	indexBucket := s.indexBucket.Load()
	for range 2 {
		keys, args := s.revocation(partition(id), indexBucket, reason, by)
		keys, args = append(keys, s.keys.permission(id), s.keys.history(id)), append(args, indexBucketWidth, id[:])
		v, err := s.write(ctx, s.client.rest, s.scripts.revoke, true, keys, args...)
		confirmed := !errors.Is(err, gateway.ErrNotConfirmed)
		if err != nil && confirmed {
			return gateway.Link{}, false, unavailable("revoke", err)
		}
		r := replyOf(v)
		switch letter := r.text(); letter {
		case "g":
			indexBucket = r.number()
			continue
		case "r", "u", "l":
			if !confirmed {
				return gateway.Link{}, letter != "l", unavailable("revoke", err)
			}
			link, err := readLink("revoke", r, id)
			return link, err == nil && letter != "l", err
		case "n":
			return gateway.Link{}, false, gateway.ErrNotFound
		}
		break
	}
	return gateway.Link{}, false, unavailable("revoke", gateway.ErrRecord)
}

// revocation returns the common KEYS and ARGV of lua/revoke.lua for links of one
// partition and index bucket.
func (s *Store) revocation(p int, indexBucket int64, reason string, by gateway.Origin) (keys []string, args []any) {
	keys = []string{
		s.keys.operations(p), s.keys.liveCounter(p),
		s.keys.secondaryIndex(p, indexBucket), s.keys.prefixIndex(p, indexBucket),
	}
	args = []any{
		s.afterEnd(), s.retentionHorizon.Load(), record.RevocationFields(by.Actor, reason),
		record.OperationFields(by, reason), indexBucket,
	}
	return keys, args
}

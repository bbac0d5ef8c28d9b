package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// reservedFor is how long a reservation is kept.
const reservedFor = 24 * time.Hour

// Reserve implements gateway.Retries.
func (s *Store) Reserve(ctx context.Context, name string, sealed []byte) (_ []byte, err error) {
	defer s.observe(callReserve, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	v, err := s.write(ctx, s.client.rest, s.scripts.reserve, true, []string{s.keys.retry(name)},
		sealed, reservedFor.Milliseconds())
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
func (s *Store) Reserved(ctx context.Context, name string) (_ []byte, _ time.Duration, err error) {
	defer s.observe(callReserved, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, 0, err
	}
	v, err := run(ctx, s.client.rest, s.scripts.reserved, true, []string{s.keys.retry(name)})
	if err != nil {
		return nil, 0, unavailable("reserved", err)
	}
	r := replyOf(v)
	kept, left := r.text(), r.number()
	if r.err != nil {
		return nil, 0, unavailable("reserved", r.err)
	}
	if kept == "" {
		return nil, 0, gateway.ErrNotFound
	}
	return []byte(kept), reservedFor - time.Duration(left)*time.Millisecond, nil
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

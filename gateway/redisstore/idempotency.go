package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// reservedFor is the TTL of a reservation.
const reservedFor = 24 * time.Hour

// Reserve implements gateway.Reservations. The first value under a name is kept.
func (s *Store) Reserve(ctx context.Context, name string, sealed []byte) (_ []byte, err error) {
	defer s.observe(callReserve, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	v, err := s.write(ctx, s.client.rest, s.scripts.reservation, true, []string{s.keys.reservation(name)},
		sealed, reservedFor.Milliseconds())
	if err != nil {
		return nil, unavailable("reserve", err)
	}
	r := replyOf(v)
	if kept := r.text(); r.err == nil {
		return []byte(kept), nil
	}
	return nil, unavailable("reserve", r.err)
}

// Reserved implements gateway.Reservations. It returns the age of the reservation too.
func (s *Store) Reserved(ctx context.Context, name string) (_ []byte, _ time.Duration, err error) {
	defer s.observe(callReserved, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, 0, err
	}
	v, err := run(ctx, s.client.rest, s.scripts.reservation, true, []string{s.keys.reservation(name)})
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

// readAndWrite makes lua/read.lua write the history back unchanged, so that the caller
// can wait for replicas.
const readAndWrite = "w"

// Confirm implements gateway.Reservations.
func (s *Store) Confirm(ctx context.Context, id gateway.ID) (_ gateway.Link, err error) {
	defer s.observe(callConfirm, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	keys := []string{s.keys.permission(id), s.keys.history(id)}
	v, err := s.write(ctx, s.client.rest, s.scripts.read, true, keys, readAndWrite)
	if err != nil {
		return gateway.Link{}, unavailable("confirm", err)
	}
	return readLink("confirm", replyOf(v), id)
}

package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// ReadACME returns a value that WriteACME stored, nil if there is none. The error is
// gateway.ErrUnavailable.
func (s *Store) ReadACME(ctx context.Context, name string) ([]byte, error) {
	value, err := s.acme(ctx, "read a certificate", name, "get")
	if value == "" || err != nil {
		return nil, err
	}
	return []byte(value), nil
}

// WriteACME stores a value for life. The caller encrypts it. The error is
// gateway.ErrUnavailable.
func (s *Store) WriteACME(ctx context.Context, name string, value []byte, life time.Duration) error {
	_, err := s.acme(ctx, "store a certificate", name, "set", value, life.Milliseconds())
	return err
}

// TakeACMELease takes or extends a lease for life, and tells whether holder has it. The
// error is gateway.ErrUnavailable.
func (s *Store) TakeACMELease(ctx context.Context, name, holder string, life time.Duration) (bool, error) {
	has, err := s.acme(ctx, "take the lease of an order", name, "take", holder, life.Milliseconds())
	return has == holder && err == nil, err
}

// DropACMELease ends a lease if holder has it. The error is gateway.ErrUnavailable.
func (s *Store) DropACMELease(ctx context.Context, name, holder string) error {
	_, err := s.acme(ctx, "end the lease of an order", name, "drop", holder)
	return err
}

// acme runs the script of lua/acme.lua. Each operation can be repeated.
func (s *Store) acme(ctx context.Context, what, name string, args ...any) (_ string, err error) {
	defer s.observe(callACME, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return "", err
	}
	v, err := run(ctx, s.client.rest, s.scripts.acme, true, []string{s.keys.acme(name)}, args...)
	if err != nil {
		return "", unavailable(what, err)
	}
	value, ok := v.(string)
	if !ok {
		return "", unavailable(what, gateway.ErrRecord)
	}
	return value, nil
}

package redisstore

import (
	"context"
	"errors"
)

// Prepare prepares the store without a look. The error is ErrPartitions or
// gateway.ErrUnavailable.
func (s *Store) Prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	err := s.prepare(ctx, s.client.rest)
	if err != nil && !errors.Is(err, ErrPartitions) {
		return unavailable("prepare", err)
	}
	return err
}

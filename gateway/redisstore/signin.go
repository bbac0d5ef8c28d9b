package redisstore

import (
	"context"
	"fmt"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// RecordSignIn implements gateway.Store. The event is in the operators' stream of the
// partition of the zero ID, like an erasure from all links.
func (s *Store) RecordSignIn(ctx context.Context, kind gateway.EventKind, by gateway.Origin) (err error) {
	defer s.observe(callSignIn, time.Now(), &err)
	fields, err := record.SignInFields(kind, by)
	if err != nil {
		return fmt.Errorf("record a sign-in: %w", err)
	}
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return err
	}
	if err := s.recordOperation(ctx, gateway.ID{}, fields); err != nil {
		return unavailable("record a sign-in", err)
	}
	return nil
}

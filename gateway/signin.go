package gateway

import (
	"context"
	"fmt"
)

// RecordSignIn records that an actor has signed in to the console or out of it: kind is
// EventSignedIn or EventSignedOut. It needs no right, because the caller has admitted the
// actor. Failed sign-ins are not recorded, so that nobody can fill the audit with them.
func (s *Service) RecordSignIn(ctx context.Context, actor *Actor, kind EventKind) error {
	if kind != EventSignedIn && kind != EventSignedOut {
		return fmt.Errorf("record a sign-in of kind %q", kind)
	}
	if err := s.store.RecordSignIn(ctx, kind, actor.origin()); err != nil {
		return storeError(err)
	}
	return nil
}

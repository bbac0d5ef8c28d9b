package gateway

import (
	"errors"
	"slices"
	"testing"
)

// A sign-in is recorded under the actor's name and address; other kinds are not.
func TestRecordSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	actor := &Actor{Name: "alice", Address: "192.0.2.7"}
	for _, kind := range []EventKind{EventSignedIn, EventSignedOut} {
		if err := f.service.RecordSignIn(t.Context(), actor, kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := f.service.RecordSignIn(t.Context(), actor, EventRevoked); err == nil {
		t.Error("a revocation was recorded")
	}
	if want := []EventKind{EventSignedIn, EventSignedOut}; !slices.Equal(f.store.signIns, want) ||
		f.store.by != (Origin{Actor: "alice", Address: "192.0.2.7"}) {
		t.Errorf("the store got %v by %+v", f.store.signIns, f.store.by)
	}
	f.store.err = ErrUnavailable
	err := f.service.RecordSignIn(t.Context(), actor, EventSignedIn)
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != CodeUnavailable {
		t.Errorf("without Redis: %v", err)
	}
}

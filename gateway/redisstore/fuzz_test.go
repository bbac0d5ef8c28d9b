package redisstore

import (
	"errors"
	"testing"
	"time"

	"keyhole/gateway"
)

// FuzzCursor opens arbitrary cursors: only a cursor of the same listing opens, and
// reading its content does no harm.
func FuzzCursor(f *testing.F) {
	sealer, err := newSealer(make([]byte, cursorKeyLength))
	if err != nil {
		f.Fatal(err)
	}
	for _, position := range []string{"", "x", string(make([]byte, 200))} {
		f.Add(sealer.seal(cursorAttribute, "filter", position), "filter", position)
	}
	f.Add("AA", "", "")
	f.Fuzz(func(t *testing.T, cursor, filter, position string) {
		for _, kind := range []byte{cursorAttribute, cursorPrefix, cursorEvents, cursorAudit, cursorOther} {
			if opened, err := sealer.open(kind, filter, cursor); err != nil && !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("%q: %q, %v", cursor, opened, err)
			}
			made := sealer.seal(kind, filter, position)
			if opened, err := sealer.open(kind, filter, made); err != nil || opened != position {
				t.Errorf("%q opens as %q, %v", position, opened, err)
			}
			if _, err := sealer.open(kind, filter+"x", made); !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("a cursor of another filter: %v", err)
			}
			if _, err := sealer.open(kind+1, filter, made); !errors.Is(err, gateway.ErrCursor) {
				t.Errorf("a cursor of another listing: %v", err)
			}
		}
		if _, err := parseEventPosition(sealer, gateway.ID{}, cursor); err != nil && !errors.Is(err, gateway.ErrCursor) {
			t.Errorf("position of events in %q: %v", cursor, err)
		}
		// Positions are sealed, so nobody can forge one, but reading one must be safe too.
		if _, err := newFeed(&gateway.AuditQuery{Oldest: true}, position, time.Now().UnixMilli()); err != nil &&
			!errors.Is(err, gateway.ErrCursor) {
			t.Errorf("position %q: %v", position, err)
		}
	})
}

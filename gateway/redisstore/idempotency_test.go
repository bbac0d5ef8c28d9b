package redisstore_test

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// testReserve keeps the first of several reservations with one name.
func testReserve(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	if _, _, err := s.Reserved(t.Context(), "n"); !errors.Is(err, gateway.ErrNotFound) {
		t.Fatalf("before: got %v, want ErrNotFound", err)
	}
	kept := make([][]byte, 20)
	var asking sync.WaitGroup
	for i := range kept {
		asking.Go(func() {
			var err error
			if kept[i], err = s.Reserve(t.Context(), "n", []byte("\x00"+strconv.Itoa(i))); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	after, _, err := s.Reserved(t.Context(), "n")
	if err != nil || slices.ContainsFunc(kept, func(b []byte) bool { return !bytes.Equal(b, after) }) {
		t.Errorf("kept %q, %v; answered %q", after, err, kept)
	}
	if other, err := s.Reserve(t.Context(), "m", []byte("other")); err != nil || string(other) != "other" {
		t.Errorf("another name: got %q, %v", other, err)
	}
}

// TestReservationAges returns the age of a reservation by Redis' clock; a repeat does not
// make it younger.
func TestReservationAges(t *testing.T) {
	t.Parallel()
	c := startClock(t)
	s := open(t, c.client)
	if _, err := s.Reserve(t.Context(), "n", []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	c.step(23 * time.Hour)
	if _, err := s.Reserve(t.Context(), "n", []byte("another")); err != nil {
		t.Fatal(err)
	}
	if kept, age, err := s.Reserved(t.Context(), "n"); err != nil || string(kept) != "sealed" || age != 23*time.Hour {
		t.Errorf("got %q of %v, %v; want it of 23h", kept, age, err)
	}
	c.step(time.Hour)
	if _, _, err := s.Reserved(t.Context(), "n"); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("after a day: got %v, want ErrNotFound", err)
	}
}

func testConfirm(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	link := newLink(t)
	if _, err := s.Confirm(t.Context(), link.ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Fatalf("before: got %v, want ErrNotFound", err)
	}
	want := create(t, s, link)
	equal(t, "click", admit(t, s, link.ID, "GET"), gateway.OutcomeRedirected)
	want.Clicks++
	got, err := s.Confirm(t.Context(), link.ID)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "confirmed", plain(got), plain(want))
	if _, _, err := s.Revoke(t.Context(), link.ID, "leak", operator()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Confirm(t.Context(), link.ID); err != nil || got.State != gateway.StateRevoked {
		t.Errorf("revoked: got %s, %v", got.State, err)
	}
	// The link has not changed.
	again, err := s.Get(t.Context(), link.ID)
	if err != nil || again.RevokeReason != "leak" || again.Clicks != 1 {
		t.Errorf("afterwards: got %+v, %v", again, err)
	}
}

package redisstore_test

import (
	"testing"
	"time"

	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// Values of certificates are stored for a time, and one holder has a lease at a time.
func TestACME(t *testing.T) {
	t.Parallel()
	node := redistest.StartSingle(t)
	store := open(t, clientOptions(redisstore.ModeSingle, node.Addr))
	ctx := t.Context()
	if value, err := store.ReadACME(ctx, "x"); value != nil || err != nil {
		t.Errorf("nothing stored: %q, %v", value, err)
	}
	if err := store.WriteACME(ctx, "x", []byte("a\x00b"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if value, err := store.ReadACME(ctx, "x"); string(value) != "a\x00b" || err != nil {
		t.Errorf("got %q, %v", value, err)
	}
	for i, step := range []struct {
		holder string
		want   bool
	}{{"one", true}, {"two", false}, {"one", true}} {
		if has, err := store.TakeACMELease(ctx, "lease", step.holder, time.Hour); has != step.want || err != nil {
			t.Errorf("step %d: %v, %v", i, has, err)
		}
	}
	if err := store.DropACMELease(ctx, "lease", "two"); err != nil {
		t.Error(err)
	}
	if has, err := store.TakeACMELease(ctx, "lease", "two", time.Hour); has || err != nil {
		t.Errorf("another holder ended the lease: %v", err)
	}
	if err := store.DropACMELease(ctx, "lease", "one"); err != nil {
		t.Error(err)
	}
	if has, err := store.TakeACMELease(ctx, "lease", "two", time.Hour); !has || err != nil {
		t.Errorf("after the end of the lease: %v, %v", has, err)
	}
}

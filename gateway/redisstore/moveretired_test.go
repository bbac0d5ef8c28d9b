package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// TestCopyFromNestedPrefix deletes no key of an installation whose prefix begins with that
// of the move.
func TestCopyFromNestedPrefix(t *testing.T) {
	t.Parallel()
	for _, nested := range []string{":eu", ":acme"} {
		from, _ := startSource(t)
		to, node := startSource(t)
		prefix := newPrefix()
		create(t, open(t, from, withPrefix(prefix)), newLink(t))
		interrupted := errors.New("interrupted")
		_, err := receive(t, asAdmin(to), asAdmin(from), prefix, func() error { return interrupted })
		if !errors.Is(err, interrupted) {
			t.Fatal(err)
		}
		other := open(t, to, withPrefix(prefix+nested))
		link := create(t, other, newLink(t))
		before := content(t, prefix, node)
		_, err = receive(t, asAdmin(to), asAdmin(from), prefix, func() error { return nil })
		if !errors.Is(err, redisstore.ErrUsed) {
			t.Errorf("%s: %v, want ErrUsed", nested, err)
		}
		equal(t, "the target", content(t, prefix, node), before)
		equal(t, "the link of the other installation", admit(t, other, link.ID, "GET"), gateway.OutcomeRedirected)
	}
}

// TestCopyFromClocks refuses a target whose clock differs, before it writes anything: Redis
// drops values that have expired by its clock.
func TestCopyFromClocks(t *testing.T) {
	t.Parallel()
	from, _ := startSource(t)
	prefix := newPrefix()
	create(t, open(t, from, withPrefix(prefix)), newLink(t))
	for _, skew := range []time.Duration{-time.Hour, -gateway.NotableSkew - time.Second, gateway.NotableSkew + time.Minute} {
		m := redistest.StartMini(t)
		m.SetTime(time.Now().Add(skew))
		_, err := receive(t, clientOptions(redisstore.ModeSingle, m.Addr()), asAdmin(from), prefix, func() error {
			t.Error("the source was given up")
			return nil
		})
		if !errors.Is(err, redisstore.ErrClocks) || len(m.Keys()) > 0 {
			t.Errorf("%s: %v, want ErrClocks; keys %q", skew, err, m.Keys())
		}
	}
}

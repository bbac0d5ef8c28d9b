package redisstore_test

import (
	"errors"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/redisstore"
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

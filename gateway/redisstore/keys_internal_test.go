package redisstore

import (
	"testing"

	"keyhole/gateway"
)

// An installation owns every key that it builds, and not the keys of an installation whose
// prefix begins with its own.
func TestKeysOwns(t *testing.T) {
	t.Parallel()
	built := func(k keys) []string {
		var id gateway.ID
		var hash gateway.SessionHash
		return []string{
			k.partitions(), k.cursors(), k.retentionHorizon(), k.permission(id), k.history(id), k.spent(id),
			k.attempts(id), k.reservation("a"), k.operations(63), k.clicks(0), k.refusals(7), k.liveCounter(1),
			k.secondaryIndex(1, 2), k.prefixIndex(1, 2), k.confirmation(3), k.absent(3), k.session(hash), k.sessions(9),
			k.signIn(hash), k.acme("a"), k.daily("2026-11-29"),
		}
	}
	own := keys{"keyhole:a"}
	for _, name := range built(own) {
		if !own.owns(name) {
			t.Errorf("%s is foreign", name)
		}
		if own.confirms(name) != (name == own.confirmation(3)) {
			t.Errorf("%s is a confirmation: %v", name, own.confirms(name))
		}
	}
	for _, name := range built(keys{"keyhole:a:eu"}) {
		if own.owns(name) {
			t.Errorf("%s is its own", name)
		}
	}
	for _, kind := range []string{"acme", "retry", "signin", "daily", "partitions", "cursors", "horizon", "acme:x"} {
		if name := (keys{"keyhole:a:" + kind}).partitions(); own.owns(name) {
			t.Errorf("%s is its own", name)
		}
	}
	for _, rest := range []string{"", "other", "acme", "{p1}", "{x}:ops"} {
		if own.owns("keyhole:a:" + rest) {
			t.Errorf("keyhole:a:%s is its own", rest)
		}
	}
}

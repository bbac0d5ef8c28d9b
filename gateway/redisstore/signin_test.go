package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"keyhole/gateway"
)

// testSignIn records sign-ins: the audit shows them by kind and actor, to whoever may see
// all objects, and an erasure covers their addresses.
func testSignIn(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	alice := gateway.Origin{Actor: "alice", Address: "192.0.2.7"}
	create(t, s, newLink(t))
	for _, kind := range []gateway.EventKind{gateway.EventSignedIn, gateway.EventSignedOut} {
		if err := s.RecordSignIn(t.Context(), kind, alice); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	if err := s.RecordSignIn(t.Context(), gateway.EventRevoked, alice); err == nil {
		t.Error("a revocation was recorded")
	}
	lines := func(q gateway.AuditQuery) (lines []string) {
		t.Helper()
		q.Limit = 50
		all, _ := feedOf(t, s, q)
		for _, e := range all {
			lines = append(lines, fmt.Sprint(e.Kind, " ", e.Actor, " ", e.Address, " ", e.Link == gateway.ID{}, " ", e.Ref.Key))
		}
		return lines
	}
	in, out := "signed_in alice 192.0.2.7 true ", "signed_out alice 192.0.2.7 true "
	equal(t, "signed in", lines(gateway.AuditQuery{Kind: gateway.EventSignedIn}), []string{in})
	equal(t, "signed out", lines(gateway.AuditQuery{Kind: gateway.EventSignedOut}), []string{out})
	equal(t, "changes", lines(gateway.AuditQuery{Kind: gateway.EventChanged}), nil)
	equal(t, "by alice", len(lines(gateway.AuditQuery{Actor: "alice"})), 3)
	limited := gateway.AuditQuery{Match: func(gateway.ObjectRef) bool { return true }}
	equal(t, "in a limited scope", len(lines(limited)), 1)

	erasure := gateway.Erasure{Addresses: []string{"192.0.2.7"}, Subject: "192.0.2.7", Budget: time.Hour}
	if result, _ := eraseAll(t, s, erasure); result.FeedEvents != 3 {
		t.Fatalf("erased %+v", result)
	}
	erased := lines(gateway.AuditQuery{Kind: gateway.EventSignedIn})
	equal(t, "after the erasure", erased, []string{"signed_in alice  true "})
}

package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"keyhole/gateway"
)

func testRevokeAll(t *testing.T, g target) {
	t.Helper()
	s := open(t, g.client)
	make := func(bucket, key, creator, label string, restricted bool) gateway.ID {
		link := newLink(t)
		link.Ref.Bucket, link.Ref.Key, link.CreatedBy = bucket, key, creator
		link.Labels = map[string]string{"case": label}
		if restricted {
			link.MaxClicks = 1
		}
		return restrict(t, s, link).ID
	}
	ids := map[string]gateway.ID{
		"a/1":   make("reports", "a/1", "alice", "1", false),
		"a/2":   make("reports", "a/2", "bob", "2", false),
		"ab":    make("reports", "ab", "alice", "2", false),
		"other": make("exports", "a/1", "alice", "1", false),
		"used":  make("reports", "a/3", "bob", "1", true),
		"grown": make("reports", "a/4", "bob", "1", true),
	}
	spend(t, s, ids["used"], "")
	all := func(q gateway.ListQuery, o gateway.BulkOptions) gateway.BulkResult {
		t.Helper()
		q.Buckets = []string{"exports", "reports"}
		o.Budget, o.Reason = time.Minute, "leak"
		result, err := s.RevokeAll(t.Context(), q, o, operator())
		if err != nil {
			t.Fatalf("revoke all: %v", err)
		}
		return result
	}
	for _, tt := range []struct {
		name       string
		q          gateway.ListQuery
		want, used int
	}{
		{"bucket and prefix", gateway.ListQuery{Bucket: "reports", Prefix: "a/"}, 4, 1},
		{"bucket and key", gateway.ListQuery{Bucket: "reports", Key: "a/1"}, 1, 0},
		{"creator", gateway.ListQuery{CreatedBy: "alice"}, 3, 0},
		{"label", gateway.ListQuery{Labels: map[string]string{"case": "1"}}, 4, 1},
		{"bucket, creator and label", gateway.ListQuery{
			Bucket: "reports", CreatedBy: "bob", Labels: map[string]string{"case": "1"},
		}, 2, 1},
		{"all", gateway.ListQuery{}, 6, 1},
		{"in scope", gateway.ListQuery{Match: func(r gateway.ObjectRef) bool { return r.Bucket == "exports" }}, 1, 0},
	} {
		equal(t, tt.name, all(tt.q, gateway.BulkOptions{DryRun: true}),
			gateway.BulkResult{Matched: tt.want, UsedUp: tt.used, Done: true})
	}
	equal(t, "after only counting", admit(t, s, ids["a/1"], "GET"), gateway.OutcomeRedirected)

	prefix := gateway.ListQuery{Bucket: "reports", Prefix: "a/"}
	equal(t, "revoked", all(prefix, gateway.BulkOptions{}),
		gateway.BulkResult{Matched: 4, UsedUp: 1, Revoked: 4, Done: true})
	equal(t, "again", all(prefix, gateway.BulkOptions{}), gateway.BulkResult{Done: true})
	for name, want := range map[string]gateway.State{
		"a/1": gateway.StateRevoked, "a/2": gateway.StateRevoked, "ab": gateway.StateActive, "other": gateway.StateActive,
		"used": gateway.StateUsedUp, "grown": gateway.StateRevoked,
	} {
		equal(t, name, get(t, s, ids[name]).State, want)
	}
	equal(t, "a click", admit(t, s, ids["a/1"], "GET"), gateway.OutcomeRevoked)
	equal(t, "a grant", attempt(t, s, gateway.Attempt{ID: ids["used"], Method: "GET", Grant: "one"}).Outcome,
		gateway.OutcomeUsedUp)
	equal(t, "reason", get(t, s, ids["a/2"]).RevokeReason, "leak")
	active, err := s.Active(t.Context())
	if err != nil || active != 2 {
		t.Errorf("%d links are active, %v; want 2", active, err)
	}
}

// TestRevokeAllInPieces ends a call when its budget is spent, and continues with the next
// call.
func TestRevokeAllInPieces(t *testing.T) {
	g := startSingle(t)
	s := open(t, g.client)
	const links = 2500
	each(links, func(i int) {
		link := newLink(t)
		link.Ref.Key = fmt.Sprintf("a/%05d", i)
		create(t, s, link)
	})
	revoked, calls := 0, 0
	for done := false; !done; {
		result, err := s.RevokeAll(t.Context(), gateway.ListQuery{Bucket: "reports", Prefix: "a/"}, gateway.BulkOptions{},
			operator())
		if err != nil {
			t.Fatalf("revoke all: %v", err)
		}
		if calls++; calls > 10 {
			t.Fatal("it does not come to an end")
		}
		revoked += result.Revoked
		done = result.Done
	}
	equal(t, "revoked", revoked, links)
	if calls < 3 {
		t.Errorf("%d calls without a budget for %d links", calls, links)
	}
}

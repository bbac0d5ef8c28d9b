package cli

import (
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

func TestEventsAndAudit(t *testing.T) {
	t.Parallel()
	event := api.Event{
		Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Kind: "redirected", Outcome: "redirected", Method: "GET",
		Link: testID(), Bucket: "reports", Key: "a\u202e.txt",
	}
	page := api.EventPage{Events: []api.Event{event}}
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links/" + testID() + "/events": page, "GET /api/v1/audit": page,
	}}
	has(t, runOver(t, f, "events", testID()).stdout, "TIME", "redirected", "GET")
	has(t, runOver(t, f, "audit", "--since", "24h", "--kind", "redirected").stdout, "OBJECT", `s3://reports/a\u202e.txt`)
	if got := runOver(t, f, "audit", "--json"); strings.Count(got.stdout, "\n") != 1 ||
		strings.Contains(got.stdout, "\u202e") {
		t.Errorf("--json: %q", got.stdout)
	}
	empty := &fakeAPI{answers: map[string]any{"GET /api/v1/audit": api.EventPage{}}}
	if got := runOver(t, empty, "audit"); got.stderr != "No events found.\n" {
		t.Errorf("an empty feed: %+v", got)
	}
	for args, want := range map[string]string{
		"audit --kind click": `--kind is "click"`, "audit --since never": "neither a time nor an age",
		"audit --follow --limit 1": "--follow cannot be combined", "events x": "neither the ID nor the URL",
		"events --limit 0 " + testID(): "--limit is 0; it must be 1 to", "events --follow --limit 1 " + testID(): "no end",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

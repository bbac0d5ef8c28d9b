package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

func TestAuditErase(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/audit/erasures": api.Erasure{
		FeedEvents: 3, LinkEvents: 1, Done: true, Remains: []api.Note{{Code: "log", Message: "the log\x1b"}},
	}}}
	got := runOver(t, f, "audit", "erase", "--link", testID(), "--reason", "asked")
	has(t, got.stdout, "erased 3 addresses from the audit feed and 1 address from the events of links", "What remains:",
		`- the log\x1b`)
	if body := f.requests[0].body; got.code != 0 || body["link"] != testID() || body["reason"] != "asked" ||
		body["address"] != nil {
		t.Errorf("%+v; sent %v", got, body)
	}
	got = runOver(t, f, "audit", "erase", "--address", "203.0.113.9", "--json", "--yes")
	has(t, got.stdout, `"feed_events": 3`, `"remains"`)
	for args, want := range map[string]string{
		"audit erase":                                      "neither --link nor --address",
		"audit erase --link x":                             "neither the ID nor the URL",
		"audit erase --link= --address 1.2.3.4":            "--link is empty",
		"audit erase --address 1.2.3.4 --link " + testID(): "--link and --address cannot be combined",
		"audit erase " + testID():                          "only flags",
		"audit erase --addres 1.2.3.4":                     "did you mean",
		"audit delete":                                     "did you mean",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// Events that the service cannot read are a failure.
func TestEraseOfUnreadableEvents(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"POST /api/v1/audit/erasures": api.Erasure{Unreadable: 1, Remains: []api.Note{}},
	}}
	got := runOver(t, f, "audit", "erase", "--address", "203.0.113.9")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "1 event could not be read") {
		t.Errorf("%+v", got)
	}
}

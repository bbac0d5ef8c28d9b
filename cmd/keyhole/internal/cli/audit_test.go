package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
	if got := runOver(t, f, "audit", "--ndjson"); strings.Count(got.stdout, "\n") != 1 ||
		strings.Contains(got.stdout, "\u202e") {
		t.Errorf("--ndjson: %q", got.stdout)
	}
	empty := &fakeAPI{answers: map[string]any{
		"GET /api/v1/audit": api.EventPage{}, "GET /api/v1/links/" + testID() + "/events": api.EventPage{},
	}}
	for _, args := range [][]string{{"audit"}, {"events", testID()}} {
		if got := runOver(t, empty, args...); got.stderr != "No events found.\n" || got.stdout != "" {
			t.Errorf("%s without events: %+v", args, got)
		}
	}
	for args, want := range map[string]string{
		"audit --kind click":  `--kind is "click", which is not a valid value` + "\n  use one of issued, changed, paused,",
		"audit --kind refusd": "did you mean refused?", "audit --since never": "neither a time nor an age",
		"audit --follow --limit 1": "--follow cannot be combined", "events x": "neither the ID nor the URL",
		"events --limit 0 " + testID(): "--limit is 0; it must be 1 to", "events --follow --limit 1 " + testID(): "no end",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// A time is RFC 3339 or a date in UTC; an age is counted back from now.
func TestMomentOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"":                          "0001-01-01T00:00:00Z",
		"2026-11-25T08:00:00Z":      "2026-11-25T08:00:00Z",
		"2026-11-25T08:00:00+02:00": "2026-11-25T06:00:00Z",
		"2026-11-25":                "2026-11-25T00:00:00Z",
		"24h":                       "2026-11-27T12:00:00Z",
		"7d":                        "2026-11-21T12:00:00Z",
		"90m":                       "2026-11-28T10:30:00Z",
		"yesterday":                 "", "25.11.2026": "", "-1h": "", "2026-11-25 08:00": "",
	} {
		got, err := momentOf("since", text, now)
		if (err == nil) != (want != "") || err == nil && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), `--since is "`+text+`", which is neither`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The rows of a feed are aligned as long as their cells are of usual length; a longer one
// pushes the rest to the right and is not cut.
func TestFeedLine(t *testing.T) {
	t.Parallel()
	header := feedLine(auditHeader())
	event := &api.Event{
		Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Kind: "issued", Actor: "ci", Link: testID(), Bucket: "b",
		Key: "k\x1b",
	}
	line := feedLine(auditRow(event))
	for name, text := range map[string]string{"LINK": testID(), "OBJECT": `s3://b/k\x1b`, "WHO": "ci", "EVENT": "issued"} {
		if strings.Index(header, name) != strings.Index(line, text) {
			t.Errorf("%s is not above %s:\n%s\n%s", name, text, header, line)
		}
	}
	event.Actor = strings.Repeat("long", 5)
	if got := feedLine(auditRow(event)); !strings.Contains(got, event.Actor+"  -  ") || !strings.HasSuffix(got, `k\x1b`) {
		t.Errorf("got %s", got)
	}
	event.Bucket = ""
	if row := auditRow(event); row[len(row)-1] != "-" {
		t.Errorf("an event without an object: %q", row)
	}
}

// An export follows cursors and prints one line for each event, however many there are.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		page := api.EventPage{Events: []api.Event{{Kind: "issued"}, {Kind: "redirected"}}}
		if r.URL.Query().Get("cursor") == "" {
			page.Next, page.More = "1", true
		}
		w.Header().Set("Content-Type", api.MediaType)
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	for args, want := range map[string]struct{ lines, requests int }{
		"--limit 0 --ndjson": {4, 2}, "--limit 2 --ndjson": {2, 1}, "--limit 0": {5, 2}, "--limit 2": {3, 1},
	} {
		asked = 0
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), append([]string{"audit"}, strings.Fields(args)...), command.Env{
			Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if n := strings.Count(stdout.String(), "\n"); code != command.ExitOK || n != want.lines || asked != want.requests {
			t.Errorf("%s: exit %d, %d lines by %d requests, want %+v", args, code, n, asked, want)
		}
		cut := strings.Contains(stderr.String(), "There may be more events: use --limit 4")
		if cut != strings.HasPrefix(args, "--limit 2") {
			t.Errorf("%s says that there are more: %v", args, cut)
		}
	}
}

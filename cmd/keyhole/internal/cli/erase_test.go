package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
	got = runOver(t, f, "audit", "erase", "203.0.113.9")
	if body := f.requests[2].body; got.code != 0 || body["address"] != "203.0.113.9" || body["link"] != nil {
		t.Errorf("%+v; sent %v", got, body)
	}
	for args, want := range map[string]string{
		"audit erase 192.0.2.7 --address 192.0.2.7": "--address cannot be combined with an address as an argument",
		"audit erase 192.0.2.7 --link " + testID():  "--link and --address cannot be combined",
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

// A dry run asks nothing and erases nothing. An address without an event may be mistyped.
func TestEraseDryRun(t *testing.T) {
	t.Parallel()
	const path = "POST /api/v1/audit/erasures"
	f := &fakeAPI{answers: map[string]any{path: api.Erasure{FeedEvents: 3, LinkEvents: 1, Done: true}}}
	got := runAt(t, f, "", false, "audit", "erase", "203.0.113.9", "--dry-run")
	has(t, got.stderr, "would erase 3 addresses from the audit feed and 1 address from the events of links",
		"Nothing was erased: this was a dry run.")
	if body := f.requests[0].body; got.code != 0 || body["dry_run"] != true || strings.Contains(got.stderr, "[y/N]") {
		t.Errorf("%+v; sent %v", got, body)
	}
	for want, args := range map[string][]string{
		"no event has this address\n":            {"203.0.113.9"},
		"no event of this link has an address\n": {"--link", testID(), "--dry-run"},
	} {
		f := &fakeAPI{answers: map[string]any{path: api.Erasure{Done: true}}}
		got := runOver(t, f, append([]string{"audit", "erase"}, args...)...)
		if got.code != 0 || !strings.HasPrefix(got.stdout, want) {
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

// On a terminal the command asks, and erases nothing unless the answer is yes.
func TestEraseOnATerminal(t *testing.T) {
	t.Parallel()
	const path = "POST /api/v1/audit/erasures"
	for name, tt := range map[string]struct {
		typed    string
		args     []string
		requests int
		code     int
		want     string
	}{
		"yes":        {"y\n", nil, 1, command.ExitOK, "erased 2 addresses"},
		"no":         {"n\n", nil, 0, command.ExitFailed, "nothing was erased"},
		"Enter":      {"\n", nil, 0, command.ExitFailed, "answer y to erase the addresses, or use --yes"},
		"Ctrl-D":     {"\x04", nil, 0, command.ExitFailed, "nothing was erased"},
		"with --yes": {"", []string{"--yes"}, 1, command.ExitOK, "erased 2 addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeAPI{answers: map[string]any{path: api.Erasure{FeedEvents: 2, Done: true, Remains: []api.Note{}}}}
			got := runAt(t, f, tt.typed, false, append([]string{"audit", "erase", "--address", "203.0.113.9"}, tt.args...)...)
			if got.code != tt.code || len(f.requests) != tt.requests {
				t.Errorf("%+v after %d requests", got, len(f.requests))
			}
			has(t, got.stderr, tt.want)
			asked := strings.Contains(got.stderr, "Erase the address 203.0.113.9 from the events of all links?")
			if asked != (len(tt.args) == 0) {
				t.Errorf("asked: %v\n%s", asked, got.stderr)
			}
		})
	}
}

// An erasure follows the cursors, and adds up what each call erased.
func TestEraseFollowsCursors(t *testing.T) {
	t.Parallel()
	var cursors []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body api.ErasureRequest
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		cursors = append(cursors, body.Cursor)
		answer := api.Erasure{FeedEvents: 1, LinkEvents: 2, Next: "more", Remains: []api.Note{}}
		if len(cursors) == 3 {
			answer.Next, answer.Done = "", true
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(service.Close)
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), []string{"audit", "erase", "--address", "203.0.113.9"}, command.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + service.URL},
	})
	want := "erased 3 addresses from the audit feed and 6 addresses from the events of links\n"
	if code != command.ExitOK || !strings.HasPrefix(stdout.String(), want) || strings.Join(cursors, ",") != ",more,more" {
		t.Errorf("exit %d, %q, %q, cursors %q", code, stdout.String(), stderr.String(), cursors)
	}
}

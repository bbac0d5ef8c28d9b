package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// testEvent is an event as the API describes it, with a key that a terminal must not obey.
func testEvent(kind string) api.Event {
	return api.Event{
		Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Kind: kind, Outcome: kind, Method: "GET", Link: testID(),
		Bucket: "reports", Key: "q3\x1b.pdf", Address: "192.0.2.0",
	}
}

// With --json each command prints what the service returned and nothing else, without
// control characters, and it can be read back.
func TestJSONOutput(t *testing.T) {
	t.Parallel()
	link, page := testLink(), api.EventPage{Events: []api.Event{testEvent("issued")}, Next: "more"}
	path := "/api/v1/links/" + testID()
	f := &fakeAPI{answers: map[string]any{
		"GET " + path: link, "PATCH " + path: link, "DELETE " + path: link, "POST /api/v1/links": link,
		"GET " + path + "/events": page, "GET /api/v1/audit": api.EventPage{Events: page.Events},
		"GET /api/v1/links":        api.LinkPage{Links: []api.Link{link}, Next: "more"},
		"GET /api/v1/buckets":      api.BucketList{Buckets: []api.Bucket{{Storage: "main", Bucket: "reports"}}},
		"GET /api/v1/objects":      api.ObjectPage{Bucket: "reports", Objects: []api.ObjectEntry{{Key: "q3\x1b.pdf"}}},
		"POST /api/v1/revocations": api.Revocation{Matched: 1, Revoked: 1, Done: true},
	}}
	for args, want := range map[string]string{
		"show " + testID():                     `"preset": "business"`,
		"change --pause " + testID():           `"state": "active"`,
		"revoke " + testID():                   `"bucket": "reports"`,
		"revoke --all":                         `"revoked": 1`,
		"share --quiet s3://reports/q3.pdf":    `"url": "` + link.URL + `"`,
		"events " + testID():                   `"next": "more"`,
		"audit":                                `"kind": "issued"`,
		"list --limit 1":                       `"next": "more"`,
		"objects":                              `"storage": "main"`,
		"objects s3://reports":                 `"bucket": "reports"`,
		"objects s3://reports --search absent": `"bucket": "reports"`,
	} {
		got := runOver(t, f, append(strings.Fields(args), "--json")...)
		var value any
		if err := json.Unmarshal([]byte(got.stdout), &value); err != nil || got.code != command.ExitOK || got.stderr != "" {
			t.Errorf("%s: %v, %+v", args, err, got)
		}
		if strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%s prints a control character: %q", args, got.stdout)
		}
		has(t, got.stdout, want)
	}
}

// An empty page is valid JSON too: scripts loop over an empty list.
func TestEmptyJSONOutput(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links": api.LinkPage{}, "GET /api/v1/objects": api.ObjectPage{}, "GET /api/v1/audit": api.EventPage{},
		"GET /api/v1/links/" + testID() + "/events": api.EventPage{Events: []api.Event{}},
	}}
	for args, want := range map[string]string{
		"list": `"items": []`, "objects s3://reports": `"items": []`, "events " + testID(): `"items": []`,
		"audit": `"items": []`,
	} {
		got := runOver(t, f, append(strings.Fields(args), "--json")...)
		if got.code != command.ExitOK || got.stderr != "" || want == "" && got.stdout != "" {
			t.Errorf("%s: %+v", args, got)
		}
		has(t, got.stdout, want)
	}
}

// A link is named by its ID, its token or its URL. The service gets the ID: the token does
// not leave this machine.
func TestLinksAreNamed(t *testing.T) {
	t.Parallel()
	const token = "gL7GirLNfjRUvzM7663PyG"
	id := gateway.IDOf(token).String()
	path, named := "/api/v1/links/"+id, testLink()
	named.ID = id
	for _, name := range []string{id, token, "https://dl.example.com/" + token, "<https://dl.example.com/" + token + ">"} {
		for _, args := range [][]string{{"show"}, {"change", "--pause"}, {"revoke"}, {"events"}} {
			f := &fakeAPI{answers: map[string]any{
				"GET " + path: named, "PATCH " + path: named, "DELETE " + path: named,
				"GET " + path + "/events": api.EventPage{},
			}}
			got := runOver(t, f, append(args, name)...)
			if got.code != command.ExitOK || len(f.requests) == 0 {
				t.Errorf("%s %s: %+v", args[0], name, got)
			}
			for _, line := range f.lines() {
				if !strings.Contains(line, path) || strings.Contains(line, token) {
					t.Errorf("%s %s: sent %s", args[0], name, line)
				}
			}
		}
	}
}

// For every command, a refusal of the service goes to standard error with a hint, and
// standard output stays empty.
func TestRefusalsOfCommands(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"list", "list --json", "show " + testID(), "events " + testID(), "events --json " + testID(), "audit",
		"audit --json", "objects", "objects s3://reports", "revoke --all", "revoke " + testID(),
		"change --pause " + testID(), "share s3://reports/a", "share --json --quiet s3://reports/a",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"status":403,"code":"forbidden","detail":"this key may not do that"}`))
		}))
		t.Cleanup(server.Close)
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), strings.Fields(args), command.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if code != command.ExitFailed || stdout.Len() > 0 {
			t.Errorf("%s: exit %d, %s", args, code, stdout.String())
		}
		has(t, stderr.String(), "this key may not do that\n", `extend this key's "can"`)
	}
}

// Without a key no command sends a request, and the hint says where the key goes.
func TestCommandsWithoutAKey(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"list", "show " + testID(), "events " + testID(), "audit", "audit --follow", "objects", "objects s3://reports",
		"revoke --all", "revoke " + testID(), "change --pause " + testID(), "share s3://reports/a",
	} {
		f := &fakeAPI{}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		var stderr strings.Builder
		code := runCLI(t.Context(), strings.Fields(args), command.Env{
			Stdin: strings.NewReader(""), Stdout: &stderr, Stderr: &stderr,
			Environ: []string{"KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if code != command.ExitUsage || len(f.requests) > 0 {
			t.Errorf("%s: exit %d after %d requests", args, code, len(f.requests))
		}
		has(t, stderr.String(), "keyhole: no operator key\n", "set KEYHOLE_KEY to an operator key")
	}
}

// A listing of objects follows cursors; folders and objects count together against the limit.
func TestObjectsFollowCursors(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // empty: the first page
		page := api.ObjectPage{
			Bucket: "reports", Folders: []string{strconv.Itoa(from) + "/"},
			Objects: []api.ObjectEntry{{Key: strconv.Itoa(from)}},
		}
		if from < 2 {
			page.Next = strconv.Itoa(from + 1)
		}
		w.Header().Set("Content-Type", api.MediaType)
		if err := json.NewEncoder(w).Encode(page); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	for limit, want := range map[int]int{0: 6, 2: 2, 4: 4, 6: 6, 50: 6} {
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), []string{"objects", "s3://reports", "--limit", strconv.Itoa(limit)}, command.Env{
			Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if n := strings.Count(stdout.String(), "s3://reports/"); code != command.ExitOK || n != want {
			t.Errorf("--limit %d: exit %d, %d entries, want %d", limit, code, n, want)
		}
		if more := strings.Contains(stderr.String(), "There are more"); more != (want < 6) {
			t.Errorf("--limit %d says that there are more: %v", limit, more)
		}
	}
}

// The events of a link are one page. If there are more, the command names the largest limit,
// unless that was used.
func TestEventsLimit(t *testing.T) {
	t.Parallel()
	path := "GET /api/v1/links/" + testID() + "/events"
	f := &fakeAPI{answers: map[string]any{
		path: api.EventPage{Events: []api.Event{testEvent("issued"), testEvent("redirected")}, Next: "more"},
	}}
	most := strconv.Itoa(api.MaxLimit)
	for args, advice := range map[string]bool{"": true, "--limit 2": true, "--limit " + most: false} {
		got := runOver(t, f, append([]string{"events", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitOK || strings.Count(got.stdout, "\n") != 3 {
			t.Errorf("%s: %+v", args, got)
		}
		want := ""
		if advice {
			want = "There are more events: use --limit " + most + ".\n"
		}
		if got.stderr != want {
			t.Errorf("%s: %q", args, got.stderr)
		}
	}
	if line := f.requests[0].line; !strings.HasSuffix(line, "/events?limit=100") &&
		!strings.HasSuffix(line, "/events?limit=2") && !strings.HasSuffix(line, "/events?limit="+most) {
		t.Errorf("sent %s", line)
	}
	got := runOver(t, f, "events", testID(), "--limit", strconv.Itoa(api.MaxLimit+1))
	if got.code != command.ExitUsage || !strings.Contains(got.stderr, "it must be 1 to "+most) {
		t.Errorf("over the largest: %+v", got)
	}
	// A page without events advises nothing.
	f.answers[path] = api.EventPage{Next: "more"}
	if got := runOver(t, f, "events", testID()); got.stderr != "No events found.\n" {
		t.Errorf("nothing found: %+v", got)
	}
}

// man writes a page for every command, without a date, so that a package can be reproduced.
func TestMan(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "share", "man1")
	var stdout, stderr strings.Builder
	env := command.Env{Stdout: &stdout, Stderr: &stderr, Build: command.Build{Version: "v1.2.3-4-gabc"}}
	if code := runCLI(t.Context(), []string{"man", dir}, env); code != command.ExitOK || stdout.Len()+stderr.Len() > 0 {
		t.Fatalf("exit %d, %s%s", code, stdout.String(), stderr.String())
	}
	for _, c := range append(NewRoot(&command.Env{}).Commands(), NewRoot(&command.Env{})) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), `"keyhole v1.2.3"`) || strings.Contains(string(text), "gabc") ||
			strings.Contains(string(text), "Auto generated") {
			t.Errorf("%s: %v, %.200s", name, err, text)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code := runCLI(t.Context(), []string{"man", file}, env)
	if code != command.ExitFailed || !strings.Contains(stderr.String(), "cannot write the manual: ") {
		t.Errorf("over a file: exit %d, %s", code, stderr.String())
	}
}

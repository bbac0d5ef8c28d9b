package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// fakeAPI is an operator API that answers each request by its method and path, and
// records the requests.
type fakeAPI struct {
	answers map[string]any // "GET /api/v1/links": a value, or a status as an int

	mu       sync.Mutex
	requests []fakeRequest
}

// fakeRequest is one request.
type fakeRequest struct {
	line  string // method, path and query
	key   string
	body  map[string]any
	retry string // Idempotency-Key
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := fakeRequest{
		line: r.Method + " " + r.URL.RequestURI(), key: r.Header.Get("Authorization"),
		retry: r.Header.Get("Idempotency-Key"),
	}
	_ = json.NewDecoder(r.Body).Decode(&request.body) // a GET has no body
	f.mu.Lock()
	f.requests = append(f.requests, request)
	f.mu.Unlock()
	w.Header().Set("Content-Type", api.MediaType)
	switch answer := f.answers[r.Method+" "+r.URL.Path].(type) {
	case nil:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(api.Problem{Status: 404, Code: "not_found", Detail: "there is no such link"})
	case api.Problem:
		w.WriteHeader(answer.Status)
		_ = json.NewEncoder(w).Encode(answer)
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// result is what a command printed and how it ended.
type result struct {
	code           int
	stdout, stderr string
}

// runOver runs a command against an operator API.
func runOver(t *testing.T, f *fakeAPI, args ...string) result {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	return result{code, stdout.String(), stderr.String()}
}

// testID is the ID of testLink.
func testID() string { return gateway.ID{}.String() }

// testLink is a link as the API describes it, with a key that a terminal must not obey.
func testLink() api.Link {
	size, modified := int64(1536), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return api.Link{
		ID: testID(), State: "active", Bucket: "reports", Key: "q3\x1b.pdf", Storage: "main", Preset: "business",
		URL: "https://dl.example.com/gL7GirLNfjRUvzM7663PyG", Filename: "q3.pdf", Disposition: "attachment",
		CreatedBy: "ci", CreatedAt: modified, ExpiresAt: time.Now().Add(time.Hour), Clicks: 2, Pin: gateway.PinETag,
		Object: api.Object{Size: &size, ContentType: "application/pdf", LastModified: &modified, ETag: `"e"`},
		Note:   "a note", Labels: map[string]string{"team": "a", "case": "7"}, MaxClicks: new(int64(3)),
		Warnings: []api.Warning{{Code: "long", Message: "the link lives long"}},
	}
}

// has fails unless a text contains each of the parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// share prints only the URL to standard output, and everything that the operator has to
// check to standard error.
func TestShare(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	got := runOver(t, f, "share", "s3://reports/q3.pdf", "--expires", "1h", "--sensitive", "--label", "team=a",
		"--max-clicks", "3", "--inline", "--allow", "192.0.2.0/24", "--not-before", "2026-12-01T08:00:00Z", "--pin", "etag")
	if got.code != command.ExitOK || got.stdout != testLink().URL+"\n" {
		t.Fatalf("exit %d, %q, %s", got.code, got.stdout, got.stderr)
	}
	has(t, got.stderr, `Shared    s3://reports/q3\x1b.pdf`, "size      1.5 KiB (1536 bytes)", "saved as  q3.pdf",
		`pinned to ETag "e"`, "(as requested)", "for       anyone with the link", "uses      at most 3",
		"label     case=7", "warning   the link lives long (long)", "undo      keyhole revoke "+testID())
	body := f.requests[0].body
	for name, want := range map[string]any{
		"bucket": "reports", "key": "q3.pdf", "expires_in": "1h", "sensitive": true, "max_clicks": 3.0,
		"disposition": "inline", "not_before": "2026-12-01T08:00:00Z", "pin": "etag",
	} {
		if body[name] != want {
			t.Errorf("%s is %v, want %v", name, body[name], want)
		}
	}
	if f.requests[0].key != "Bearer khk_test" || f.requests[0].retry == "" {
		t.Errorf("sent %+v", f.requests[0])
	}
}

// With --quiet only the URL is printed, with --json only the response.
func TestShareForScripts(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	if got := runOver(t, f, "share", "s3://reports/q3.pdf", "--quiet"); got.stderr != "" ||
		got.stdout != testLink().URL+"\n" {
		t.Errorf("--quiet: %+v", got)
	}
	got := runOver(t, f, "share", "s3://reports/q3.pdf", "--quiet", "--json")
	var link api.Link
	if err := json.Unmarshal([]byte(got.stdout), &link); err != nil || link.ID != testID() || got.stderr != "" {
		t.Errorf("--json: %v, %+v", err, got)
	}
	ended := testLink()
	ended.State = "revoked"
	f = &fakeAPI{answers: map[string]any{"POST /api/v1/links": ended}}
	got = runOver(t, f, "share", "s3://reports/q3.pdf", "--quiet", "--idempotency-key", "a")
	has(t, got.stderr, "warning: an earlier request issued this link, and it is revoked")
}

// Each mistake in flags is refused before a request, with the value and what to do.
func TestShareRefusesFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--sensitive --not-sensitive":           "--sensitive and --not-sensitive cannot be combined",
		"--preset handoff --expires 1h":         "--preset and --expires cannot be combined",
		"--expires soon":                        `--expires: "soon" is not a duration`,
		"--preset handof":                       "did you mean handoff?",
		"--pin x":                               `--pin is "x", which is not a valid value`,
		"--reveal never":                        `--reveal is "never"`,
		"--reveal after":                        "--reveal after needs a passphrase",
		"--max-clicks 0":                        "--max-clicks must be at least 1",
		"--allow 10.0.0.0/33":                   "neither an address nor a network",
		"--not-before tomorrow":                 `"tomorrow" is not a time`,
		"--label x":                             `"x" is not a label`,
		"--label a=1 --label a=2":               `the label "a" is repeated`,
		"--idempotency-key \u00e9":              "1 to 128 printable ASCII characters",
		"--qr-file link.gif":                    "PNG or SVG",
		"--make-passphrase --passphrase-file x": "cannot be combined",
		"--make-passphrase --idempotency-key x": "cannot be combined",
		"--passphrase-file /does/not/exist":     "cannot read the passphrase file: no such file or directory",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, append([]string{"share", "s3://reports/a"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) || len(f.requests) > 0 {
			t.Errorf("%s: exit %d after %d requests: %s", args, got.code, len(f.requests), got.stderr)
		}
	}
}

// A refusal names flags instead of the API's fields, and what to do.
func TestShareIsRefused(t *testing.T) {
	t.Parallel()
	problem := func(code, field, message string) api.Problem {
		return api.Problem{
			Status: 422, Code: code, Detail: message,
			Errors: []api.FieldError{{Field: field, Code: code, Message: message}},
		}
	}
	for name, tt := range map[string]struct {
		problem api.Problem
		want    []string
	}{
		"too long": {
			problem("invalid", "expires_in", "expires_in is over the limit"), []string{"--expires: --expires is over"},
		},
		"no object": {
			problem("object_not_found", "key", "there is no such object"),
			[]string{"s3://reports/a/b: there is no such object", "list the objects: keyhole objects s3://reports/a/"},
		},
		"wrong key": {
			api.Problem{Status: 401, Code: "unauthorized", Detail: "the key is unknown"},
			[]string{"the key is unknown", "operator.keys", "KEYHOLE_KEY or with --key-file"},
		},
		"busy": {
			api.Problem{Status: 503, Code: "unavailable", Detail: "Redis is unreachable"},
			[]string{"repeat the command with --idempotency-key", "issues no second link"},
		},
	} {
		got := runOver(t, &fakeAPI{answers: map[string]any{"POST /api/v1/links": tt.problem}}, "share", "s3://reports/a/b")
		if got.code != command.ExitFailed || got.stdout != "" {
			t.Errorf("%s: %+v", name, got)
		}
		has(t, got.stderr, tt.want...)
	}
}

// A QR code is written into a file that only its owner can read.
func TestShareWritesQRFile(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	for name, begin := range map[string]string{"link.png": "\x89PNG", "link.svg": "<svg"} {
		path := filepath.Join(t.TempDir(), name)
		if got := runOver(t, f, "share", "s3://reports/a", "--qr-file", path); got.code != command.ExitOK {
			t.Fatalf("%+v", got)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), begin) {
			t.Errorf("%s: %.20q, %v", name, text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if got := runOver(t, f, "share", "s3://reports/a", "--qr-file",
		"/does/not/exist/a.png"); got.code != command.ExitUsage {
		t.Errorf("into a missing directory: %+v", got)
	}
}

func TestShowAndChange(t *testing.T) {
	t.Parallel()
	revoked := testLink()
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	revoked.State, revoked.RevokedAt, revoked.RevokedBy, revoked.RevokeReason = "revoked", &at, "ops", "wrong file"
	path := "/api/v1/links/" + testID()
	f := &fakeAPI{answers: map[string]any{"GET " + path: revoked, "PATCH " + path: testLink()}}
	got := runOver(t, f, "show", testID())
	has(t, got.stdout, "2026-11-02T00:00:00Z by ops", "wrong file", `s3://reports/q3\x1b.pdf`, "at most 3")
	got = runOver(t, f, "change", testID(), "--pause", "--note", "", "--expires", "2h", "--max-clicks", "9", "--no-labels")
	if got.code != command.ExitOK {
		t.Fatalf("%+v", got)
	}
	body := f.requests[1].body
	labels, ok := body["labels"].(map[string]any)
	if body["paused"] != true || body["note"] != "" || body["expires_in"] != "2h" || body["max_clicks"] != 9.0 || !ok ||
		len(labels) > 0 {
		t.Errorf("sent %v", body)
	}
	for args, want := range map[string]string{
		"--pause --resume":        "--pause and --resume cannot be combined",
		"--label a=1 --no-labels": "--label and --no-labels cannot be combined",
		"":                        "no change was requested", "--label x": "is not a label",
	} {
		got := runOver(t, f, append([]string{"change", testID()}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// Lists are tables, JSON or IDs. A list that is cut says so; an empty one, too.
func TestList(t *testing.T) {
	t.Parallel()
	const path = "GET /api/v1/links"
	page := api.LinkPage{Links: []api.Link{testLink()}, Next: "more"}
	got := runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--state", "active")
	has(t, got.stdout, "ID ", "STATE", testID(), `s3://reports/q3\x1b.pdf`)
	has(t, got.stderr, "There are more: use --limit 2, or --limit 0 for all.")
	got = runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--quiet")
	if got.stdout != testID()+"\n" {
		t.Errorf("--quiet prints %q", got.stdout)
	}
	empty := &fakeAPI{answers: map[string]any{
		path: api.LinkPage{}, "GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	if got := runOver(t, empty, "list"); got.code != command.ExitOK || got.stderr != "No links found.\n" {
		t.Errorf("an empty list: %+v", got)
	}
	got = runOver(t, empty, "list", "--bucket", "report")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "did you mean --bucket reports?") {
		t.Errorf("a mistyped bucket: %+v", got)
	}
	for args, want := range map[string]string{
		"--limit -1":         "--limit is -1; it must be 0 or more",
		"--state x":          `--state is "x"`,
		"--bucket s3://b/k":  "--bucket b --prefix k",
		"--prefix a --key b": "--prefix and --key cannot be combined",
		"--prefix s3://a/b":  "without its bucket",
		"--label x":          "is not a label",
	} {
		got := runOver(t, empty, append([]string{"list"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	size := int64(2048)
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Storage: "main", Bucket: "reports"}}},
		"GET /api/v1/objects": api.ObjectPage{
			Bucket: "reports", Folders: []string{"2026/"}, Objects: []api.ObjectEntry{{Key: "a.txt", Size: &size}},
		},
	}}
	has(t, runOver(t, f, "objects").stdout, "STORAGE", "main", "s3://reports")
	has(t, runOver(t, f, "objects", "s3://reports").stdout, "s3://reports/2026/", "2.0 KiB", "s3://reports/a.txt")
	for args, want := range map[string]string{
		"--search x":    "--search and --storage need a bucket",
		"s3://a s3://b": "only one bucket at a time",
		"reports":       "did you mean s3://reports?",
	} {
		got := runOver(t, f, append([]string{"objects"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

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

// revoke revokes the other links if one fails, and names each failure.
func TestRevoke(t *testing.T) {
	t.Parallel()
	revoked := testLink()
	revoked.State = "revoked"
	f := &fakeAPI{answers: map[string]any{"DELETE /api/v1/links/" + testID(): revoked}}
	other := strings.Repeat("b", 25) + "a"
	got := runOver(t, f, "revoke", other, testID(), "--reason", "wrong file")
	if got.code != command.ExitFailed || !strings.Contains(got.stdout, testID()+" revoked") {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "cannot revoke "+other, "check the ID of the link")
	for args, want := range map[string]string{
		"":                 "no links were named",
		"x":                "neither the ID nor the URL",
		"--all --bucket b": "--all cannot be combined with other filters",
		"--prefix a":       "--prefix and --key need a bucket", "--dry-run": "--dry-run and --yes need filters",
		testID() + " --all": "links and filters cannot be combined", testID() + " x": "argument 2: ",
	} {
		got := runOver(t, f, append([]string{"revoke"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	ready := api.Readiness{Ready: true, Redis: "ok", Storages: map[string]string{"main": "ok", "other": "denied"}}
	f := &fakeAPI{answers: map[string]any{"GET /readyz": ready, "GET /livez": map[string]bool{"alive": true}}}
	got := runOver(t, f, "health")
	if got.code != command.ExitOK || got.stdout != "redis    ok\nstorage  main: ok\nstorage  other: denied\nready\n" {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "warning: while a storage fails")
	got = runOver(t, &fakeAPI{answers: map[string]any{"GET /readyz": api.Readiness{Redis: "unavailable"}}}, "health")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "the service is not ready: Redis is unavailable") {
		t.Errorf("%+v", got)
	}
}

// A key file that everyone can read is used, with a warning; text that is not a key is
// neither sent nor printed.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := map[string]any{"GET /api/v1/links": api.LinkPage{}}
	f := &fakeAPI{answers: page}
	got := runOver(t, f, "list", "--key-file", write("open", "khk_file\n", 0o644))
	if got.code != command.ExitOK || f.requests[0].key != "Bearer khk_file" {
		t.Errorf("%+v, %+v", got, f.requests)
	}
	has(t, got.stderr, "warning: everyone on this machine can read the key file: chmod 600 ")
	for name, text := range map[string]string{
		"two": "khk_canary\nkhk_canary2\n", "url": "https://canary/", "empty": "", "binary": "canary\x00",
	} {
		f := &fakeAPI{answers: page}
		got := runOver(t, f, "list", "--key-file", write(name, text, 0o600))
		if got.code != command.ExitUsage || len(f.requests) > 0 || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v, %+v", name, got, f.requests)
		}
	}
}

// key new prints the secret to standard output and its hash to standard error.
func TestKeyNew(t *testing.T) {
	t.Parallel()
	got := runOver(t, &fakeAPI{}, "key", "new", "--name", "ci")
	if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, "khk_") ||
		strings.Contains(got.stderr, strings.TrimSpace(got.stdout)) {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "# Add this to operator.keys", "- name: ci", "sha256:", "can: [issue, read, revoke, browse]")
	if got := runOver(t, &fakeAPI{}, "key", "new", "--name", "a b"); got.code != command.ExitUsage {
		t.Errorf("a name with a space: %+v", got)
	}
}

// Completions for all shells are generated, and the ones of the service are escaped.
func TestCompletions(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := runOver(t, &fakeAPI{}, "completion", shell); got.code != command.ExitOK ||
			!strings.Contains(got.stdout, completionVariable) {
			t.Errorf("%s: exit %d, %s", shell, got.code, got.stderr)
		}
	}
	if got := runOver(t, &fakeAPI{}, "completion", "tcsh"); got.code != command.ExitUsage {
		t.Errorf("tcsh: %+v", got)
	}
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
		"GET /api/v1/objects": api.ObjectPage{Bucket: "reports", Objects: []api.ObjectEntry{{Key: "a"}, {Key: "$(id)"}}},
		"GET /api/v1/links":   api.LinkPage{Links: []api.Link{testLink()}},
	}}
	has(t, runOver(t, f, "__complete", "share", "").stdout, "s3://reports/")
	got := runOver(t, f, "__complete", "share", "s3://reports/")
	has(t, got.stdout, "s3://reports/a\n", "1 not offered")
	if strings.Contains(got.stdout, "$(id)") {
		t.Errorf("a key that a shell would run is offered: %s", got.stdout)
	}
	has(t, runOver(t, f, "__complete", "revoke", "").stdout, testID())
	has(t, runOver(t, f, "__complete", "list", "--bucket", "").stdout, "reports")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	env := command.Env{Stdout: &out, Build: command.Build{Version: "v1", Revision: "abc", GoVersion: "go1"}}
	if code := runCLI(t.Context(), []string{"version"}, env); code != command.ExitOK ||
		out.String() != "keyhole v1\nrevision abc\ngo1\n" {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

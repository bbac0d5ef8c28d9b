package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// After an answer of a proxy and after a failure of the service, the link may exist. After a
// refusal it does not.
func TestShareMayBeIssuedBehindAProxy(t *testing.T) {
	t.Parallel()
	for answer, may := range map[string]bool{
		"504 <html>":                                       true,
		`500 {"code":"internal","status":500}`:             true,
		`409 {"code":"idempotency_conflict","status":409}`: false,
		"404 <html>":                                       false,
	} {
		status, body, _ := strings.Cut(answer, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		var stderr bytes.Buffer
		got := runCLI(t.Context(), []string{"share", "s3://reports/file.txt", "--idempotency-key", "a b"}, command.Env{
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if says := strings.Contains(stderr.String(),
			"--idempotency-key 'a b': this issues no second link"); got != command.ExitFailed || says != may {
			t.Errorf("%s: it ends with %d:\n%s", answer, got, stderr.String())
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
		"--language de-AT":                      "--language is \"de-AT\", which is not a valid value",
		"--reveal never":                        `--reveal is "never"`,
		"--reveal after":                        "--reveal after needs a passphrase",
		"--reveal before":                       "--reveal before needs a passphrase",
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

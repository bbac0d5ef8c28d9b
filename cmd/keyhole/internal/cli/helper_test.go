package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
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
	answers map[string]any // "GET /api/v1/links": a value, or a function of the body

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
	found := f.answers[r.Method+" "+r.URL.Path]
	if answer, ok := found.(func(map[string]any) any); ok {
		found = answer(request.body)
	}
	switch answer := found.(type) {
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

// wireAnswer is an answer as it goes over the network. It comes from a service, from a proxy
// before it, or from another server.
type wireAnswer struct {
	status int // 0: 200
	body   string
	cut    bool // the connection ends before the body is complete
}

// ServeHTTP answers every request in the same way. The address of a redirect must never be
// requested.
func (a wireAnswer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", "http://canary.invalid/")
	if a.cut {
		w.Header().Set("Content-Length", "100000")
	}
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = io.WriteString(w, a.body) // the client may have hung up
}

// result is what a command printed and how it ended.
type result struct {
	code           int
	stdout, stderr string
}

// runOver runs a command against an operator API.
func runOver(t *testing.T, f *fakeAPI, args ...string) result {
	t.Helper()
	return runWith(t, f, nil, args...)
}

// runWith is runOver with further variables.
func runWith(t *testing.T, f *fakeAPI, environ []string, args ...string) result {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Environ: append([]string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL}, environ...),
	})
	return result{code, stdout.String(), stderr.String()}
}

// inTime runs a command that waits for the service only a moment: completion, help, the question
// of share. A busy machine makes the service late, so the command runs again while its output
// lacks a text that only the service knows.
func inTime(want string, run func() result) (got result) {
	for range 5 {
		if got = run(); strings.Contains(got.stdout+got.stderr, want) {
			break
		}
	}
	return got
}

// completed is runOver for a completion that offers a text.
func completed(t *testing.T, f *fakeAPI, want string, args ...string) result {
	t.Helper()
	return inTime(want, func() result { return runOver(t, f, append([]string{"__complete"}, args...)...) })
}

// untilAsked runs a command until its request reaches a service that does not answer. On a busy
// machine the command can give up before it asks.
func untilAsked(t *testing.T, asked <-chan struct{}, run func()) {
	t.Helper()
	for range 5 {
		run()
		select {
		case <-asked:
			return
		case <-time.After(5 * time.Second):
		}
	}
	t.Error("the service was not asked")
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

// runCLI runs one command of package cli and returns its exit code.
func runCLI(ctx context.Context, args []string, env command.Env) int {
	return Run(ctx, NewRoot(&env), args, &env)
}

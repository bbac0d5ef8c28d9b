package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// inTurn is an operator API that gives its answers one after another, and the last one to
// further requests, of which it refuses too many. It records the requests.
type inTurn struct {
	answers []wireAnswer

	mu       sync.Mutex
	requests []fakeRequest
}

func (s *inTurn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := fakeRequest{line: r.Method + " " + r.URL.RequestURI()}
	_ = json.NewDecoder(r.Body).Decode(&request.body) // a GET has no body
	s.mu.Lock()
	answer := s.answers[min(len(s.requests), len(s.answers)-1)]
	if len(s.requests) > 4*len(s.answers) {
		answer = wireAnswer{401, `{"status":401,"code":"unauthorized","detail":"asked without end"}`, false}
	}
	s.requests = append(s.requests, request)
	s.mu.Unlock()
	answer.ServeHTTP(w, r)
}

// runAgainst runs a command against a service that is given as a handler. The address of
// the service, which changes with each run, reads ADDRESS in what the command printed.
func runAgainst(t *testing.T, service http.Handler, args ...string) result {
	t.Helper()
	server := httptest.NewServer(service)
	defer server.Close()
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	return result{code, stdout.String(), strings.ReplaceAll(stderr.String(), server.URL, "ADDRESS")}
}

// Each failure of the service has one message and one hint in all commands that read lists.
// Nothing goes to standard output, so that a script reads no half of a list.
func TestFailuresOfLists(t *testing.T) {
	t.Parallel()
	const wrongServer = "  is this the operator address (--operator-url, KEYHOLE_OPERATOR_URL or the context), " +
		"not the address for recipients?\n"
	for name, tt := range map[string]struct {
		answer wireAnswer
		want   string
	}{
		"a wrong key": {
			wireAnswer{401, `{"status":401,"code":"unauthorized","detail":"the key is unknown"}`, false},
			"keyhole: the key is unknown\n  use a key that is listed in the service's operator.keys; " +
				"pass it in KEYHOLE_KEY or with --key-file (keyhole key new creates one)\n",
		},
		"too many requests": {
			wireAnswer{429, `{"status":429,"code":"rate_limited","detail":"too many failures"}`, false},
			"keyhole: too many failures\n  try again in a minute; if the key is refused, check it\n",
		},
		"an outage": {
			wireAnswer{503, `{"status":503,"code":"unavailable","detail":"Redis is away","request_id":"r7"}`, false},
			"keyhole: Redis is away\n  try again in a few seconds; keyhole health and, where the service runs, " +
				"keyhole doctor find the cause\n  request id: r7 (the log of the service has it)\n",
		},
		"a code of a later version": {
			wireAnswer{451, `{"status":451,"code":"withheld","detail":"a judge said so\u001b"}`, false},
			`keyhole: a judge said so\x1b` + "\n  try again; if it fails again, see the service's log\n",
		},
		"refused fields": {
			wireAnswer{422, `{"status":422,"code":"invalid","detail":"see errors","errors":[` +
				`{"field":"limit","code":"invalid","message":"is odd"},{"field":"cursor","message":"is old"}]}`, false},
			"keyhole: limit: is odd; cursor: is old\n  correct the values named above and try again\n",
		},
		"a proxy": {
			wireAnswer{502, "<html>bad gateway", false},
			"keyhole: ADDRESS answers 502 Bad Gateway: the answer is not from Keyhole's operator API but from a proxy " +
				"in front of it\n" + wrongServer,
		},
		"another server": {
			wireAnswer{404, "404 page not found\n", false},
			"keyhole: ADDRESS answers 404 Not Found: the answer is not from Keyhole's operator API\n" + wrongServer,
		},
		"no JSON": {
			wireAnswer{200, "<html>hello", false},
			"keyhole: the answer is not from Keyhole's operator API: invalid character '<' looking for beginning of value\n" +
				wrongServer,
		},
		"an empty answer": {
			wireAnswer{200, "", false}, "keyhole: the answer is not from Keyhole's operator API: EOF\n" + wrongServer,
		},
		"a cut answer": {
			wireAnswer{200, `{"links":[{"id":"a"`, true},
			"keyhole: the answer broke off: unexpected EOF\n  the request may have succeeded: check before you repeat it\n",
		},
	} {
		for _, args := range []string{
			"list", "list --ndjson", "list --quiet", "audit", "audit --json", "audit --ndjson", "events " + testID(),
			"events --ndjson " + testID(), "objects", "objects s3://reports --ndjson",
		} {
			got := runAgainst(t, &inTurn{answers: []wireAnswer{tt.answer}}, strings.Fields(args)...)
			if got != (result{command.ExitFailed, "", tt.want}) {
				t.Errorf("%s, %s: %+v, want %s", name, args, got, tt.want)
			}
		}
	}
}

// A service that is not there is named with its address, and the hint says how to look for
// the cause.
func TestListsWithoutAService(t *testing.T) {
	t.Parallel()
	const nowhere = "http://127.0.0.1:1"
	for _, args := range []string{
		"list", "audit", "events " + testID(), "objects", "revoke --all", "audit erase --link " + testID(),
	} {
		var stdout, stderr strings.Builder
		code := runCLI(t.Context(), strings.Fields(args), command.Env{
			Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + nowhere},
		})
		if code != command.ExitFailed || stdout.Len() > 0 {
			t.Errorf("%s: exit %d, %s", args, code, &stdout)
		}
		has(t, stderr.String(), "keyhole: the service cannot be reached at "+nowhere+": ", "\n  is the service running, ",
			"keyhole doctor --client finds the cause\n")
	}
}

// If a later page fails, the command fails. Tables and documents need all pages, so nothing
// of them is printed; lines were printed with their pages and stay.
func TestFailuresOfLaterPages(t *testing.T) {
	t.Parallel()
	down := wireAnswer{503, `{"status":503,"code":"unavailable","detail":"Redis is away"}`, false}
	page := func(value any) wireAnswer {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return wireAnswer{body: string(text)}
	}
	links := page(api.LinkPage{Links: []api.Link{testLink()}, Next: "more"})
	events := page(api.EventPage{Events: []api.Event{testEvent("issued")}, Next: "more", More: true})
	objects := page(api.ObjectPage{Bucket: "reports", Folders: []string{"2026/"}, Next: "more"})
	for args, tt := range map[string]struct {
		first wireAnswer
		lines int // printed before the failure
	}{
		"list": {links, 0}, "list --json": {links, 0}, "list --quiet": {links, 0}, "list --ndjson": {links, 1},
		"audit": {events, 0}, "audit --json": {events, 0}, "audit --ndjson": {events, 1},
		"audit --ndjson --oldest": {events, 1},
		"objects s3://reports":    {objects, 0}, "objects s3://reports --json": {objects, 0},
	} {
		service := &inTurn{answers: []wireAnswer{tt.first, down}}
		got := runAgainst(t, service, append(strings.Fields(args), "--limit", "0")...)
		if got.code != command.ExitFailed || strings.Count(got.stdout, "\n") != tt.lines || len(service.requests) != 2 {
			t.Errorf("%s: %+v after %d requests", args, got, len(service.requests))
		}
		if !strings.HasPrefix(got.stderr, "keyhole: Redis is away\n") || strings.Contains(got.stderr, "There ") {
			t.Errorf("%s: %q", args, got.stderr)
		}
		if last := service.requests[len(service.requests)-1].line; !strings.Contains(last, "cursor=more") {
			t.Errorf("%s: the second request is %s", args, last)
		}
	}
}

// fullDisk is standard output on a disk without space.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A command whose result cannot be written fails: a script must not take an empty file for
// an empty list, or for a report of what was revoked or erased.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	f := listAPI()
	f.answers["POST /api/v1/audit/erasures"] = api.Erasure{FeedEvents: 1, Done: true, Remains: []api.Note{{Message: "m"}}}
	f.answers["GET /api/v1/links/"+testID()] = testLink() // --follow asks whether it exists
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	for _, args := range []string{
		"list", "list --wide", "list --quiet", "list --json", "list --ndjson", "audit", "audit --json", "audit --ndjson",
		"audit --follow", "audit --follow --ndjson", "audit --follow --json --since 1h", "events " + testID(),
		"events --json " + testID(), "events --follow " + testID(), "objects", "objects --json", "objects s3://reports",
		"objects s3://reports --ndjson", "revoke --all", "revoke --all --json", "revoke --all --dry-run",
		"revoke " + testID(), "revoke --json " + testID(), "revoke --ndjson " + testID(),
		"audit erase --link " + testID(), "audit erase --json --link " + testID(),
	} {
		var stderr strings.Builder
		code := runCLI(t.Context(), strings.Fields(args), command.Env{
			Stdin: strings.NewReader(""), Stdout: fullDisk{}, Stderr: &stderr,
			Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL},
		})
		if code != command.ExitFailed || !strings.Contains(stderr.String(), "no space left on device\n") {
			t.Errorf("%s: exit %d, %q", args, code, stderr.String())
		}
	}
}

// The key of a command may come from a file. A mistake in the file is reported before a
// request is sent, and the error does not contain the text of the file.
func TestListsWithWrongKeyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"two": "khk_one\nkhk_two\n", "url": "https://secret.example.com/\n"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := listAPI()
	for _, args := range []string{
		"list", "audit", "events " + testID(), "objects", "objects s3://reports", "revoke --all", "revoke " + testID(),
		"audit erase --address 192.0.2.7",
	} {
		for file, want := range map[string]string{
			"two":    "keyhole: the key file " + dir + "/two does not contain exactly one operator key\n",
			"url":    "keyhole: the key file " + dir + "/url does not contain exactly one operator key\n",
			"absent": "keyhole: cannot read the key file: ",
		} {
			got := runOver(t, f, append(strings.Fields(args), "--key-file", dir+"/"+file)...)
			if got.code != command.ExitUsage || got.stdout != "" || !strings.HasPrefix(got.stderr, want) ||
				strings.Contains(got.stderr, "khk_one") || strings.Contains(got.stderr, "secret") {
				t.Errorf("%s with the file %s: %+v", args, file, got)
			}
		}
	}
	if len(f.requests) > 0 {
		t.Errorf("sent %d requests", len(f.requests))
	}
}

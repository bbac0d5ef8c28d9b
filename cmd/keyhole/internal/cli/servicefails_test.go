package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

// runOverHandler runs a command against a server that answers every request in the same way.
func runOverHandler(t *testing.T, answer http.HandlerFunc, args ...string) result {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	got := runAs(t, "", []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=" + server.URL}, args...)
	got.stderr = strings.ReplaceAll(got.stderr, server.URL, "URL")
	return got
}

// answerText returns a server that answers with a text, a status and a length of its body
// (0: the right one).
func answerText(status int, media, text string, length int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		if length > 0 {
			w.Header().Set("Content-Length", fmt.Sprint(length))
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

// refusingWith returns a service that refuses every request.
func refusingWith(p api.Problem) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p)
	}
}

// brokenServices returns servers that answer in ways that no service does.
func brokenServices() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"a web page":     answerText(200, "text/html", "<html>canary", 0),
		"a proxy":        answerText(502, "text/html", "<html>canary", 0),
		"no JSON":        answerText(200, api.MediaType, "{id: canary}", 0),
		"another JSON":   answerText(200, api.MediaType, `["canary"]`, 0),
		"nothing":        answerText(200, api.MediaType, "", 0),
		"a cut answer":   answerText(200, api.MediaType, `{"id":"canary`, 0),
		"a short answer": answerText(200, api.MediaType, `{"id":"canary`, 1000),
		"a login page": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/canary", http.StatusFound)
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
}

// show says what is wrong with an answer that it cannot use. It prints nothing of it to
// standard output, where a script would take it for a link.
func TestShowOfBrokenServices(t *testing.T) {
	t.Parallel()
	const other = "is this the operator address"
	want := map[string][2]string{
		"a web page":     {"the answer is not from Keyhole's operator API", other},
		"a proxy":        {"URL answers 502 Bad Gateway: the answer is not from Keyhole's operator API", other},
		"no JSON":        {"the answer is not from Keyhole's operator API", other},
		"another JSON":   {"the answer is not from Keyhole's operator API", other},
		"nothing":        {"the answer is not from Keyhole's operator API", other},
		"a cut answer":   {"the answer broke off", "the request may have succeeded: check before you repeat it"},
		"a short answer": {"the answer broke off", "the request may have succeeded: check before you repeat it"},
		"a login page":   {"URL answers 302 Found: the answer is not from Keyhole's operator API", other},
		"no answer":      {"the service cannot be reached at URL", "is the service running"},
	}
	for name, answer := range brokenServices() {
		for _, args := range [][]string{{"show", testID()}, {"show", testID(), "--json"}} {
			got := runOverHandler(t, answer, args...)
			if got.code != command.ExitFailed || got.stdout != "" || strings.Contains(got.stderr, "canary") ||
				!strings.HasPrefix(got.stderr, "keyhole: "+want[name][0]) ||
				!strings.Contains(got.stderr, "\n  "+want[name][1]) {
				t.Errorf("%s: %+v, want %q", name, got, want[name])
			}
		}
	}
}

// Each refusal has its own hint. What the service says is escaped.
func TestShowIsRefused(t *testing.T) {
	t.Parallel()
	for code, tt := range map[gateway.Code]struct {
		status int
		hint   string
	}{
		gateway.CodeUnauthorized: {401, "KEYHOLE_KEY or with --key-file (keyhole key new creates one)"},
		gateway.CodeForbidden:    {403, `extend this key's "can"`},
		gateway.CodeNotFound:     {404, "keyhole list shows the links that this key may see"},
		gateway.CodeAmbiguous:    {409, "give more characters of the ID"},
		gateway.CodeRateLimited:  {429, "try again in a minute"},
		"internal":               {500, "request id: r7 (the log of the service has it)"},
		gateway.CodeUnavailable:  {503, "keyhole doctor find the cause\n  request id: r7"},
		"of_a_newer_service":     {418, "try again; if it fails again, see the service's log"},
	} {
		got := runOverHandler(t, refusingWith(api.Problem{
			Status: tt.status, Code: string(code), Detail: "no\x1b[2J", RequestID: "r7",
		}), "show", testID(), "--json")
		problem := `no\x1b[2J`
		if code == gateway.CodeNotFound {
			problem = "link " + testID() + ": " + problem
		}
		if got.code != command.ExitFailed || got.stdout != "" || strings.Contains(got.stderr, "\x1b") ||
			!strings.HasPrefix(got.stderr, "keyhole: "+problem+"\n  ") || !strings.Contains(got.stderr, tt.hint) {
			t.Errorf("%s: %+v, want %q", code, got, tt.hint)
		}
		// A person asks the administrator about failures of the service, not about refusals.
		if strings.Contains(got.stderr, "r7") != (tt.status >= 500) {
			t.Errorf("%s: the request id: %s", code, got.stderr)
		}
	}
}

// show prints every property that a link has, in this order, and leaves out those that it
// has not.
func TestShowProperties(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	bare := api.Link{
		ID: testID(), State: "active", Bucket: "b", Key: "k", Storage: "main", Preset: "custom", Filename: "k",
		Disposition: "inline", CreatedBy: "ci", CreatedAt: at, ExpiresAt: at.Add(time.Hour), Pin: gateway.PinNone,
	}
	full := bare
	full.State, full.Sensitive, full.MaxClicks, full.Passphrase = "revoked", new(true), new(int64(1)), true
	full.Reveal, full.NotBefore = gateway.RevealAfter, new(at.Add(time.Minute))
	full.Allow = []string{"192.0.2.0/24", "::1"}
	full.Language, full.Note, full.LastUsedAt = "de", "two\nlines", new(at.Add(2*time.Minute))
	full.Labels = map[string]string{"z": "1", "a": "2"}
	full.RevokedAt, full.RevokedBy, full.RevokeReason = new(at.Add(3*time.Minute)), "ann", "sent to\x1b the wrong person"
	common := []string{
		"id " + testID(), "state active", "object s3://b/k", "storage main", "size -", "type -", "modified -",
		"pinned to nothing: each download gets the object that has this key at that time", "saved as k (inline)",
		"created 2026-11-01T00:00:00Z by ci", "expires 2026-11-01T01:00:00Z (custom)", "sensitive not stated", "clicks 0",
		"last used never",
	}
	revoked := append([]string{common[0], "state revoked"}, common[2:]...)
	revoked[11], revoked[13] = "sensitive yes", "last used 2026-11-01T00:02:00Z"
	revoked = append(revoked, "uses at most 1", "asks for a passphrase; until then the page shows nothing about the file",
		"shows a page first; only its button uses up the link", "begins 2026-11-01T00:01:00Z",
		"only from 192.0.2.0/24, ::1", "language German (de)", `note two\nlines`, "label a=2", "label z=1",
		"revoked 2026-11-01T00:03:00Z by ann", `reason sent to\x1b the wrong person`)
	for name, tt := range map[string]struct {
		link api.Link
		want []string
	}{"bare": {bare, common}, "full": {full, revoked}} {
		loopback := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
		f := &fakeAPI{answers: map[string]any{"GET /api/v1/links/" + testID(): tt.link}}
		got := runOver(t, f, "show", testID())
		if got.code != command.ExitOK || got.stderr != "" || len(f.requests) != 2 { // the link and its events
			t.Errorf("%s: %+v after %d requests", name, got, len(f.requests))
		}
		var lines []string
		tt.want = append(slices.Clone(tt.want), "console URL/console/links/"+testID())
		got.stdout = loopback.ReplaceAllString(got.stdout, "URL")
		for line := range strings.Lines(got.stdout) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		if want := strings.Join(tt.want, "\n"); strings.Join(lines, "\n") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(lines, "\n"), want)
		}
	}
}

// A completion against a service that fails prints only its directive, whatever the failure.
func TestCompletionsOfBrokenServices(t *testing.T) {
	t.Parallel()
	broken := brokenServices()
	for _, status := range []int{401, 403, 404, 429, 500, 503} {
		broken[fmt.Sprint(status)] = refusingWith(api.Problem{Status: status, Code: "canary", Detail: "canary"})
	}
	for name, answer := range broken {
		for _, args := range []string{
			"show", "revoke", "list --bucket", "list --label", "list --created-by", "audit erase --link", "audit --object",
		} {
			got := runOverHandler(t, answer, append(append([]string{"__complete"}, strings.Fields(args)...), "")...)
			if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, ":") ||
				strings.Contains(got.stdout+got.stderr, "canary") || strings.Contains(got.stderr, "keyhole:") {
				t.Errorf("%s of %s: %+v", args, name, got)
			}
		}
	}
}

// A completion sends one request for one page, with the key, and offers nothing else.
func TestCompletionsSendOneRequest(t *testing.T) {
	t.Parallel()
	var links []api.Link
	for _, first := range []byte{0, 100, 200} {
		links = append(links, api.Link{ID: gateway.ID{first}.String(), State: "active", Bucket: "b", Key: "k"})
	}
	page := api.LinkPage{Links: links, Next: "more"}
	for args, want := range map[string]struct{ line, stdout string }{
		"show " + links[1].ID[:3]: {"GET /api/v1/links?limit=100", links[1].ID + "\ts3://b/k\n:4\n"},
		"show zzz":                {"GET /api/v1/links?limit=100", ":4\n"},
		"audit --object s3://b/2026/q": {
			"GET /api/v1/objects?bucket=b&limit=100&prefix=2026%2Fq", "s3://b/2026/q3.pdf\n:4\n",
		},
		"audit --bucket x": {"GET /api/v1/buckets", "xyz\n:4\n"},
	} {
		var f *fakeAPI
		var got result
		for range 5 { // The first request can be too late on a busy machine.
			f = &fakeAPI{answers: map[string]any{
				"GET /api/v1/links":   page,
				"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "xyz"}}},
				"GET /api/v1/objects": api.ObjectPage{
					Bucket: "b", Objects: []api.ObjectEntry{{Key: "2026/q3.pdf"}}, Next: "more",
				},
			}}
			got = runOver(t, f, append([]string{"__complete"}, strings.Fields(args)...)...)
			if got.stdout == want.stdout && len(f.requests) > 0 {
				break
			}
		}
		if got.stdout != want.stdout || len(f.requests) != 1 || f.requests[0].line != want.line ||
			f.requests[0].key != "Bearer khk_test" {
			t.Errorf("%s: %+v, sent %+v", args, got, f.requests)
		}
	}
}

// Names that a script of an earlier version would not escape are counted, with what to do;
// this version's scripts get them. What a terminal would obey is never offered.
func TestCompletionsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/objects": api.ObjectPage{
		Bucket: "b", Objects: []api.ObjectEntry{{Key: "a"}, {Key: "$(id)"}, {Key: "it's"}, {Key: "x\x1b[2J"}},
	}}}
	const help = "_activeHelp_ "
	for variable, want := range map[string]string{
		"": "s3://b/a\n" + help + "3 not offered: generate the completion script again, because this one is from an " +
			"earlier version\n:4\n",
		completionVariable + "=escaped": "s3://b/a\ns3://b/$(id)\ns3://b/it's\n" + help +
			"1 not offered: the names contain characters that a terminal cannot show\n:4\n",
	} {
		run := func() result { return runWith(t, f, []string{variable}, "__complete", "share", "s3://b/") }
		if got := inTime(want, run); got.stdout != want {
			t.Errorf("%s: got %q, want %q", variable, got.stdout, want)
		}
	}
}

// A completion for a flag that does not exist is a mistake of the program, which must not
// go unnoticed.
func TestCompletionOfAMissingFlag(t *testing.T) {
	t.Parallel()
	defer func() {
		if recovered := recover(); !strings.Contains(fmt.Sprint(recovered), "no-such-flag") {
			t.Errorf("got %v", recovered)
		}
	}()
	completeNames(&cobra.Command{Use: "x"}, "no-such-flag", []string{"a"})
	t.Error("the completion was accepted")
}

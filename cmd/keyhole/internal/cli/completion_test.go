package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
	"keyhole/gateway/api"
)

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
	has(t, completed(t, f, "s3://reports/", "share", "").stdout, "s3://reports/")
	got := completed(t, f, "s3://reports/a", "share", "s3://reports/")
	has(t, got.stdout, "s3://reports/a\n", "1 not offered")
	if strings.Contains(got.stdout, "$(id)") {
		t.Errorf("a key that a shell would run is offered: %s", got.stdout)
	}
	has(t, completed(t, f, testID(), "revoke", "").stdout, testID())
	has(t, completed(t, f, "reports", "list", "--bucket", "").stdout, "reports")
}

// Scripts of earlier versions do not escape, so they get only names that no shell
// interprets. This version's scripts get everything that a terminal can show.
func TestUnfitForPrompt(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ unescaped, escaped bool }{
		"s3://reports/a b.pdf":       {true, true},
		"s3://reports/größe,+=%@-_.": {true, true},
		"s3://reports/日本語":           {true, true},
		"s3://reports/$(id)":         {false, true},
		"s3://reports/`id`":          {false, true},
		"s3://reports/a;b":           {false, true},
		"s3://reports/it's":          {false, true},
		"s3://reports/a\x1b[2J":      {false, false},
		"s3://reports/a\nb":          {false, false},
		"s3://reports/\u202ea":       {false, false},
		"s3://reports/\xff":          {false, false},
		// Only the part before the tab is inserted.
		"id\ts3://reports/$(id)": {true, true},
	} {
		if got := !unfitForPrompt(false)(name); got != tt.unescaped {
			t.Errorf("%q, unescaped: offered %v", name, got)
		}
		if got := !unfitForPrompt(true)(name); got != tt.escaped {
			t.Errorf("%q, escaped: offered %v", name, got)
		}
	}
}

// A failure offers nothing and prints nothing: a prompt is no place for errors.
func TestCompletionsOfAServiceThatFails(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{} // answers 404
	for _, args := range [][]string{
		{"share", ""}, {"share", "s3://reports/"}, {"revoke", ""}, {"show", ""}, {"list", "--bucket", ""},
	} {
		got := runOver(t, f, append([]string{"__complete"}, args...)...)
		if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, ":") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), []string{"__complete", "show", ""}, command.Env{Stdout: &stdout, Stderr: &stderr})
	if code != command.ExitOK || strings.Contains(stdout.String()+stderr.String(), "no operator key") {
		t.Errorf("without a key: exit %d, %s%s", code, stdout.String(), stderr.String())
	}
}

// Only links that can still be changed are offered to change and revoke; show offers all.
func TestCompletionsOfLinks(t *testing.T) {
	t.Parallel()
	var links []api.Link
	for i, state := range []gateway.State{
		gateway.StateActive, gateway.StatePaused, gateway.StateNotYet, gateway.StateExpired, gateway.StateRevoked,
	} {
		links = append(links, api.Link{ID: gateway.ID{byte(i + 1)}.String(), State: string(state), Bucket: "b", Key: "k\x1b"})
	}
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{Links: links}}}
	for name, want := range map[string]int{"show": 5, "events": 5, "revoke": 3, "change": 3} {
		got := completed(t, f, "s3://b/k", name, "")
		if n := strings.Count(got.stdout, `s3://b/k\x1b`); n != want {
			t.Errorf("%s offers %d links, want %d:\n%s", name, n, want, got.stdout)
		}
	}
	got := completed(t, f, links[3].ID, "show", links[3].ID[:2])
	has(t, got.stdout, links[3].ID)
}

// Buckets are offered until one is complete; folders keep the cursor behind the slash.
func TestCompletionsOfObjects(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "b"}, {Bucket: "a"}, {Bucket: "a"}}},
		"GET /api/v1/objects": api.ObjectPage{
			Bucket: "a", Folders: []string{"2026/"}, Objects: []api.ObjectEntry{{Key: "x"}},
		},
	}}
	for typed, want := range map[string]string{
		"":        "s3://a/\ns3://b/\n:6\n",
		"s3:":     "s3://a/\ns3://b/\n:6\n",
		"s3://a":  "s3://a/\ns3://b/\n:6\n",
		"s3://a/": "s3://a/2026/\ns3://a/x\n:6\n",
	} {
		got := completed(t, f, want, "objects", typed)
		if got.stdout != want {
			t.Errorf("%q: got %q, want %q", typed, got.stdout, want)
		}
	}
	got := runOver(t, f, "__complete", "list", "--state", "")
	for _, state := range gateway.States() {
		has(t, got.stdout, string(state))
	}
}

// A service that does not answer holds up a prompt for a moment only, and nothing is
// offered.
func TestCompletionOfSilentService(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 5)
	untilAsked(t, ended, func() {
		started := time.Now()
		got := runOverHandler(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done() // until the completion gives up
			ended <- struct{}{}
		}, "__complete", "list", "--bucket", "")
		if took := time.Since(started); got.code != command.ExitOK || got.stdout != ":4\n" || took < completionTimeout {
			t.Errorf("after %s: %+v", took, got)
		}
	})
}

// A completion uses the sources of keys that the command would use, and warns of nothing.
func TestCompletionUsesFlags(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	file := secretFile(t, "khk_of_the_file\n")
	// The command itself warns of such a file.
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, environ := range [][]string{nil, {"KEYHOLE_CONTEXT=prod", "KEYHOLE_KEY=khk_other"}} {
		got := inTime("reports", func() result {
			return runAs(t, "", environ, "__complete", "list", "--operator-url", server.URL, "--key-file", file, "--bucket", "")
		})
		if got.code != command.ExitOK || got.stdout != "reports\n:4\n" || strings.Contains(got.stderr, "warning") {
			t.Errorf("%q: %+v", environ, got)
		}
	}
	for _, r := range f.requests {
		if r.key != "Bearer khk_of_the_file" {
			t.Errorf("sent the key %q", r.key)
		}
	}
	sent := len(f.requests)
	// Without the file there is no key, so nothing is sent and nothing is said.
	got := runAs(t, "", nil, "__complete", "list", "--operator-url", server.URL, "--key-file", file+".no", "--bucket", "")
	if got.code != command.ExitOK || got.stdout != ":4\n" || strings.Contains(got.stderr, "keyhole:") ||
		sent < 2 || len(f.requests) != sent {
		t.Errorf("without a key: %+v after %d requests", got, len(f.requests))
	}
}

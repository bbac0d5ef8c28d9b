package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// The image's check names no address: it asks where the configuration says.
func TestHealthURL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const common = "public: { url: https://dl.example.com }\npages: { organization: Example }\n" +
		"storage: [{ name: main, region: eu-west-1, buckets: " +
		"[reports] }]\n" +
		"operator: { listen: \":28081\", url: https://ops.example.com, keys: [{ name: ci, sha256: " +
		"486d346dbf49ef3f213b827d7b7b56b704cb6de88bd9675c75abf63066e819a8, can: [read] }] }\n"
	plainFile, apart := write("plain.yaml", common), write("apart.yaml", common+"metrics: { listen: \"[::]:29090\" }\n")
	unusable := write("unusable.yaml", common+"redis: { password_file: missing }\n")
	for _, tt := range []struct {
		name, path, variable, want string
	}{
		{"no configuration", "", "KEYHOLE_METRICS_LISTEN=:29091", ""},
		{"the operator listener", plainFile, "", "http://127.0.0.1:28081"},
		{
			"the operator listener of a variable", plainFile, "KEYHOLE_OPERATOR_LISTEN=127.0.0.2:28082",
			"http://127.0.0.2:28082",
		},
		{"metrics apart", apart, "", "http://127.0.0.1:29090"},
		{"metrics apart by a variable", plainFile, "KEYHOLE_METRICS_LISTEN=:29091", "http://127.0.0.1:29091"},
		{"a secret that cannot be read", unusable, "", ""},
		{"a file that is missing", filepath.Join(dir, "missing"), "", ""},
	} {
		env := &command.Env{Environ: []string{"KEYHOLE_CONFIG=" + tt.path, tt.variable}}
		if got := healthURL(env); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Another server is told from a service that is not ready.
func TestHealthOfAnotherServer(t *testing.T) {
	t.Parallel()
	another := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>")
	}))
	t.Cleanup(another.Close)
	var out bytes.Buffer
	code := runCLI(t.Context(), []string{"health", "--url", another.URL}, command.Env{Stdout: &out, Stderr: &out})
	if code != command.ExitFailed || !strings.Contains(out.String(), "not from Keyhole's operator API") ||
		!strings.Contains(out.String(), "\n  set --url to the operator address") {
		t.Errorf("exit %d, %s", code, out.String())
	}
}

// A mistyped --url is wrong usage, and the hint names the flag that was given.
func TestHealthOfNoAddress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := runCLI(t.Context(), []string{"health", "--url", "127.0.0.1:8081"}, command.Env{Stdout: &out, Stderr: &out})
	if code != command.ExitUsage || !strings.Contains(out.String(), "\n  set --url or KEYHOLE_OPERATOR_URL to a URL") ||
		!strings.HasPrefix(out.String(), `keyhole: --url is "127.0.0.1:8081": not the address`) {
		t.Errorf("exit %d, %s", code, out.String())
	}
}

// A key that is not UTF-8 is wrong usage: nothing is sent.
func TestShareOfWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := runCLI(t.Context(), []string{"share", "s3://reports/a\x9b"},
		command.Env{Stdout: &out, Stderr: &out, Environ: []string{"KEYHOLE_KEY=khk_test"}})
	if code != command.ExitUsage || !strings.Contains(out.String(), "not valid UTF-8") ||
		!strings.Contains(out.String(), "\n  write it in UTF-8") {
		t.Errorf("exit %d, %q", code, out.String())
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

// --live asks only whether the process responds, so an outage of Redis restarts nothing.
func TestHealthLive(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"GET /livez": map[string]bool{"alive": true}}}
	got := runOver(t, f, "health", "--live")
	if got.code != command.ExitOK || got.stdout != "alive\n" || got.stderr != "" || len(f.requests) != 1 {
		t.Errorf("%+v after %d requests", got, len(f.requests))
	}
	// The check needs no key, so it sends none.
	if f.requests[0].line != "GET /livez" || f.requests[0].key != "" {
		t.Errorf("sent %+v", f.requests[0])
	}
	if got := runOver(t, f, "health"); got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("not ready: %+v", got)
	}
}

// If nothing listens, the hint names --url, because health has no --operator-url.
func TestHealthOfNothing(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"health"}, {"health", "--live"}} {
		var stdout, stderr strings.Builder
		args = append(args, "--url", "http://127.0.0.1:1")
		code := runCLI(t.Context(), args, command.Env{Stdout: &stdout, Stderr: &stderr})
		if code != command.ExitFailed || stdout.Len() > 0 ||
			!strings.Contains(stderr.String(), "\n  is the service running, and is --url its metrics.listen") {
			t.Errorf("%q: exit %d, %s%s", args, code, stdout.String(), stderr.String())
		}
	}
}

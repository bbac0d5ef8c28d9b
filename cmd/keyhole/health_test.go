package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	const common = "public: { url: https://dl.example.com }\nstorage: [{ name: main, region: eu-west-1, buckets: [reports] }]\n" +
		"operator: { listen: \":28081\", url: https://ops.example.com, keys: [{ name: ci, sha256: " +
		"486d346dbf49ef3f213b827d7b7b56b704cb6de88bd9675c75abf63066e819a8, can: [read] }] }\n"
	plainFile, apart := write("plain.yaml", common), write("apart.yaml", common+"metrics: { listen: \"[::]:29090\" }\n")
	unusable := write("unusable.yaml", common+"redis: { password_file: missing }\n")
	for _, tt := range []struct {
		name, path, variable, want string
	}{
		{"no configuration", "", "KEYHOLE_METRICS_LISTEN=:29091", ""},
		{"the operator listener", plainFile, "", "http://127.0.0.1:28081"},
		{"the operator listener of a variable", plainFile, "KEYHOLE_OPERATOR_LISTEN=127.0.0.2:28082", "http://127.0.0.2:28082"},
		{"metrics apart", apart, "", "http://127.0.0.1:29090"},
		{"metrics apart by a variable", plainFile, "KEYHOLE_METRICS_LISTEN=:29091", "http://127.0.0.1:29091"},
		{"a secret that cannot be read", unusable, "", ""},
		{"a file that is missing", filepath.Join(dir, "missing"), "", ""},
	} {
		world := &surroundings{environ: []string{"KEYHOLE_CONFIG=" + tt.path, tt.variable}}
		if got := healthURL(world); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// With metrics.listen set the operator listener has no /livez; the check that
// names no address finds the other.
func TestHealthOfMetricsApart(t *testing.T) {
	t.Parallel()
	in := install(t)
	metrics := freeAddress(t)
	g := in.launch("KEYHOLE_METRICS_LISTEN=" + metrics)
	environ := []string{"KEYHOLE_CONFIG=" + g.config, "KEYHOLE_METRICS_LISTEN=" + metrics, "KEYHOLE_OPERATOR_URL=" + g.operator}
	health := func(environ []string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), []string{"health", "--live"}, surroundings{stdout: &out, stderr: &out, environ: environ})
		return code, out.String()
	}
	eventually(t, "the service to be alive", func() error {
		if code, out := health(environ); code != exitOK || out != "alive\n" {
			return &hinted{err: io.ErrUnexpectedEOF, hint: out, code: code}
		}
		return nil
	})
	if code, out := health(environ[2:]); code != exitFailed || !strings.Contains(out, "404") || !strings.Contains(out, "metrics.listen") {
		t.Errorf("without the configuration: exit %d, %s", code, out)
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
	code := run(t.Context(), []string{"health", "--url", another.URL}, surroundings{stdout: &out, stderr: &out})
	if code != exitFailed || !strings.Contains(out.String(), "not an answer of keyhole") || !strings.Contains(out.String(), "\n  give its operator address by --url") {
		t.Errorf("exit %d, %s", code, out.String())
	}
}

// A mistyped --url is wrong usage, and the hint names the flag that was given.
func TestHealthOfNoAddress(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := run(t.Context(), []string{"health", "--url", "127.0.0.1:8081"}, surroundings{stdout: &out, stderr: &out})
	if code != exitUsage || !strings.Contains(out.String(), "\n  set --url or KEYHOLE_OPERATOR_URL to a URL") {
		t.Errorf("exit %d, %s", code, out.String())
	}
}

// A key that is not UTF-8 is wrong usage: nothing is sent.
func TestShareOfWhatIsNoUTF8(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	code := run(t.Context(), []string{"share", "s3://reports/a\x9b"}, surroundings{stdout: &out, stderr: &out, environ: []string{"KEYHOLE_KEY=khk_test"}})
	if code != exitUsage || !strings.Contains(out.String(), "not valid UTF-8") || !strings.Contains(out.String(), "\n  give it in UTF-8") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

// An address that is taken is named with its flag.
func TestDemoOnATakenAddress(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	address := strings.TrimPrefix(taken.URL, "http://")
	flags := []string{"--public", "--operator", "--s3"}
	for _, flag := range flags {
		args := []string{"demo"}
		for _, f := range flags {
			if f == flag {
				args = append(args, f, address)
			} else {
				args = append(args, f, "127.0.0.1:0")
			}
		}
		var out bytes.Buffer
		code := run(t.Context(), args, surroundings{stdout: &out, stderr: &out})
		if code != exitFailed || !strings.HasPrefix(out.String(), "keyhole: "+flag+": listen on "+address) ||
			!strings.Contains(out.String(), "\n  is another process there? choose another address by "+flag+"\n") {
			t.Errorf("%s: exit %d, %s", flag, code, out.String())
		}
	}
}

package cli

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// health finds the service in this order: --url, --context, KEYHOLE_OPERATOR_URL, the
// context of KEYHOLE_CONTEXT, the current context. It sends no key.
func TestHealthOfContexts(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	ready := api.Readiness{Ready: true, Redis: "ok"}
	services := map[string]*fakeAPI{}
	urls := map[string]string{}
	for _, name := range []string{"one", "two", "three"} {
		services[name] = &fakeAPI{answers: map[string]any{"GET /readyz": ready}}
		server := httptest.NewServer(services[name])
		t.Cleanup(server.Close)
		urls[name] = server.URL
	}
	must(t, "khk_one", env, "context", "add", "one", "--url", urls["one"], "-")
	must(t, "khk_two", env, "context", "add", "two", "--url", urls["two"], "-")
	for _, tt := range []struct{ variable, flag, value, want string }{
		{"", "", "", "one"},
		{"KEYHOLE_CONTEXT=two", "", "", "two"},
		{"KEYHOLE_OPERATOR_URL=" + urls["three"], "", "", "three"},
		{"KEYHOLE_OPERATOR_URL=" + urls["three"], "--context", "two", "two"},
		{"KEYHOLE_CONTEXT=two", "--url", urls["three"], "three"},
		{"KEYHOLE_CONFIG=/nowhere", "--context", "two", "two"},
	} {
		environ := append([]string{tt.variable}, env...)
		args := []string{"health"}
		if tt.flag != "" {
			args = append(args, tt.flag, tt.value)
		}
		got := must(t, "", environ, args...)
		if !strings.HasSuffix(got.stdout, "ready\n") {
			t.Errorf("%+v: %+v", tt, got)
		}
		for name, f := range services {
			if asked := len(f.requests) == 1; asked != (name == tt.want) {
				t.Errorf("%+v: %s was asked: %v", tt, name, asked)
			}
			for _, r := range f.requests {
				if r.key != "" {
					t.Errorf("%+v: a key was sent to %s", tt, name)
				}
			}
			f.requests = nil
		}
	}
}

// Variables, and flags for both address and key, need nothing of the file, so a file that
// is wide open or broken does not stop a script.
func TestBrokenFileOfContexts(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{}}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	must(t, "khk_key", env, "context", "add", "prod", "--url", server.URL, "-")
	path := filepath.Join(directory, ".config/keyhole/config.yaml")
	key := filepath.Join(directory, "key")
	if err := os.WriteFile(key, []byte("khk_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"broken": "contexts: khk_canary12345\n", "half": "contexts:\n  - name: a\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, "", append([]string{"KEYHOLE_KEY=khk_var", "KEYHOLE_OPERATOR_URL=" + server.URL}, env...), "list")
		must(t, "", env, "list", "--operator-url", server.URL, "--key-file", key)
		for _, args := range []string{"list", "list --context prod", "context list", "context use prod", "health"} {
			got := runAs(t, "", env, strings.Fields(args)...)
			if got.code != command.ExitUsage || got.stdout != "" ||
				!strings.Contains(got.stderr, "not a valid configuration of contexts") || strings.Contains(got.stderr, "canary") {
				t.Errorf("%s, %s: %+v", name, args, got)
			}
		}
		if got := runAs(t, "", env, "__complete", "context", "use", ""); got.stdout != ":4\n" {
			t.Errorf("%s: completion prints %q", name, got.stdout)
		}
	}
}

// list and use say when variables take precedence over the current context.
func TestContextsNameVariables(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	must(t, "khk_key", env, "context", "add", "prod", "--url", "https://keyhole.example.com", "-")
	for variable, want := range map[string]string{
		"KEYHOLE_KEY=khk_canary":        "note: commands use the set KEYHOLE_KEY instead of the current context\n",
		"KEYHOLE_OPERATOR_URL=http://h": "note: commands use the set KEYHOLE_OPERATOR_URL instead of the current context\n",
		"KEYHOLE_CONTEXT=te\x1bst":      "note: commands use the context te\\x1bst while KEYHOLE_CONTEXT is set\n",
		"KEYHOLE_CONFIG=keyhole.yaml":   "",
		"KEYHOLE_KEY=":                  "",
	} {
		for _, args := range []string{"context list", "context use prod"} {
			got := must(t, "", append([]string{variable}, env...), strings.Fields(args)...)
			if !strings.HasSuffix(got.stderr, want) || strings.Contains(got.stderr, "note:") != (want != "") ||
				strings.Contains(got.stderr, "canary") {
				t.Errorf("%s, %s: %q, want %q", variable, args, got.stderr, want)
			}
		}
	}
}

// After a wrong key or address, the error names the context that it is from, and how to use
// or save another. It names none if a flag or variable decided.
func TestErrorsNameTheContext(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	refusing := httptest.NewServer(refusingWith(api.Problem{Status: 401, Code: "unauthorized", Detail: "unknown key"}))
	t.Cleanup(refusing.Close)
	forbidding := httptest.NewServer(refusingWith(api.Problem{Status: 403, Code: "forbidden", Detail: "not yours"}))
	t.Cleanup(forbidding.Close)
	page := httptest.NewServer(answerText(200, "text/html", "<html>", 0))
	t.Cleanup(page.Close)
	const gone = "http://127.0.0.1:1"
	contexts := map[string]string{
		"refusing": refusing.URL, "forbidding": forbidding.URL, "page": page.URL, "gone": gone,
	}
	for name, url := range contexts {
		must(t, "khk_canary", env, "context", "add", name, "--url", url, "-")
	}
	key, address := "the key is from the context ", "the address is from the context "
	for _, tt := range []struct{ args, variable, name, want string }{
		{"list --context refusing", "", "refusing", key},
		{"show " + testID() + " --context refusing", "", "refusing", key},
		{"revoke " + testID() + " --context refusing", "", "refusing", key},
		{"list", "KEYHOLE_CONTEXT=gone", "gone", address},
		{"share s3://b/k --context gone", "", "gone", address},
		{"audit --context page", "", "page", address},
		{"health --context gone", "", "gone", address},
		{"list --context forbidding", "", "", ""},
		{"list --context page --operator-url " + gone, "", "", ""},
		{"list", "KEYHOLE_OPERATOR_URL=" + gone, "", ""},
		{"list --context gone --operator-url " + refusing.URL, "", "gone", key},
		{"health --url " + gone, "", "", ""},
	} {
		environ := append([]string{tt.variable}, env...)
		if strings.HasPrefix(tt.variable, "KEYHOLE_OPERATOR_URL") {
			environ = append(environ, "KEYHOLE_KEY=khk_canary")
		}
		got := runAs(t, "", environ, strings.Fields(tt.args)...)
		if got.code != command.ExitFailed || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v", tt.args, got)
		}
		if tt.want == "" {
			if strings.Contains(got.stderr, "is from the context") {
				t.Errorf("%s: %s", tt.args, got.stderr)
			}
			continue
		}
		url := "URL" // an address that has to be typed, as has one that the command did not use
		if tt.want == key && !strings.Contains(tt.args, "--operator-url") {
			url = contexts[tt.name]
		}
		has(t, got.stderr, "\n  "+tt.want+tt.name+"; to use another: keyhole context list, then --context NAME\n",
			"\n  to replace it: keyhole context add "+tt.name+" --replace --url "+url+"\n")
	}
}

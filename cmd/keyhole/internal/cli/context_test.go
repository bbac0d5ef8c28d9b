package cli

import (
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// runAs runs a command with the given standard input and variables.
func runAs(t *testing.T, stdin string, environ []string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	code := runCLI(t.Context(), args, command.Env{
		Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Environ: environ,
	})
	return result{code, stdout.String(), stderr.String()}
}

// must runs a command that must succeed.
func must(t *testing.T, stdin string, environ []string, args ...string) result {
	t.Helper()
	got := runAs(t, stdin, environ, args...)
	if got.code != command.ExitOK {
		t.Fatalf("%q: %+v", args, got)
	}
	return got
}

// home returns a new home directory and the variables of a command there.
func home(t *testing.T) (string, []string) {
	t.Helper()
	directory := t.TempDir()
	return directory, []string{"HOME=" + directory}
}

// Contexts are added, listed, chosen and removed. The key is printed by none of the
// commands.
func TestContexts(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	key := filepath.Join(directory, "test.key")
	if err := os.WriteFile(key, []byte("khk_canary_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	run := func(stdin string, args ...string) result {
		got := must(t, stdin, env, append([]string{"context"}, args...)...)
		printed.WriteString(got.stdout + got.stderr)
		return got
	}
	if got := run("", "list"); got.stdout != "" || !strings.Contains(got.stderr, "keyhole context add NAME --url URL") {
		t.Errorf("without contexts: %+v", got)
	}
	has(t, run("khk_canary_stdin\n", "add", "prod", "--url", "https://keyhole.example.com/", "-").stderr,
		"context prod saved; it is the current context; to check it: keyhole key check\n")
	has(t, run("khk_canary_stdin\n", "add", "test", "--url", "http://127.0.0.1:8081", "--key-file", key).stderr,
		"context test saved; to make it the current context: keyhole context use test\n")
	want := "CURRENT  NAME  URL                          KEY\n" +
		"*        prod  https://keyhole.example.com  saved\n" +
		"         test  http://127.0.0.1:8081        " + key + "\n"
	if got := run("", "list"); got.stdout != want || got.stderr != "" {
		t.Errorf("got\n%s%s\nwant\n%s", got.stdout, got.stderr, want)
	}
	has(t, run("", "use", "test").stderr, "the current context is test (http://127.0.0.1:8081)\n")
	has(t, run("", "list", "--json").stdout, `"name": "test"`, `"current": true`, `"key_file": "`+key+`"`, `"items": [`)
	has(t, run("khk_canary_new", "add", "prod", "--url", "https://new.example.com", "--key-file", "-", "--replace").stderr,
		"keyhole context use prod")
	has(t, run("", "remove", "test").stderr, "its key is still valid", "no context is current now")
	got := run("", "list")
	if strings.Contains(got.stdout, "*") || !strings.Contains(got.stdout, "https://new.example.com") {
		t.Errorf("after the removal:\n%s", got.stdout)
	}
	if strings.Contains(printed.String(), "canary") {
		t.Errorf("a key was printed:\n%s", printed.String())
	}
	saved, err := os.ReadFile(filepath.Join(directory, ".config/keyhole/config.yaml"))
	if err != nil || !strings.Contains(string(saved), "khk_canary_new") ||
		strings.Contains(string(saved), "canary_stdin") {
		t.Errorf("saved is %v\n%s", err, saved)
	}
}

// Mistakes of the commands: the exit code, the reason and what to do. No key is repeated,
// and nothing is saved.
func TestContextMistakes(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	must(t, "khk_key", env, "context", "add", "prod", "--url", "https://keyhole.example.com", "-")
	const url = " --url https://keyhole.example.com"
	for args, want := range map[string]string{
		"add":                                "needs one name\n  usage: keyhole context add NAME --url URL",
		"add a b" + url:                      "takes one name, not 2 arguments",
		"add new":                            "--url is missing",
		"add new --url= -":                   "--url is empty",
		"add new --url x -":                  `--url is "x": not the address of a service`,
		"add new --url https://u:canary@h -": `--url is "https://…@h": not the address`,
		"add -- -x" + url:                    `takes one name`,
		"add a/b -" + url:                    `"a/b" cannot be the name of a context`,
		"add prod -" + url:                   "prod: this context exists already\n  use another name, or replace",
		"add new" + url:                      "is not a terminal\n  name a file in --key-file",
		"add new - --key-file x" + url:       "- and --key-file cannot be combined",
		"add new --key-file missing" + url:   "cannot read the key file: no such file",
		"add new --key khk_canary123" + url:  "unknown flag: --key\n  an operator key is never an argument",
		"add khk_canary12345 -" + url:        "the name of the context is an operator key\n  pass an operator key",
		"add new khk_canary12345" + url:      "the key was an argument, so the shell's history has it now",
		"use":                                "needs one context\n  usage: keyhole context use NAME",
		"use prodd":                          `"prodd": there is no such context` + "\n  did you mean prod?",
		"use zzzzzz":                         "the contexts are prod",
		"use a b":                            "takes one context, not 2 arguments",
		"remove":                             "needs one context",
		"remove zzzzzz":                      "there is no such context",
		"rm prod":                            `unknown command "rm"` + "\n  did you mean: keyhole context remove",
		"delete prod":                        "did you mean: keyhole context remove",
		"ls":                                 "did you mean: keyhole context list",
		"list x":                             "takes only flags, not 1 argument",
	} {
		got := runAs(t, "two canary words", env, append([]string{"context"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, want) ||
			strings.Contains(got.stderr, "canary") {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
	for stdin, want := range map[string]string{
		"":                "standard input does not contain exactly one operator key",
		"two canary":      "standard input does not contain exactly one operator key",
		"https://canary/": "standard input does not contain exactly one operator key",
	} {
		got := runAs(t, stdin, env, "context", "add", "new", "--url", "https://h", "-")
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) || strings.Contains(got.stderr, "canary") {
			t.Errorf("%q: %+v", stdin, got)
		}
	}
	if got := must(t, "", env, "context", "list"); strings.Count(got.stdout, "\n") != 2 {
		t.Errorf("a mistake was saved:\n%s", got.stdout)
	}
	// Without a home there is no place for the file.
	homeless := runAs(t, "khk_key", nil, "context", "add", "new", "--url", "https://h", "-")
	if homeless.code != command.ExitUsage ||
		!strings.Contains(homeless.stderr, "set HOME, or use KEYHOLE_OPERATOR_URL and KEYHOLE_KEY") {
		t.Errorf("without a home: %+v", homeless)
	}
	// A file that others can read is refused with the command that corrects it.
	path := filepath.Join(directory, ".config/keyhole/config.yaml")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"context list", "context use prod", "context remove prod", "list", "share s3://a/b"} {
		got := runAs(t, "", env, strings.Fields(args)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, path+": its mode is 0644\n  chmod 600 "+path+"\n") {
			t.Errorf("%s with a wide mode: %+v", args, got)
		}
	}
}

// An address over plain http is accepted with a warning, unless it is on this machine.
func TestContextWarnsOfPlainHTTP(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"http://keyhole.example.com": true, "http://192.0.2.1:8081": true, "https://keyhole.example.com": false,
		"http://127.0.0.1:8081": false, "http://[::1]:8081": false, "http://LOCALHOST:8081": false,
	} {
		_, env := home(t)
		got := must(t, "khk_key", env, "context", "add", "new", "--url", url, "-")
		if strings.Contains(got.stderr, "warning: ") != want {
			t.Errorf("%s: %s", url, got.stderr)
		}
	}
}

// TestOrderOfServices runs one command with each combination of flags, variables and
// contexts, and compares which service gets which key.
func TestOrderOfServices(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	var urls []string
	services := map[string]*fakeAPI{}
	for _, name := range []string{"one", "two", "three"} {
		f := &fakeAPI{answers: map[string]any{"GET /api/v1/links": api.LinkPage{}}}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		urls, services[name] = append(urls, server.URL), f
	}
	file := filepath.Join(directory, "file.key")
	if err := os.WriteFile(file, []byte("khk_file"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "khk_one", env, "context", "add", "one", "--url", urls[0], "-")
	must(t, "khk_two", env, "context", "add", "two", "--url", urls[1], "-")
	replace := strings.NewReplacer("ONE", urls[0], "TWO", urls[1], "THREE", urls[2], "FILE", file,
		"URL=", "KEYHOLE_OPERATOR_URL=", "KEY=", "KEYHOLE_KEY=", "CONTEXT=", "KEYHOLE_CONTEXT=")
	for _, tt := range []struct{ variables, flags, want string }{ // want: service and key, or the error
		{"", "", "one khk_one"},
		{"CONTEXT=two", "", "two khk_two"},
		{"", "--context two", "two khk_two"},
		{"CONTEXT=one", "--context two", "two khk_two"},
		{"URL=THREE KEY=khk_var", "", "three khk_var"},
		{"URL=THREE KEY=khk_var CONTEXT=two", "", "three khk_var"},
		{"URL=THREE KEY=khk_var", "--context two", "two khk_two"},
		{"KEY=khk_var", "--context two", "two khk_two"},
		{"KEY=khk_var", "--operator-url THREE", "three khk_var"},
		{"URL=THREE", "--key-file FILE", "three khk_file"},
		{"", "--key-file FILE", "one khk_file"},
		{"", "--context two --key-file FILE", "two khk_file"},
		{"", "--operator-url THREE --key-file FILE", "three khk_file"},
		{"", "--operator-url THREE --context two", "three khk_two"}, // both are named
		{"", "--operator-url ONE", "one khk_one"},
		{"", "--operator-url ONE/", "one khk_one"},
		// The key of a context goes to no other service.
		{"", "--operator-url THREE", "the key of the context one is only for ONE"},
		{"CONTEXT=two", "--operator-url THREE", "the key of the context two is only for TWO"},
		{"URL=THREE", "", "KEYHOLE_OPERATOR_URL is set, so a context needs --context NAME; NAME is one, two"},
		{"URL=THREE CONTEXT=two", "", "no operator key"},
		{"CONTEXT=too", "", `KEYHOLE_CONTEXT is "too": there is no such context`},
		{"", "--context tow", "did you mean two?"},
		{"CONTEXT=two", "--context zzzzzz", "the contexts are one, two"},
		{"", "--context=", "--context is empty"},
	} {
		environ := append([]string{}, env...)
		for _, v := range strings.Fields(tt.variables) {
			environ = append(environ, replace.Replace(v))
		}
		got := runAs(t, "", environ, append([]string{"list"}, strings.Fields(replace.Replace(tt.flags))...)...)
		asked := ""
		for name, f := range services {
			for _, r := range f.requests {
				if strings.HasPrefix(r.line, "GET /api/v1/links") {
					asked = name + " " + strings.TrimPrefix(r.key, "Bearer ")
				}
			}
			f.requests = nil
		}
		refused := asked == "" && got.code == command.ExitUsage && strings.Contains(got.stderr, replace.Replace(tt.want))
		if asked != tt.want && !refused {
			t.Errorf("%s %s: asked %q, %+v, want %q", tt.variables, tt.flags, asked, got, tt.want)
		}
		both := strings.Contains(tt.variables, "CONTEXT=") && strings.Contains(tt.variables, "URL=") && tt.flags == ""
		if ignored := strings.Contains(got.stderr, "KEYHOLE_CONTEXT is ignored"); ignored != both {
			t.Errorf("%s %s: says that KEYHOLE_CONTEXT is ignored: %v", tt.variables, tt.flags, ignored)
		}
	}
	// After the current context was removed, the names of the others are the way on.
	must(t, "", env, "context", "remove", "one")
	if got := runAs(t, "", env, "list"); got.code != command.ExitUsage ||
		!strings.Contains(got.stderr, "choose a context: --context NAME, KEYHOLE_CONTEXT or keyhole context use NAME; "+
			"NAME is two") {
		t.Errorf("without a current context: %+v", got)
	}
}

// If nothing is configured, the error names every way to configure it.
func TestNothingConfigured(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	for _, environ := range [][]string{nil, env} {
		got := runAs(t, "", environ, "list")
		if got.code != command.ExitUsage {
			t.Errorf("%+v", got)
		}
		has(t, got.stderr, "keyhole: no operator key\n", "keyhole init", "keyhole context add NAME --url URL", "KEYHOLE_KEY",
			"KEYHOLE_OPERATOR_URL", "--key-file", "--operator-url")
	}
}

// A key file of a context that has gone is named by its context.
func TestContextWithoutItsKeyFile(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	file := filepath.Join(directory, "key")
	if err := os.WriteFile(file, []byte("khk_file"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", env, "context", "add", "prod", "--url", "http://127.0.0.1:1", "--key-file", file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	got := runAs(t, "", env, "list")
	if got.code != command.ExitUsage {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "cannot read the key file: no such file", "the context prod names it",
		"keyhole context add prod --replace")
}

// A terminal asks for the key and does not show it. The answer is saved.
func TestContextAddAsks(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"khk_canary\n":        "context prod saved",
		" khk_canary \n":      "context prod saved",
		"\n":                  "nothing was saved, because no key was entered",
		"khk_canary canary\n": "the answer does not contain exactly one operator key",
	} {
		_, env := home(t)
		user, tty, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		shown := term.State{}
		if state, err := term.GetState(int(tty.Fd())); err != nil {
			t.Fatal(err)
		} else {
			shown = *state
		}
		screen, code := make(chan string, 1), make(chan int, 1)
		go func() {
			text, _ := io.ReadAll(user) // Linux ends the reading with EIO.
			screen <- string(text)
		}()
		go func() {
			code <- runCLI(t.Context(), []string{"context", "add", "prod", "--url", "http://127.0.0.1:1"},
				command.Env{Stdin: tty, Stdout: tty, Stderr: tty, Environ: env})
		}()
		// A person types after the question; then the terminal shows nothing any more.
		for {
			state, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*state, shown) {
				break
			}
		}
		if _, err := io.WriteString(user, typed); err != nil {
			t.Fatal(err)
		}
		ended := <-code
		state, err := term.GetState(int(tty.Fd()))
		if err := errors.Join(err, tty.Close()); err != nil {
			t.Fatal(err)
		}
		text := <-screen
		_ = user.Close()
		if (ended == command.ExitOK) != (want == "context prod saved") || !strings.Contains(text, want) ||
			strings.Contains(text, "canary") ||
			!strings.Contains(text, "Operator key for prod (it is not shown): ") {
			t.Errorf("%q: exit %d\n%s", typed, ended, text)
		}
		if !reflect.DeepEqual(*state, shown) {
			t.Errorf("%q: the terminal stays changed", typed)
		}
	}
}

// The names of contexts are completed for --context of every command, and for use and
// remove.
func TestCompletionsOfContexts(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	must(t, "khk_key", env, "context", "add", "prod", "--url", "https://keyhole.example.com", "-")
	must(t, "khk_key", env, "context", "add", "test", "--url", "https://keyhole.example.com", "-")
	for _, args := range []string{
		"context use", "context remove", "list --context", "show x --context", "health --context",
	} {
		got := must(t, "", env, append([]string{"__complete"}, append(strings.Fields(args), "")...)...)
		if got.stdout != "prod\ntest\n:4\n" {
			t.Errorf("%s: got %q", args, got.stdout)
		}
	}
	if got := must(t, "", env, "__complete", "context", "use", "prod", ""); got.stdout != ":4\n" {
		t.Errorf("a second name is offered: %q", got.stdout)
	}
	if got := must(t, "", nil, "__complete", "context", "use", ""); got.stdout != ":4\n" {
		t.Errorf("without a home: %q", got.stdout)
	}
}

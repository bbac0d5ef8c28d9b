package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"keyhole/cmd/keyhole/internal/command"
)

// configOf returns the path of the contexts in a home directory.
func configOf(home string) string { return filepath.Join(home, ".config/keyhole/config.yaml") }

// writeContexts writes a file of contexts as a person would edit it.
func writeContexts(t *testing.T, home, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(configOf(home)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(configOf(home), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A key that cannot be read from standard input is not saved. An interrupt ends the wait
// for a key that never comes.
func TestContextAddReadsBrokenInput(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	endless, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	for name, tt := range map[string]struct {
		interrupted bool
		stdin       io.Reader
		want        string
	}{
		"an error": {
			false, iotest.ErrReader(errors.New("input failed")),
			"keyhole: read the key from standard input: input failed\n  correct it and try again\n",
		},
		"an interrupt": {
			true, endless,
			"keyhole: read the key from standard input: context canceled\n  the command was interrupted\n",
		},
	} {
		var stdout, stderr strings.Builder
		ctx := t.Context()
		if tt.interrupted {
			ctx = interrupted
		}
		code := runCLI(ctx, []string{"context", "add", "prod", "--url", "https://h", "-"}, command.Env{
			Stdin: tt.stdin, Stdout: &stdout, Stderr: &stderr, Environ: env,
		})
		if code != command.ExitFailed || stdout.Len() > 0 || stderr.String() != tt.want {
			t.Errorf("%s: exit %d, %s%s", name, code, stdout.String(), stderr.String())
		}
	}
	if _, err := os.Stat(configOf(directory)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

// Nobody can answer a question that is hidden, because standard error goes to a file.
func TestContextAddWithHiddenQuestion(t *testing.T) {
	t.Parallel()
	directory, environ := home(t)
	at := newTerminal(t, "khk_canary\n")
	var stderr strings.Builder
	code := runCLI(t.Context(), []string{"context", "add", "prod", "--url", "https://h"}, command.Env{
		Stdin: at.tty, Stdout: at.tty, Stderr: &stderr, Environ: environ,
	})
	at.close(t)
	if want := "keyhole: cannot ask for the key, because standard input or standard error is not a terminal\n" +
		"  name a file in --key-file, or add - to read the key from standard input\n"; code != command.ExitUsage ||
		stderr.String() != want {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
	if _, err := os.Stat(configOf(directory)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

// A key file is tried before its name is saved, and its saved path works from every
// directory. --key-file stores no key.
func TestContextAddTriesTheKeyFile(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	add := []string{"context", "add", "prod", "--url", "http://127.0.0.1:1", "--key-file"}
	for name, tt := range map[string]struct{ file, want string }{
		"two keys": {
			write("two", "khk_canary1 khk_canary2\n", 0o600), "the key file does not contain exactly one operator key\n",
		},
		"nothing": {write("empty", "\n", 0o600), "the key file does not contain exactly one operator key\n"},
		"a large file": {
			write("large", strings.Repeat("c", 4*maxKey+1), 0o600), "cannot read the key file: it is larger than 65536 bytes\n",
		},
		"a directory": {directory, "cannot read the key file: is a directory\n  name a readable file with one operator key"},
	} {
		got := runAs(t, "", env, append(add, tt.file)...)
		if got.code != command.ExitUsage || !strings.HasPrefix(got.stderr, "keyhole: "+tt.want) ||
			strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v, want %q", name, got, tt.want)
		}
	}
	if _, err := os.Stat(configOf(directory)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a mistake was saved: %v", err)
	}
	wide := write("wide", "khk_canary\n", 0o644)
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(working, wide)
	if err != nil {
		t.Fatal(err)
	}
	got := must(t, "", env, append(add, relative)...)
	has(t, got.stderr, "warning: everyone on this machine can read the key file: chmod 600 ", "context prod saved")
	saved, err := os.ReadFile(configOf(directory))
	if err != nil || !strings.Contains(string(saved), "key_file: "+wide+"\n") ||
		strings.Contains(string(saved), "canary") {
		t.Errorf("saved is %v\n%s", err, saved)
	}
}

// The list for programs: no contexts are an empty list, and each context says where its key
// is, never the key. Secret parts of an address that a person wrote are hidden.
func TestContextListJSON(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	got := must(t, "", env, "context", "list", "--json")
	if got.stdout != "{\n  \"items\": []\n}\n" || got.stderr != "" {
		t.Errorf("without contexts: %+v", got)
	}
	writeContexts(t, directory, "current: b\ncontexts:\n- {name: a, url: 'https://u:canary@h/canary', key: khk_canary}\n"+
		"- {name: b, url: 'http://h:1', key_file: b.key}\n")
	// Variables matter only to people: the note would be no part of the list.
	got = must(t, "", append([]string{"KEYHOLE_KEY=khk_canary"}, env...), "context", "list", "--json")
	want := `{
  "items": [
    {
      "name": "a",
      "url": "https://…@h/…",
      "current": false
    },
    {
      "name": "b",
      "url": "http://h:1",
      "key_file": "` + filepath.Join(filepath.Dir(configOf(directory)), "b.key") + `",
      "current": true
    }
  ]
}
`
	if got.stdout != want || got.stderr != "" {
		t.Errorf("got\n%s%s\nwant\n%s", got.stdout, got.stderr, want)
	}
}

// A wrong address in a context is reported by the name of the context with the command that
// replaces it, and no request is sent.
func TestContextWithAWrongAddress(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	writeContexts(t, directory, "current: a\ncontexts:\n- {name: a, url: 'https://u:canary@h/', key: khk_canary}\n"+
		"- {name: b, url: 'keyhole.example.com', key: khk_canary}\n")
	const replace = "replace it: keyhole context add NAME --replace --url URL, with scheme, host and port\n"
	for args, want := range map[string]string{
		"list": `keyhole: the context a is "https://…@h/": not the address of a service, such as http://127.0.0.1:8081` +
			"\n  " + strings.Replace(replace, "NAME", "a", 1),
		"key check --context b": `keyhole: the context b is "keyhole.example.com": not the address of a service, such as ` +
			"http://127.0.0.1:8081\n  did you mean http://keyhole.example.com? " + strings.Replace(replace, "NAME", "b", 1),
	} {
		got := runAs(t, "", env, strings.Fields(args)...)
		if want := (result{command.ExitUsage, "", want}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", args, got, want)
		}
	}
}

// While another process changes the contexts, an interrupted command changes nothing and
// says why. Afterwards the same command succeeds.
func TestContextsAreLocked(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	must(t, "khk_one", env, "context", "add", "one", "--url", "https://h", "-")
	must(t, "khk_two", env, "context", "add", "two", "--url", "https://h", "-")
	lock, err := os.OpenFile(configOf(directory)+".lock", os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"context use two", "context remove one"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		var stderr strings.Builder
		code := runCLI(ctx, strings.Fields(args), command.Env{Stderr: &stderr, Environ: env})
		cancel()
		if code != command.ExitFailed || stderr.String() != "keyhole: another command is changing the contexts: the lock "+
			lock.Name()+" is still held\n  try again\n" {
			t.Errorf("%s: exit %d, %s", args, code, stderr.String())
		}
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	has(t, must(t, "", env, "context", "list").stdout, "*        one", "         two")
	has(t, must(t, "", env, "context", "use", "two").stderr, "the current context is two (https://h)\n")
}

// Failures that no command can repair: a file in place of a directory, and a missing home. No
// error contains a key from standard input.
func TestContextsWithoutADirectory(t *testing.T) {
	t.Parallel()
	directory, env := home(t)
	if err := os.WriteFile(filepath.Join(directory, ".config"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	homeless := "keyhole: the environment names no directory for configurations: neither HOME nor " +
		"XDG_CONFIG_HOME is set\n" +
		"  set HOME, or use KEYHOLE_OPERATOR_URL and KEYHOLE_KEY instead of a context\n"
	for _, args := range []string{
		"context list", "context use prod", "context remove prod", "context add prod --url https://h -",
		"list --context prod",
	} {
		got := runAs(t, "khk_canary", env, strings.Fields(args)...)
		if got.code != command.ExitFailed || got.stdout != "" || strings.Contains(got.stderr, "canary") ||
			!strings.HasSuffix(got.stderr, ": not a directory\n  your user must be able to write the file and its directory\n") {
			t.Errorf("%s: %+v", args, got)
		}
		got = runAs(t, "khk_canary", nil, strings.Fields(args)...)
		if want := (result{command.ExitUsage, "", homeless}); got != want {
			t.Errorf("%s without a home: %+v", args, got)
		}
	}
}

// The group explains itself, and an unknown context of an empty list leads to context add.
func TestContextGroup(t *testing.T) {
	t.Parallel()
	_, env := home(t)
	got := must(t, "", env, "context")
	has(t, got.stdout, "Save services with their keys, and choose one\n",
		"\n  add ", "\n  list ", "\n  remove ", "\n  use ")
	for _, args := range []string{"context use prod", "context remove prod"} {
		got := runAs(t, "", env, strings.Fields(args)...)
		if want := (result{command.ExitUsage, "", "keyhole: \"prod\": there is no such context\n" +
			"  there are no contexts yet; add one: keyhole context add NAME --url URL\n"}); got != want {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// A key and a URL that are arguments are refused, and not repeated.
func TestContextAddArguments(t *testing.T) {
	t.Parallel()
	const key = "khk_canary12345"
	for args, want := range map[string][2]string{
		"prod https://ops.example.com " + key: {"the key was an argument, so the shell's history has it", "replace the key"},
		"prod " + key:                         {"the key was an argument, so the shell's history has it", "asks for the key"},
		"prod https://canary@ops.example.com": {"the URL is not an argument", "keyhole context add NAME --url URL"},
		"prod https://ops.example.com -":      {"the URL is not an argument", "keyhole context add NAME --url URL"},
		"a b c d":                             {"takes one name, not 4 arguments", "usage: "},
		"prod --url 127.0.0.1:8081":           {`--url is "127.0.0.1:8081"`, "did you mean http://127.0.0.1:8081? set it to"},
	} {
		got := runOver(t, &fakeAPI{}, append([]string{"context", "add"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v", args, got)
		}
		has(t, got.stderr, want[:]...)
	}
}

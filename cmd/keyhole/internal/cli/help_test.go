package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// Every line of an example is an existing command with valid flags and values. Lines that
// run another program first are not compared.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	parsed := 0
	eachCommand(NewRoot(&command.Env{}), func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			words, is := strings.CutPrefix(strings.TrimSpace(line), "keyhole ")
			if !is || strings.Contains(words, "|") {
				continue
			}
			words, _, _ = strings.Cut(words, " > ") // into a file
			args := exampleArgs(words)
			found, rest, err := NewRoot(&command.Env{}).Find(args)
			if err != nil || found.CommandPath() != c.CommandPath() {
				t.Errorf("the example of %s runs %s: %s", c.CommandPath(), found.CommandPath(), line)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			if err := errors.Join(found.ValidateArgs(found.Flags().Args()), noEmptyFlag(found)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			parsed++
		}
	})
	if parsed < 15 {
		t.Errorf("only %d examples were found", parsed)
	}
}

// exampleArgs splits a line of an example as a shell does. The examples have quotes only
// around whole words.
func exampleArgs(line string) []string {
	var args []string
	for i, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '"' || r == '\'' }) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// help of a command is its --help. help of an unknown command is a mistake, because a
// script or a person would take the help of keyhole for an answer.
func TestHelpTopics(t *testing.T) {
	t.Parallel()
	for topic, path := range map[string]string{
		"": "", "show": "show", "key": "key", "keys new": "key new", "audit erase": "audit erase", "help": "help",
		"context add": "context add",
	} {
		got := runOver(t, &fakeAPI{}, append([]string{"help"}, strings.Fields(topic)...)...)
		want := runOver(t, &fakeAPI{}, append(strings.Fields(path), "--help")...)
		if got.code != command.ExitOK || got.stderr != "" || got.stdout == "" || got.stdout != want.stdout {
			t.Errorf("help %s: %+v\nwant %s", topic, got, want.stdout)
		}
	}
	for topic, want := range map[string]string{
		"nope":      "unknown command \"nope\"\n  see: keyhole --help\n",
		"shar":      "unknown command \"shar\"\n  did you mean: keyhole share\n",
		"delete":    "unknown command \"delete\"\n  did you mean: keyhole revoke\n",
		"key chekc": "unknown command \"chekc\"\n  did you mean: keyhole key check\n",
		"--json":    "unknown flag: --json\n  see: keyhole help --help\n",
	} {
		got := runOver(t, &fakeAPI{}, append([]string{"help"}, strings.Fields(topic)...)...)
		if got.code != command.ExitUsage || got.stdout != "" || got.stderr != "keyhole: "+want {
			t.Errorf("help %s: %+v, want %q", topic, got, want)
		}
	}
}

// --help of an unknown command is the same mistake.
func TestHelpOfUnknownCommand(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"login --help": "unknown command \"login\"\n  did you mean: keyhole context add\n",
		"shar a -h":    "unknown command \"shar\"\n  did you mean: keyhole share\n",
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got != (result{command.ExitUsage, "", "keyhole: " + want}) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
	for _, args := range []string{
		"--help", "-h", "help --help", "audit --help", "context --help",
		"__complete share --help",
	} {
		if got := runOver(t, &fakeAPI{}, strings.Fields(args)...); got.code != command.ExitOK || got.stdout == "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// The help of a group lists its commands, the help of a command its flags, and no help
// shows a key, an address of the environment or a control character.
func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	eachCommand(NewRoot(&command.Env{}), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())[1:]
		got := runWith(t, &fakeAPI{}, []string{"KEYHOLE_KEY=khk_canary"}, append(path, "--help")...)
		if got.code != command.ExitOK || got.stderr != "" || strings.Contains(got.stdout, "canary") ||
			strings.Contains(got.stdout, "127.0.0.1:0") || strings.ContainsAny(got.stdout, "\x1b\r\t") {
			t.Errorf("%s --help: %+v", c.CommandPath(), got)
		}
		for _, sub := range c.Commands() {
			if !sub.Hidden {
				has(t, got.stdout, "\n  "+sub.Name()+" ", sub.Short)
			}
		}
		for _, f := range collect(c.LocalFlags().VisitAll) {
			has(t, got.stdout, "--"+f.Name)
		}
	})
}

// version and --version identify the binary, on standard output only.
func TestVersionForms(t *testing.T) {
	t.Parallel()
	build := command.Build{Version: "v1.2.3", Revision: "abc", GoVersion: "go1.99"}
	for args, want := range map[string]result{
		"version":       {0, "keyhole v1.2.3\nrevision abc\ngo1.99\n", ""},
		"--version":     {0, "keyhole version v1.2.3\n", ""},
		"version x":     {2, "", "keyhole version takes no arguments, not 1 argument\n  usage: keyhole version [flags]\n"},
		"version x y":   {2, "", "keyhole version takes no arguments, not 2 arguments\n  usage: keyhole version [flags]\n"},
		"version --all": {2, "", "unknown flag: --all\n  see: keyhole version --help\n"},
		"verison":       {2, "", "unknown command \"verison\"\n  did you mean: keyhole version\n"},
	} {
		var stdout, stderr strings.Builder
		env := command.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Build: build}
		code := runCLI(t.Context(), strings.Fields(args), env)
		if want.stderr != "" {
			want.stderr = "keyhole: " + want.stderr
		}
		if got := (result{code, stdout.String(), stderr.String()}); got != want {
			t.Errorf("%s: got %+v, want %+v", args, got, want)
		}
	}
	var stderr strings.Builder
	code := runCLI(t.Context(), []string{"version"}, command.Env{Stdout: brokenWriter{}, Stderr: &stderr, Build: build})
	if code != command.ExitFailed || stderr.String() != "keyhole: disk full\n  correct it and try again\n" {
		t.Errorf("after a failed write: exit %d, %q", code, stderr.String())
	}
}

// brokenWriter is a file on a disk that is full.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// Scripts and help texts that cannot be written in full are failures, not successes.
func TestCompletionScriptOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var stderr strings.Builder
		code := runCLI(t.Context(), []string{"completion", shell}, command.Env{Stdout: brokenWriter{}, Stderr: &stderr})
		if code != command.ExitFailed || stderr.String() != "keyhole: disk full\n  correct it and try again\n" {
			t.Errorf("%s: exit %d, %q", shell, code, stderr.String())
		}
	}
	for args, want := range map[string]string{
		"completion tcsh":     "there is no completion for this shell\n  use bash, zsh or fish\n",
		"completion Bash":     "there is no completion for this shell\n  use bash, zsh or fish\n",
		"completion bash zsh": "keyhole completion takes one shell: bash, zsh or fish, not 2 arguments\n",
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || !strings.HasPrefix(got.stderr, "keyhole: "+want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := runOver(t, &fakeAPI{}, "__complete", "completion", ""); got.stdout != "bash\nzsh\nfish\n:4\n" {
		t.Errorf("the shells are completed as %q", got.stdout)
	}
}

// man writes one page for each command, also for those of groups, with all flags. It leaves
// other files alone, and says which page it cannot write.
func TestManPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other.1")
	if err := os.WriteFile(other, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runOver(t, &fakeAPI{}, "man", dir)
	if got.code != command.ExitOK || got.stdout+got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	var want []string
	eachCommand(NewRoot(&command.Env{}), func(c *cobra.Command) {
		page := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		want = append(want, page)
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Error(err)
			return
		}
		for _, f := range collect(c.LocalNonPersistentFlags().VisitAll) {
			if !strings.Contains(string(text), `\-\-`+f.Name) && !strings.Contains(string(text), "--"+f.Name) {
				t.Errorf("%s has no --%s", page, f.Name)
			}
		}
	})
	want = append(want, "other.1")
	slices.Sort(want)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for _, file := range files {
		pages = append(pages, file.Name())
	}
	if !slices.Equal(pages, want) {
		t.Errorf("the pages are %q, want %q", pages, want)
	}
	if text, err := os.ReadFile(other); string(text) != "other" {
		t.Errorf("another file has now %q, %v", text, err)
	}
	// A directory has the name of a page.
	blocked := t.TempDir()
	if err := os.Mkdir(filepath.Join(blocked, "keyhole-show.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	got = runOver(t, &fakeAPI{}, "man", blocked)
	if got.code != command.ExitFailed || got.stdout != "" || !strings.HasPrefix(got.stderr,
		"keyhole: cannot write the manual: ") || !strings.HasSuffix(got.stderr,
		"keyhole-show.1: is a directory\n  name a writable directory\n") {
		t.Errorf("over a directory: %+v", got)
	}
}

// A help text is possible before a command is executed, when cobra has no context yet.
func TestHelpWithoutAContext(t *testing.T) {
	t.Parallel()
	var stdout strings.Builder
	root := NewRoot(&command.Env{Environ: []string{"KEYHOLE_KEY=khk_test", "KEYHOLE_OPERATOR_URL=http://127.0.0.1:1"}})
	root.SetOut(&stdout)
	share, _, err := root.Find([]string{"share"})
	if err != nil {
		t.Fatal(err)
	}
	if share.Context() != nil {
		t.Fatal("the command has a context")
	}
	if err := share.Help(); err != nil {
		t.Fatal(err)
	}
	has(t, stdout.String(), "by a preset: handoff, troubleshooting, business or extended")
}

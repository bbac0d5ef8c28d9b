package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// key new prints the secret to standard output and its hash to standard error.
func TestKeyNew(t *testing.T) {
	t.Parallel()
	got := runOver(t, &fakeAPI{}, "key", "new", "--name", "ci")
	if got.code != command.ExitOK || !strings.HasPrefix(got.stdout, "khk_") ||
		strings.Contains(got.stderr, strings.TrimSpace(got.stdout)) {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "# Add this to operator.keys", "- name: ci", "sha256:", "can: [issue, read, revoke, browse]")
	if got := runOver(t, &fakeAPI{}, "key", "new", "--name", "a b"); got.code != command.ExitUsage {
		t.Errorf("a name with a space: %+v", got)
	}
	got = runOver(t, &fakeAPI{}, "key", "new")
	if got.code != command.ExitUsage || got.stdout != "" ||
		!strings.HasPrefix(got.stderr, "keyhole: --name is missing\n  ") {
		t.Errorf("without a name: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	env := command.Env{Stdout: &out, Build: command.Build{Version: "v1", Revision: "abc", GoVersion: "go1"}}
	if code := runCLI(t.Context(), []string{"version"}, env); code != command.ExitOK ||
		out.String() != "keyhole v1\nrevision abc\ngo1\n" {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

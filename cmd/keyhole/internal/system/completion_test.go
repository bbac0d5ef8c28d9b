//go:build system

package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/gateway/api"
)

// complete returns what is offered for the last of the arguments, without what is
// said of each.
func (g *instance) complete(t *testing.T, key string, args ...string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), binary, append([]string{cobra.ShellCompRequestCmd}, args...)...)
	command.Env = append(os.Environ(), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+key)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var offered []string
	for line := range strings.Lines(string(out)) {
		value, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !strings.HasPrefix(value, ":") && !strings.HasPrefix(value, "_activeHelp_") { // the directive and what is said
			offered = append(offered, value)
		}
	}
	return offered
}

// offers completes a line until the wanted values are offered. A completion offers nothing if
// the service does not answer within a short time.
func offers(t *testing.T, line, want string, complete func() string) {
	t.Helper()
	eventually(t, "the completion of "+line, func() error {
		if got := complete(); got != want {
			return fmt.Errorf("offered %s, want %s", got, want)
		}
		return nil
	})
}

// What is completed is what the key may see, asked now.
func TestCompletion(t *testing.T) {
	in := install(t)
	for _, key := range []string{"2026/q1.csv", "2026/q2.csv", "2026/drafts/q3.csv", "2025.csv"} {
		in.put(t, key, []byte("x"))
	}
	in.s3.Put(t, "exports", "a.csv", "text/csv", []byte("a"))
	g := in.start()
	issue := func(key string) api.Link {
		link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	active, revoked := issue("2026/q1.csv"), issue("2026/q2.csv")
	if _, err := g.client.Revoke(t.Context(), revoked.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"drop/$(touch x)1", "drop/$(touch x)2", "drop/`id`", "drop/a;b", "drop/a\\b",
		"drop/\u202eb", "drop/d$/e", "drop/é a+b,1@2=3%25_.-",
	} {
		in.put(t, key, []byte("x"))
	}
	for _, tt := range []struct {
		key  string
		args []string
		want []string
	}{
		{in.key, []string{"share", ""}, []string{"s3://exports/", "s3://reports/"}},
		{in.key, []string{"share", "s3://re"}, []string{"s3://exports/", "s3://reports/"}}, // the shell picks
		{
			in.key,
			[]string{"share", "s3://reports/"},
			[]string{"s3://reports/2026/", "s3://reports/drop/", "s3://reports/2025.csv"},
		},
		{in.key, []string{"share", "s3://reports/2026/q"}, []string{"s3://reports/2026/q1.csv", "s3://reports/2026/q2.csv"}},
		{in.key, []string{"objects", "s3://reports/2026/d"}, []string{"s3://reports/2026/drafts/"}},
		{in.key, []string{"share", "s3://reports/drop/"}, []string{"s3://reports/drop/é a+b,1@2=3%25_.-"}},
		{in.key + "exporter", []string{"share", ""}, []string{"s3://exports/"}},
		{in.key + "exporter", []string{"share", "s3://reports/"}, nil},
		{in.key + "reader", []string{"share", ""}, nil},
		{"nobody's", []string{"share", ""}, nil},
		{in.key, []string{"revoke", ""}, []string{active.ID}},
		{in.key, []string{"change", active.ID[:4]}, []string{active.ID}},
		{in.key, []string{"show", revoked.ID[:6]}, []string{revoked.ID}},
		{in.key, []string{"list", "--bucket", ""}, []string{"exports", "reports"}},
		{in.key, []string{"share", "--preset", ""}, []string{"handoff", "troubleshooting", "business", "extended"}},
		{in.key, []string{"list", "--state", ""}, []string{"active", "paused", "not_yet", "expired", "revoked", "used_up"}},
		{in.key, []string{"completion", ""}, []string{"bash", "zsh", "fish"}},
	} {
		offers(t, fmt.Sprintf("%q", tt.args), fmt.Sprintf("%q", tt.want), func() string {
			return fmt.Sprintf("%q", g.complete(t, tt.key, tt.args...))
		})
	}
}

// fish completes with what it is taught; bash and zsh can read what they are.
func TestCompletionInShells(t *testing.T) {
	in := install(t)
	in.put(t, "2026/q1.csv", []byte("x"))
	g := in.start()
	dir := t.TempDir()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if _, err := exec.LookPath(shell); err != nil {
			t.Fatalf("%s is not installed: run deploy/test, which installs it", shell)
		}
		script, err := exec.CommandContext(t.Context(), binary, "completion", shell).Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, shell), script, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(shell string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), shell, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "HOME="+dir, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"),
			"KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", shell, err, out)
		}
		return string(out)
	}
	const typed, want = "s3://reports/2026/", "s3://reports/2026/q1.csv"
	offers(t, typed, want, func() string {
		got := run("fish", "-c", fmt.Sprintf("source fish; complete -C %q", "keyhole share "+typed))
		value, _, _ := strings.Cut(got, "\t")
		return strings.TrimSpace(value)
	})
	if got := run("fish", "-c", `source fish; complete -C "keyhole rev"`); !strings.HasPrefix(got, "revoke") {
		t.Errorf("fish offers %q", got)
	}
	run("bash", "-n", "bash")
	run("zsh", "-n", "zsh")
}

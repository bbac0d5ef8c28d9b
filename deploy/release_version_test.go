package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// releaseCheckout makes a Git repository with deploy/release and a CHANGELOG.md, which has a
// section for 1.2.3, and runs Git commands in it.
func releaseCheckout(t *testing.T, commands ...string) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "check out")
	for _, name := range []string{"deploy/release", "deploy/setup"} {
		makeDirectories(t, tree, filepath.Dir(name))
		if err := os.WriteFile(filepath.Join(tree, name), []byte(file(t, name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	changes := "# Changelog\n\n## [Unreleased]\n\n- Later.\n\n" +
		"## [1.2.3] - 2026-11-29\n\nThe third.\n\n### Added\n\n- A thing.\n\n" +
		"## [1.2.2] - soon\n\n- Undated.\n\n## [1.2.1] - 2026-11-27\n\n## [1.2.0] - 2026-11-26\n\n- A zero.\n"
	if err := os.WriteFile(filepath.Join(tree, "CHANGELOG.md"), []byte(changes), 0o644); err != nil {
		t.Fatal(err)
	}
	git := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(commands, "\n"))
	git.Dir = tree
	git.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ann Author", "GIT_AUTHOR_EMAIL=ann@a.test", "GIT_AUTHOR_DATE=1790000000 +0000",
		"GIT_COMMITTER_NAME=Con Committer", "GIT_COMMITTER_EMAIL=con@c.test", "GIT_COMMITTER_DATE=1790000000 +0000")
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tree
}

// release runs deploy/release of a tree, and returns its output and exit code.
func release(t *testing.T, tree string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems strings.Builder
	command := exec.CommandContext(t.Context(), filepath.Join(tree, "deploy/release"), args...)
	command.Stdout, command.Stderr = &out, &problems
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "SOURCE_DATE_EPOCH=")
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), problems.String(), command.ProcessState.ExitCode()
}

const commit = "git init -q && git add . && git commit -qm first"

// A release names its version, and whom to ask about it, from what Git knows.
func TestReleaseDescribesItself(t *testing.T) {
	t.Parallel()
	annotated := "GIT_COMMITTER_NAME='Tina Tagger' GIT_COMMITTER_EMAIL=tina@t.test git tag -am 1.2.3 v1.2.3"
	untagged := "0.0.0-dev.20260921141320.COMMIT"
	committer, tagger := ", Con Committer <con@c.test>, none", ", Tina Tagger <tina@t.test>, none"
	for name, test := range map[string]struct {
		git  string
		args []string
		want string // version, maintainer and homepage
	}{
		"commit":            {"", nil, untagged + committer},
		"dirty":             {"touch new", nil, untagged + ".dirty" + committer},
		"annotated tag":     {annotated, nil, "1.2.3" + tagger},
		"tag and dirty":     {annotated + " && touch new", nil, untagged + ".dirty" + committer},
		"lightweight tag":   {"git tag v1.2.3", nil, "1.2.3" + committer},
		"tag named by flag": {annotated + " && git tag v1.2.0", []string{"--version", "1.2.3"}, "1.2.3" + tagger},
		"candidate":         {"git tag v1.2.3-rc.1", nil, "1.2.3-rc.1" + committer},
		"flags": {
			"git remote add origin https://a.test/b",
			[]string{"--version", "9.9.9", "--maintainer", "Me <me@m.test>", "--homepage", "https://keyhole.test/"},
			"9.9.9, Me <me@m.test>, https://keyhole.test/",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, problems, code := release(t, releaseCheckout(t, commit, test.git), append(test.args, "--describe")...)
			if code != 0 {
				t.Fatalf("exit status %d: %s", code, problems)
			}
			lines := map[string]string{}
			for line := range strings.Lines(out) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				lines[key] = value
			}
			version := regexp.MustCompile(`[0-9a-f]{12}(\.dirty)?$`).ReplaceAllString(lines["version"], "COMMIT$1")
			got := version + ", " + lines["maintainer"] + ", " + lines["homepage"]
			if got != test.want || lines["date"] != "2026-09-21T14:13:20Z" || len(lines["revision"]) != 40 {
				t.Errorf("described as %s, want %s, in\n%s", got, test.want, out)
			}
		})
	}
}

// The homepage is public, so it has no password of the remote, and no path of this machine.
func TestReleaseHomepage(t *testing.T) {
	t.Parallel()
	tree := releaseCheckout(t, commit, "git remote add origin x")
	for origin, want := range map[string]string{
		"https://git.test/o/r.git":              "https://git.test/o/r",
		"https://user:secret@git.test/o/r.git/": "https://git.test/o/r",
		"https://a:se@cret@git.test:8443/o/r":   "https://git.test/o/r",
		"git@git.test:o/r.git":                  "https://git.test/o/r",
		"ssh://git@git.test:22/o/r":             "https://git.test/o/r",
		"https://git.test/o/r?token=secret":     "none",
		"https://git.test/o/r#secret":           "none",
		"https://user:secret@localhost/o/r":     "none",
		"/home/secret/keyhole":                  "none",
		"../secret.git":                         "none",
		"file:///home/secret/keyhole.git":       "none",
		"C:/secret/keyhole":                     "none",
	} {
		run(t, "git", "-C", tree, "config", "remote.origin.url", origin)
		out, problems, code := release(t, tree, "--describe")
		if code != 0 || !strings.HasSuffix(out, "\nhomepage "+want+"\n") || strings.Contains(out, "secret") {
			t.Errorf("%s: exit status %d, want the homepage %s\n%s%s", origin, code, want, out, problems)
		}
	}
}

// A version with a tag has notes, and they are those of this version.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	third := "The third.\n\n### Added\n\n- A thing.\n"
	for name, test := range map[string]struct {
		git, version, want, problem string
	}{
		"a version":          {"", "1.2.3", third, ""},
		"a candidate":        {"", "1.2.3-rc.1", third, ""},
		"the last section":   {"", "1.2.0", "- A zero.\n", ""},
		"a tag":              {"git tag v1.2.3", "", third, ""},
		"no section":         {"", "1.2.4", "", `CHANGELOG.md has no section "## [1.2.4] - YYYY-MM-DD"`},
		"a longer number":    {"", "1.2.30", "", "has no section"},
		"no date":            {"", "1.2.2", "", "has no section"},
		"an empty section":   {"", "1.2.1", "", "has no section"},
		"a tag without":      {"git tag v1.2.4", "", "", "has no section"},
		"a strange tag":      {"git tag 'v1.2.3$(id)'", "", "", `the version is "1.2.3$(id)"`},
		"a tag of two parts": {"git tag v1.2", "", "", `the version is "1.2"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--notes"}
			if test.version != "" {
				args = append(args, "--version", test.version)
			}
			tree := releaseCheckout(t, commit, test.git)
			out, problems, code := release(t, tree, args...)
			if out != test.want || !strings.Contains(problems, test.problem) || (code == 0) != (test.problem == "") {
				t.Errorf("exit status %d\n%s%s", code, out, problems)
			}
			// A whole release checks the same before it builds anything.
			if test.git == "" || test.problem == "" {
				return
			}
			if _, problems, code := release(t, tree); code != 1 || !strings.Contains(problems, test.problem) {
				t.Errorf("a release: exit status %d, %s", code, problems)
			}
		})
	}
}

// A value that would become a part of another field, flag or file name is refused.
func TestReleaseRefusesValues(t *testing.T) {
	t.Parallel()
	tree := releaseCheckout(t, commit)
	for _, test := range []struct{ flag, value string }{
		{"--version", "1.2"},
		{"--version", "1.2.3 -X main.revision=x"},
		{"--version", "../1.2.3"},
		{"--version", "1.2.3\nEssential: yes"},
		{"--version", "1.2.3-rc~1"},
		{"--revision", "a b"},
		{"--revision", "HEAD;id"},
		{"--maintainer", "nobody"},
		{"--maintainer", "A <a@b.test>\nEssential: yes"},
		{"--maintainer", "A <a@b.test>, B <b@b.test>"},
		{"--maintainer", "${HOME} <a@b.test>"},
		{"--homepage", "keyhole.test"},
		{"--homepage", "javascript:alert(1)"},
		{"--homepage", "https://keyhole.test/\nEssential: yes"},
		{"--homepage", "https://keyhole.test/ x"},
		{"--homepage", "https://${HOME}"},
	} {
		out, problems, code := release(t, tree, test.flag, test.value, "--describe")
		if code != 1 || out != "" || !strings.Contains(problems, "the "+strings.TrimPrefix(test.flag, "--")+" is") {
			t.Errorf("%s %q: exit status %d\n%s%s", test.flag, test.value, code, out, problems)
		}
	}
	for _, args := range [][]string{{"--version"}, {"--what"}} {
		if _, problems, code := release(t, tree, args...); code != 2 || problems == "" {
			t.Errorf("%q: exit status %d, %s", args, code, problems)
		}
	}
}

// Without Git, nothing says whose release this is, so that the flags must say it.
func TestReleaseWithoutGit(t *testing.T) {
	t.Parallel()
	tree := releaseCheckout(t)
	flags := []string{"--describe", "--version", "1.2.3", "--maintainer", "Me <me@m.test>"}
	if _, problems, code := release(t, tree, flags...); code != 1 || !strings.Contains(problems, "SOURCE_DATE_EPOCH") {
		t.Errorf("without a date: exit status %d, %s", code, problems)
	}
	t.Run("with a date", func(t *testing.T) {
		out := string(run(t, "env", append([]string{"SOURCE_DATE_EPOCH=1790000000", tree + "/deploy/release"}, flags...)...))
		want := "version 1.2.3\nrevision unknown\ndate 2026-09-21T14:13:20Z\nmaintainer Me <me@m.test>\nhomepage none\n"
		if out != want {
			t.Errorf("described as\n%s", out)
		}
	})
}

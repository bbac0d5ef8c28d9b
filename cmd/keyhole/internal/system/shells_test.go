//go:build system

package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// oddKeys are keys that a shell would obey or read otherwise if it saw them unescaped.
// Each differs from the others in its first letter, but for the last ones, of which the
// shell inserts what they have in common.
func oddKeys() []string {
	return []string{
		"a (1).pdf", "b'c.pdf", "d&e.pdf", "f;g.pdf", "h#i.pdf", "j*k.pdf", "l$HOME.pdf", `m"n.pdf`, "o`touch pwned`.pdf",
		"p,q.pdf", "r!s.pdf", "t~u.pdf", "v{w,x}.pdf", "y[z].pdf", "0?.pdf", "1|2.pdf", "3<4>.pdf", "5=6:7.pdf", "é è.pdf",
		"^8.pdf",
		"=9.pdf", "(touch pwned).pdf", `B\C.pdf`,
		"X$(touch pwned)1.pdf", "X$(touch pwned)2.pdf", "Y (1).pdf", "Y )2.pdf", "Z;touch pwned;1.pdf", "Z;touch pwned;2.pdf",
	}
}

// openShell starts an interactive shell on a terminal, in one directory of its own, that
// has read the completion script. Its keyhole completes with the binary, and prints the
// second argument of any other command.
func (g *instance) openShell(t *testing.T, in *installation, name, setUp string, args ...string) (term *terminal,
	dir string,
) {
	t.Helper()
	dir = t.TempDir()
	script, err := exec.CommandContext(t.Context(), binary, "completion", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	words, err := filepath.Abs("testdata/words.bash")
	if err != nil {
		t.Fatal(err)
	}
	setUp += `
keyhole() { if [ "$1" = __complete ]; then "$BINARY" "$@"; else printf '<%s|%s>\n' got "$2"; fi; }
cd "$HOME"; printf 'ready to %s\n' complete
`
	for file, text := range map[string]string{"script": string(script), "setup": setUp} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	term = g.openProgram(t, in, "env", append([]string{
		"HOME=" + dir, "TERM=dumb", "LC_ALL=C.UTF-8", "BINARY=" + binary, "WORDS=" + words, name,
	}, args...)...)
	term.enter(". " + dir + "/setup\n")
	term.waitFor("ready to complete")
	return term, dir
}

// keysFor returns what is typed to complete one of the odd keys: its first letter and
// TAB, and for those that have more in common what tells them apart.
func keysFor(key string) string {
	first := string([]rune(key)[:1])
	switch {
	case strings.HasPrefix(key, "X"), strings.HasPrefix(key, "Z"):
		return first + "\t\t" + key[len(key)-5:len(key)-4] + "\t"
	case strings.HasPrefix(key, "Y"):
		return first + "\t\t" + key[2:3] + "\t" // Behind the first TAB the line ends in a backslash.
	case strings.ContainsAny(first, "(^"):
		return `\` + first + "\t"
	}
	return first + "\t"
}

// complete types a line with a completion until the shell shows text. If the service does not
// answer in time, the completion offers nothing, and the shell runs or refuses another line.
func (term *terminal) complete(line, text string) {
	term.t.Helper()
	const again = 10 * time.Second
	typed := time.Time{}
	eventually(term.t, "the terminal to show "+text, func() error {
		switch {
		case strings.Contains(term.output.String(), text):
			return nil
		case typed.IsZero():
			term.enter(line)
			typed = time.Now()
		case time.Since(typed) > again:
			term.enter("\x03" + line) // The shell may wait for the rest of a line.
			typed = time.Now()
		}
		return errors.New(term.output.Tail(1 << 10))
	})
}

// TestOddKeysInShells completes keys with characters that shells obey: the command gets
// the key as it is, and no part of a key is run.
func TestOddKeysInShells(t *testing.T) {
	in := install(t)
	for _, key := range oddKeys() {
		in.put(t, "odd/"+key, []byte("x"))
	}
	g := in.start()
	for _, tt := range []struct {
		name, setUp string
		args        []string
	}{
		{
			"bash", `bind 'set completion-query-items 0' 'set page-completions off'; . "$WORDS"; . ~/script`,
			[]string{"--norc", "--noprofile", "-i"},
		},
		{
			"zsh", `autoload -Uz compinit; compinit -D -u; unsetopt automenu; . ~/script; compdef _keyhole keyhole`,
			[]string{"-f", "-i"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			term, dir := g.openShell(t, in, tt.name, tt.setUp, tt.args...)
			for _, key := range oddKeys() {
				term.complete("keyhole share s3://reports/odd/"+keysFor(key)+"\n", "<got|s3://reports/odd/"+key+">")
			}
			if _, err := os.Stat(filepath.Join(dir, "pwned")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a part of a key was run: %v\n%s", err, term.output.Tail(1<<11))
			}
		})
	}
	t.Run("fish", func(t *testing.T) {
		dir := t.TempDir()
		fish := func(line string) string {
			t.Helper()
			command := exec.CommandContext(t.Context(), "fish", "-c", "$BINARY completion fish | source; complete -C $LINE")
			command.Dir = dir
			command.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "BINARY="+binary, "LINE="+line,
				"PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key)
			out, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			return string(out)
		}
		var want []string
		for _, key := range oddKeys() {
			want = append(want, "s3://reports/odd/"+key)
		}
		slices.Sort(want)
		offers(t, "all keys in fish", strings.Join(want, "\n"), func() string {
			got := strings.Split(strings.TrimSpace(fish("keyhole share s3://reports/odd/")), "\n")
			slices.Sort(got)
			return strings.Join(got, "\n")
		})
		offers(t, "an escaped key in fish", "s3://reports/odd/Y (1).pdf", func() string {
			return strings.TrimSpace(fish(`keyhole share s3://reports/odd/Y\ \(`))
		})
		for _, line := range []string{
			"keyhole share 's3://reports/odd/(touch pwned)' --pre",
			`keyhole share s3://reports/odd/X\$\(touch\ pwned\)1 --pre`,
		} {
			if got := fish(line); !strings.HasPrefix(got, "--preset") {
				t.Errorf("%s: fish offers %q", line, got)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "pwned")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a part of a key was run: %v", err)
		}
	})
}

// TestOldCompletionScripts asks as scripts of earlier versions do, which do not escape:
// they are offered no key that a shell would obey, and are told so.
func TestOldCompletionScripts(t *testing.T) {
	in := install(t)
	for _, key := range []string{"a(1)", "a`id`", "a-plain", "a\u202e"} {
		in.put(t, key, []byte("x"))
	}
	g := in.start()
	for variable, want := range map[string]string{
		"": "s3://reports/a-plain\n_activeHelp_ 3 not offered: generate the completion " +
			"script again, because this one is from an earlier version\n",
		"KEYHOLE_COMPLETION" +
			"=escaped": "s3://reports/a(1)\ns3://reports/a-plain\ns3://reports/a`id`\n_activeHelp_ 1 not offered: the names " +
			"contain characters that a terminal cannot show\n",
	} {
		offers(t, fmt.Sprintf("a key with %q", variable), want, func() string {
			command := exec.CommandContext(t.Context(), binary, "__complete", "share", "s3://reports/a")
			command.Env = append(os.Environ(), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key, variable)
			out, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(string(out), ":4")
			return got
		})
	}
}

package localredis

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// set is a command as Redis writes it.
const set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"

// aof makes an append-only file of the given parts; the last one is the newest.
func aof(t *testing.T, parts ...string) (directory string) {
	t.Helper()
	directory = t.TempDir()
	var manifest strings.Builder
	for i, text := range parts {
		name := string(rune('a'+i)) + ".incr.aof"
		manifest.WriteString("file " + name + " seq " + string(rune('1'+i)) + " type i\n")
		put(t, filepath.Join(directory, aofDirectory, name), text)
	}
	put(t, filepath.Join(directory, aofDirectory, aofManifest), manifest.String())
	return directory
}

// put writes a file and makes its directory.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every prefix of a complete file is complete or ends in a half-written command.
func TestCheckPrefixes(t *testing.T) {
	t.Parallel()
	whole := set + "#TS:1628217473\r\n" + set
	for n := range len(whole) + 1 {
		end, err := check(aof(t, set, whole[:n]))
		complete := n == 0 || n == len(set) || n == len(whole)-len(set) || n == len(whole)
		if err != nil || (end == nil) != complete {
			t.Errorf("%q: %+v, %v", whole[:n], end, err)
		}
	}
}

func TestCheckDamage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		parts []string
		want  string
	}{
		"zero bytes at the end": {[]string{set + "\x00\x00"}, "bad file format in the command at byte 27"},
		"a long line":           {[]string{"*" + strings.Repeat("1", 80)}, "bad file format"},
		"no arguments":          {[]string{"*0\r\n"}, "bad file format"},
		"a negative length":     {[]string{"*1\r\n$-1\r\n"}, "bad file format"},
		"a line without CR":     {[]string{"*1\n$1\na\n"}, "bad file format"},
		"a length too short":    {[]string{strings.Replace(set, "$3", "$2", 1)}, "bad file format"},
		"a length too long": {
			[]string{strings.Replace(set, "$3", "$300", 1) + set}, "the command at byte 0 has a wrong length",
		},
		"more arguments than there are": {[]string{strings.Replace(set, "*3", "*9", 1) + set}, "bad file format"},
		"an older part is cut":          {[]string{set[:9], set}, "it ends inside a command"},
		"a huge half":                   {[]string{"*1\r\n$99999999\r\n" + strings.Repeat("x", maxTail)}, "wrong length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := aof(t, tt.parts...)
			_, err := check(directory)
			wrong, ok := errors.AsType[*Error](err)
			if !ok || !strings.Contains(wrong.Problem, tt.want) {
				t.Fatalf("the error is %v, want %q", err, tt.want)
			}
			if !strings.Contains(wrong.Problem, filepath.Join(directory, aofDirectory, "a.incr.aof")) ||
				!strings.Contains(wrong.Do, "redis-check-aof --fix "+filepath.Join(directory, aofDirectory, aofManifest)) {
				t.Errorf("the error names no file or no command: %s; %s", wrong.Problem, wrong.Do)
			}
		})
	}
}

func TestCheckManifest(t *testing.T) {
	t.Parallel()
	if end, err := check(t.TempDir()); end != nil || err != nil {
		t.Errorf("a new directory: %+v, %v", end, err)
	}
	for name, manifest := range map[string]string{
		"empty":          "",
		"invalid":        "file a.incr.aof\n",
		"another place":  "file ../a.incr.aof seq 1 type i\n",
		"a missing part": "file a.incr.aof seq 1 type i\nfile z.incr.aof seq 2 type i\n",
	} {
		directory := aof(t, set)
		put(t, filepath.Join(directory, aofDirectory, aofManifest), manifest)
		if _, err := check(directory); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	directory := aof(t, set)
	if err := os.Remove(filepath.Join(directory, aofDirectory, aofManifest)); err != nil {
		t.Fatal(err)
	}
	if _, err := check(directory); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("without its manifest: %v", err)
	}
	directory = aof(t, set)
	put(t, filepath.Join(directory, aofDirectory, aofManifest),
		"# comment\n"+
			"file old.base.rdb seq 1 type h\nfile b.base.rdb seq 2 type b\nfile a.incr.aof seq 2 type i startoffset 0\n")
	put(t, filepath.Join(directory, aofDirectory, "b.base.rdb"), "REDIS0010")
	if end, err := check(directory); end != nil || err != nil {
		t.Errorf("a rewritten file: %+v, %v", end, err)
	}
}

package localredis

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/gateway/logtest"
)

// written starts a Redis, writes two values and stops it. It returns the options and the
// path of the newest part of its append-only file.
func written(t *testing.T) (Options, string) {
	t.Helper()
	o, _ := options(t)
	s := start(t, o)
	for _, key := range []string{"keyhole:a", "keyhole:b"} {
		if got := cli(t, o, "SET", key, "1"); got != "OK" {
			t.Fatal(got)
		}
	}
	stop(t, s)
	return o, filepath.Join(o.Directory, aofDirectory, "appendonly.aof.1.incr.aof")
}

// Redis itself drops a half-written last command. The log names the file and the bytes,
// and everything before it is there.
func TestHalfWrittenCommand(t *testing.T) {
	t.Parallel()
	o, file := written(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const half = "*3\r\n$3\r\nSET\r\n$9\r\nkeyho"
	put(t, file, string(whole)+half)
	log := &logtest.Buffer{}
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	start(t, o)
	for _, want := range []string{"half-written command", file, "bytes=22"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, key := range []string{"keyhole:a", "keyhole:b"} {
		if got := cli(t, o, "GET", key); got != "1" {
			t.Errorf("%s is %q", key, got)
		}
	}
}

// Damage that Redis would repair by dropping what follows is refused, and the refusal
// changes no byte.
func TestDamageIsKept(t *testing.T) {
	t.Parallel()
	o, file := written(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a long length": strings.Replace(string(whole), "$9", "$90000", 1),
		"zero bytes":    string(whole) + strings.Repeat("\x00", 512),
		"a wrong byte":  strings.Replace(string(whole), "$3\r\nSET", "?3\r\nSET", 1),
		"text":          string(whole) + "half",
	} {
		put(t, file, content)
		wantRefused(t, o, file+" is damaged")
		if after, err := os.ReadFile(file); err != nil || string(after) != content {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
	}
	put(t, file, string(whole))
	start(t, o)
	if got := cli(t, o, "GET", "keyhole:b"); got != "1" {
		t.Errorf("the data is %q", got)
	}
}

// Messages of Redis about a file that it cannot load are damage. Other warnings are not:
// the advice to repair a whole file would be wrong.
func TestDamageTexts(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"Bad file format reading the append only file: make a backup":          true,
		"Wrong RDB checksum expected: (a) but got (b). Aborting now.":          true,
		"Unrecoverable error reading the append only file: Input/output error": true,
		"Unexpected end of file reading the append only file":                  true,
		"Short read or OOM loading DB. Unrecoverable error, aborting now.":     true,
		"Fatal error loading the DB, check server logs. manifest":              true,
		"WARNING Memory overcommit must be enabled!":                           false,
		"Failed opening Unix socket: bind: Permission denied":                  false,
		"Can't open the append-only file: Permission denied":                   false,
	} {
		o := &output{log: slog.New(slog.DiscardHandler)}
		line := "1:M 29 Nov 2026 08:00:00.000 # " + message + "\n"
		if _, err := o.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if e := o.ending(); e.mistake != message || (e.damage == message) != want {
			t.Errorf("%q: %+v", message, e)
		}
	}
}

// Examine changes nothing, and names what is wrong and the command that corrects it.
func TestExamine(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	if err := Examine(missing); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it made the directory: %v", err)
	}
	for _, mode := range []os.FileMode{0o710, 0o701, 0o770, 0o707} {
		directory := t.TempDir()
		if err := os.Chmod(directory, mode); err != nil {
			t.Fatal(err)
		}
		wrong, ok := errors.AsType[*Error](Examine(directory))
		if !ok || wrong.Do != "chmod 700 "+directory {
			t.Errorf("%o: %v", mode, wrong)
		}
		if err := os.Chmod(directory, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := Examine(directory); err != nil {
			t.Errorf("after the correction: %v", err)
		}
	}
}

// A part that cannot be read is no damage: nobody should repair it.
func TestUnreadableParts(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"a part": "a.incr.aof", "the manifest": aofManifest} {
		directory := aof(t, set)
		path = filepath.Join(directory, aofDirectory, path)
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		_, err := check(directory)
		if err == nil || strings.Contains(err.Error(), "redis-check-aof") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Quoted texts reach Redis as one argument.
func TestQuoted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`/plain`: `"/plain"`, `/a b`: `"/a b"`, `/"`: `"/\""`, `/\`: `"/\\"`, `/\"`: `"/\\\""`, ``: `""`,
	} {
		if got := quoted(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	o, _ := options(t)
	o.Directory = filepath.Join(filepath.Dir(o.Directory), `it's "a\b" c`)
	start(t, o)
	if got := cli(t, o, "SET", "keyhole:a", "1"); got != "OK" {
		t.Errorf("in a directory with quotes: %s", got)
	}
}

// A full disk shows itself in two messages: an error, or a write that was done in part.
func TestFullDiskTexts(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]bool{
		"Error writing to the AOF file: No space left on device":                   true,
		"Short write while writing to the AOF file: (nwritten=101, expected=4096)": true,
		"Error writing to the AOF file: Input/output error":                        false,
	} {
		o := &output{log: slog.New(slog.DiscardHandler)}
		if _, err := o.Write([]byte("1:M 29 Nov 2026 08:00:00.000 # " + message + "\n")); err != nil {
			t.Fatal(err)
		}
		if e := o.ending(); e.full != want {
			t.Errorf("%q: %+v", message, e)
		}
	}
}

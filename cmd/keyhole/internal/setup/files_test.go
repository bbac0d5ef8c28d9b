package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
)

// names returns the names in a directory.
func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// create makes complete files that only their user can read, and never replaces anything:
// no file, no directory and no symbolic link.
func TestCreate(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path := filepath.Join(directory, "new")
	if err := create(path, "text"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	info, statErr := os.Stat(path)
	if err := errors.Join(err, statErr); err != nil || string(text) != "text" || info.Mode() != 0o600 {
		t.Errorf("%q with mode %v, %v", text, info.Mode(), err)
	}
	dangling, folder := filepath.Join(directory, "dangling"), filepath.Join(directory, "folder")
	if err := errors.Join(os.Symlink("nowhere", dangling), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{path, dangling, folder} {
		if err := create(taken, "other"); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", taken, err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "text" {
		t.Errorf("the file was replaced: %q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(directory, "nowhere")); err == nil {
		t.Error("a file was made through a symbolic link")
	}
	if got := names(t, directory); len(got) != 3 {
		t.Errorf("temporary files stay: %v", got)
	}
	if err := create(filepath.Join(directory, "missing", "new"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
}

// A file that appears after the check stops the command, which removes what it has written.
func TestWriteAfterAnotherCommand(t *testing.T) {
	t.Parallel()
	for _, name := range files() {
		directory := t.TempDir()
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		a := &answers{flags: flags{directory: directory}}
		if err := a.write(); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		if got := names(t, directory); len(got) != 1 || got[0] != name {
			t.Errorf("%s: the directory has %v", name, got)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

// A directory with other files is used as it is, and keeps them. A symbolic link that leads
// nowhere counts as a file.
func TestExistingDirectory(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "notes"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--directory", directory, "--bucket", "reports"}
	if got := initialise(t, t.TempDir(), args); got.err != nil {
		t.Fatal(got.err)
	}
	if got := names(t, directory); len(got) != len(files())+1 {
		t.Errorf("the directory has %v", got)
	}
	again := initialise(t, t.TempDir(), args)
	every := regexp.MustCompile(`^\S+/operator\.key, \S+/s3_secret_access_key, \S+/keyhole\.yaml exist already; ` +
		`nothing was written`)
	if again.err == nil || !every.MatchString(again.err.Error()) {
		t.Errorf("a second call: %v", again.err)
	}
	linked := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(linked, secretFile)); err != nil {
		t.Fatal(err)
	}
	if err := refuseExisting(linked); err == nil {
		t.Error("a dangling link is accepted")
	}
}

// A directory that cannot be made: the error names it.
func TestNoDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Without credentials: the directory is the first mistake to be found.
	directory := filepath.Join(file, "d")
	got := initialise(t, t.TempDir(), []string{"--directory", directory, "--bucket", "reports"}, "AWS_ACCESS_KEY_ID=")
	wrong, ok := errors.AsType[*command.Error](got.err)
	if !ok || wrong.Error() != "cannot write to "+directory+": not a directory; nothing was written" ||
		wrong.Hint != "choose another --directory" || wrong.Code != command.ExitFailed {
		t.Errorf("the error is %v", got.err)
	}
}

// The hint of a directory that cannot be written depends on the reason. The error does not
// name the temporary file.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		reason error
		want   string
	}{
		{fs.ErrPermission, "choose another --directory, or run the command as a user who may write there"},
		{fs.ErrExist, "choose another --directory, or move the file away"},
		{syscall.ENOSPC, "choose another --directory, or make space on its disk"},
		{syscall.EROFS, "choose another --directory"},
	} {
		err := unwritable("/srv", &fs.PathError{Op: "open", Path: "/srv/.init-7", Err: tt.reason})
		wrong, ok := errors.AsType[*command.Error](err)
		if !ok || wrong.Hint != tt.want || !errors.Is(err, tt.reason) || strings.Contains(err.Error(), ".init-") {
			t.Errorf("%v: %v", tt.reason, err)
		}
	}
}

// A directory that can be made is not made by the check.
func TestProbe(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for _, directory := range []string{base, filepath.Join(base, "a"), filepath.Join(base, "a", "b", "c")} {
		if err := checkWritable(directory); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, base); len(got) > 0 {
		t.Errorf("it leaves %v", got)
	}
}

// A context that cannot be added takes the files with it: without it, the user would have
// to clean up before a second call.
func TestNoContext(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	home, directory := t.TempDir(), filepath.Join(base, "a", "b", "d")
	if err := os.MkdirAll(filepath.Join(home, "keyhole", "config.yaml.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := initialise(t, home, []string{"--directory", directory, "--bucket", "reports"}); got.err == nil {
		t.Error("it succeeds without a lock")
	}
	if got := names(t, base); len(got) > 0 {
		t.Errorf("a directory stays: %v", got)
	}
	// A broken client configuration is found before anything is written.
	if err := os.WriteFile(filepath.Join(home, "keyhole", "config.yaml"), []byte("contexts: 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := initialise(t, home, []string{"--directory", directory, "--bucket", "reports"}); got.err == nil {
		t.Error("it succeeds with a broken client configuration")
	}
	if _, err := os.Lstat(directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	// Without a home there is no place for the context.
	if got := initialise(t, "", []string{"--directory", directory, "--bucket", "reports"}); got.err == nil {
		t.Error("it succeeds without a home")
	}
}

// A socket has a short path, so a Redis of the service needs a short directory. Without
// one, the directory may be long.
func TestLongDirectory(t *testing.T) {
	base := t.TempDir()
	long := filepath.Join(base, strings.Repeat("d", localredis.MaxDirectory))
	args := []string{"--directory", long, "--bucket", "reports"}
	got := initialise(t, t.TempDir(), args)
	wrong, ok := errors.AsType[*command.Error](got.err)
	if !ok || !strings.Contains(wrong.Error(), "92 bytes") || wrong.Hint != "choose a shorter --directory" {
		t.Errorf("the error is %v", got.err)
	}
	if got := names(t, base); len(got) > 0 {
		t.Errorf("it wrote %v", got)
	}
	t.Setenv("PATH", t.TempDir())
	if got := initialise(t, t.TempDir(), args); got.err != nil {
		t.Errorf("without a redis-server: %v", got.err)
	}
}

// A redis-server that is too old is named, because its user expects it to be used.
func TestOldRedis(t *testing.T) {
	bin := t.TempDir()
	program := filepath.Join(bin, "redis-server")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'Redis server v=6.0.16 sha=0'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	directory := t.TempDir()
	got := initialise(t, t.TempDir(), []string{"--directory", directory, "--bucket", "reports"})
	if got.err != nil || !strings.Contains(got.stderr, program+" has version 6.0.16, which is too old; the service uses") {
		t.Errorf("%v\n%s", got.err, got.stderr)
	}
	if cfg := load(t, directory); cfg.Redis.Mode != "single" {
		t.Errorf("redis is %+v", cfg.Redis)
	}
}

package localredis

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No service starts on a directory that was retired, and a move can be repeated on it.
func TestRetire(t *testing.T) {
	t.Parallel()
	o, _ := written(t)
	if mark, err := RetiredBy(o.Directory); mark != "" || err != nil {
		t.Errorf("a directory in use: %q, %v", mark, err)
	}
	for _, to := range []string{"first.example.com:6379", "redis.example.com:6379"} {
		if err := Retire(o.Directory, to, "moving "+to); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, o, "the links in "+o.Directory+" were moved to redis.example.com:6379; the old data knows no later")
	if mark, err := RetiredBy(o.Directory); mark != "moving redis.example.com:6379" || err != nil {
		t.Errorf("the mark: %q, %v", mark, err)
	}
	wrong, ok := errors.AsType[*Error](Examine(o.Directory))
	if !ok || !strings.Contains(wrong.Do, "remove "+filepath.Join(o.Directory, retiredName)) {
		t.Errorf("the examination says %v", wrong)
	}
	o.Retired, o.Commands = true, []string{"scan"}
	s := start(t, o)
	if got := cli(t, o, "SCAN", "0"); !strings.Contains(got, "keyhole:a") {
		t.Errorf("SCAN: %s", got)
	}
	stop(t, s)
	// Somebody who decides to go back removes the file.
	if err := os.Remove(filepath.Join(o.Directory, retiredName)); err != nil {
		t.Fatal(err)
	}
	o.Retired, o.Commands = false, nil
	start(t, o)
	if got := cli(t, o, "SCAN", "0"); !strings.Contains(got, "NOPERM") {
		t.Errorf("the service may scan: %s", got)
	}
}

// A mark that cannot be written or read is an error: the directory must not look usable.
func TestRetireFails(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.Chmod(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, "no directory", Retire(filepath.Join(directory, "none"), "x", "moving x"), "cannot be used")
	put(t, filepath.Join(directory, retiredName, "file"), "")
	wantError(t, "a directory as mark", Retire(directory, "x", "moving x"), "cannot be used")
	wantError(t, "an unreadable mark", Examine(directory), "cannot be used")
	_, err := RetiredBy(directory)
	wantError(t, "an unreadable mark", err, "cannot be used")
	other := t.TempDir()
	put(t, filepath.Join(other, retiredName), "redis.example.com:6379\n")
	if mark, err := RetiredBy(other); mark != unknownMark || err != nil {
		t.Errorf("a file without a mark: %q, %v", mark, err)
	}
}

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
	for _, to := range []string{"first.example.com:6379", "redis.example.com:6379"} {
		if err := Retire(o.Directory, to); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, o, "the links in "+o.Directory+" were moved to redis.example.com:6379; the old data knows no later")
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
	wantError(t, "no directory", Retire(filepath.Join(directory, "none"), "x"), "cannot be used")
	put(t, filepath.Join(directory, retiredName, "file"), "")
	wantError(t, "a directory as mark", Retire(directory, "x"), "cannot be used")
	wantError(t, "an unreadable mark", Examine(directory), "cannot be used")
}

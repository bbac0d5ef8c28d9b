package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePerf records until it gets SIGINT, as perf does, and reports what it was asked for.
const fakePerf = `case $1 in
record) exec sleep 60 ;;
report) echo "report: $*" ;;
esac`

// TestProfiled records the core of the gateway during the call, into a file named after
// the row.
func TestProfiled(t *testing.T) {
	install(t, "perf", fakePerf)
	b := &bench{o: testOptions(t)}
	b.o.profile, b.o.core = filepath.Join(t.TempDir(), "profiles"), "1"
	called := false
	err := b.profiled(t.Context(), "Keyhole, pin auto, at 5 s", func() error {
		called = true
		return nil
	})
	if err != nil || !called {
		t.Fatalf("called %v, %v", called, err)
	}
	const name = "keyhole--pin-auto--at-5-s"
	text, err := os.ReadFile(filepath.Join(b.o.profile, name+".txt"))
	if err != nil || !strings.HasPrefix(string(text), "report: report --stdio --input ") ||
		!strings.Contains(string(text), name+".data") {
		t.Errorf("the report is %q, %v", text, err)
	}
}

// TestProfiledOnlyIfAsked makes the call without perf unless the options name a directory.
func TestProfiledOnlyIfAsked(t *testing.T) {
	install(t, "perf", "exit 1")
	b := &bench{o: testOptions(t)}
	cause := errors.New("the load failed")
	if err := b.profiled(t.Context(), "x", func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// TestProfiledFails keeps the error of the call, and reports a perf that cannot start.
func TestProfiledFails(t *testing.T) {
	install(t, "perf", fakePerf)
	b := &bench{o: testOptions(t)}
	b.o.profile = t.TempDir()
	cause := errors.New("the load failed")
	if err := b.profiled(t.Context(), "x", func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(b.o.profile, "x.txt")); err == nil {
		t.Error("a call that failed has a report")
	}
	install(t, "perf", "case $1 in record) exec sleep 60 ;; *) exit 2 ;; esac")
	if err := b.profiled(t.Context(), "y", func() error { return nil }); err == nil ||
		!strings.Contains(err.Error(), "perf report") {
		t.Errorf("a report that fails: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := b.profiled(t.Context(), "z", func() error { return nil }); err == nil {
		t.Error("perf is not installed, and that is no error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.o.profile = filepath.Join(file, "profiles")
	if err := b.profiled(t.Context(), "z", func() error { return nil }); err == nil {
		t.Error("a directory that cannot be made is no error")
	}
}

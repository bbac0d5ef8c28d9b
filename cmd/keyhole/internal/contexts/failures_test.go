package contexts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// nothing is a change that changes nothing.
func nothing(*Config) error { return nil }

// A file that is not valid is never overwritten, because it may contain keys.
func TestUpdateOfInvalidFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"contexts: canary", "contexts: [{ name: a, url: u }]", "a: 1\n---\nb: 2"} {
		path := put(t, text)
		called := false
		err := Update(t.Context(), path, func(*Config) error {
			called = true
			return nil
		})
		if !errors.Is(err, ErrInvalid) || called {
			t.Errorf("%q: got %v, called %v", text, err, called)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != text {
			t.Errorf("%q: the file is now %q, %v", text, after, err)
		}
	}
}

// Places where no file can be are errors of the file system, not mistakes in the file.
func TestPlacesWithoutFile(t *testing.T) {
	t.Parallel()
	file := put(t, "")
	directory := filepath.Join(t.TempDir(), "keyhole")
	if err := os.MkdirAll(filepath.Join(directory, "config.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a file as directory":     filepath.Join(file, "config.yaml"),
		"a directory as file":     filepath.Join(directory, "config.yaml"),
		"a name with a zero":      filepath.Join(directory, "a\x00b"),
		"a name that is too long": filepath.Join(directory, strings.Repeat("a", 300)),
	} {
		if err := Update(t.Context(), path, nothing); err == nil || errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(directory, ".config-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %q, %v", left, err)
	}
}

// Values that YAML could read as something else come back as they were.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	path := put(t, "")
	want := []Context{
		{Name: "1", URL: "http://127.0.0.1:8081", Key: "true"},
		{Name: "null", URL: "https://[::1]:1", Key: "1e9"},
		{Name: "on", URL: "https://x", Key: "#: -{}[]&*!|>'\"%@`"},
		{Name: "t", URL: "https://x", Key: strings.Repeat("e", 4000) + ".x.y"},
		{Name: "f", URL: "https://x", KeyFile: "/tmp/a key: #1"},
	}
	err := Update(t.Context(), path, func(c *Config) error {
		for _, x := range want {
			if err := c.Add(x, false); err != nil {
				return err
			}
		}
		return c.Use("on")
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil || c.Current != "on" {
		t.Fatalf("got %+v, %v", c, err)
	}
	for i, x := range want {
		if c.Contexts[i] != x {
			t.Errorf("got %+v, want %+v", c.Contexts[i], x)
		}
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "# Written by keyhole context.") {
		t.Errorf("the file does not say what it is: %v", err)
	}
}

// A reader beside writers gets a whole file each time.
func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	path := put(t, "")
	if err := add(t, path, "prod"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if c, err := Load(path); err != nil || len(c.Contexts) != 1 {
					t.Errorf("got %+v, %v", c, err)
					return
				}
			}
		})
	}
	for range 30 {
		if err := Update(t.Context(), path, nothing); err != nil {
			t.Error(err)
		}
	}
	cancel()
	readers.Wait()
}

// The lock belongs to one holder at a time, and its release gives it to one waiter.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second holder: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		next, err := lock(t.Context(), path)
		if err == nil {
			next()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("the waiter: %v", err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if unlock, err := lock(ctx, path); err != nil {
		t.Errorf("a free lock needs no time: %v", err)
	} else {
		unlock()
	}
}

package contexts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The path follows os.UserConfigDir, from the variables of the command.
func TestPath(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Fatal("the expectations are those of Linux")
	}
	for environment, want := range map[[2]string]string{ // HOME, XDG_CONFIG_HOME
		{"/home/ann", ""}:         "/home/ann/.config/keyhole/config.yaml",
		{"/home/ann", "/xdg"}:     "/xdg/keyhole/config.yaml",
		{"", "/xdg"}:              "/xdg/keyhole/config.yaml",
		{"", ""}:                  "",
		{"relative", ""}:          "",
		{"/home/ann", "relative"}: "",
	} {
		got, err := Path(func(name string) string {
			return map[string]string{"HOME": environment[0], "XDG_CONFIG_HOME": environment[1]}[name]
		})
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrNoDirectory) {
			t.Errorf("%q: got %q, %v, want %q", environment, got, err, want)
		}
	}
}

// add adds a context in a file.
func add(t *testing.T, path, name string) error {
	t.Helper()
	return Update(t.Context(), path, func(c *Config) error {
		return c.Add(Context{Name: name, URL: "https://keyhole.example.com", Key: "khk_canary"}, false)
	})
}

// Update creates file and directory, both for their owner only, and Load reads the file.
func TestUpdateCreates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "keyhole", "config.yaml")
	if c, err := Load(path); err != nil || len(c.Contexts) > 0 {
		t.Fatalf("before: %+v, %v", c, err)
	}
	if err := add(t, path, "prod"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, path + ".lock": 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	c, err := Load(path)
	if err != nil || c.Current != "prod" || c.Contexts[0].Key != "khk_canary" {
		t.Errorf("got %+v, %v", c, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".config-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %q, %v", left, err)
	}
}

// A change that is refused leaves the file as it was.
func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyhole", "config.yaml")
	if err := add(t, path, "prod"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config) error{
		"an error":      func(*Config) error { return ErrUnknown },
		"no URL":        func(c *Config) error { return c.Add(Context{Name: "x", Key: "k"}, false) },
		"an empty name": func(c *Config) error { return c.Add(Context{URL: "https://x", Key: "k"}, false) },
		"no key":        func(c *Config) error { return c.Add(Context{Name: "x", URL: "https://x"}, false) },
		"two keys": func(c *Config) error {
			return c.Add(Context{Name: "x", URL: "https://x", Key: "k", KeyFile: "f"}, false)
		},
	} {
		if err := Update(t.Context(), path, change); err == nil {
			t.Errorf("%s was accepted", name)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s: the file is now\n%s, %v", name, after, err)
		}
	}
}

// Concurrent updates lose no context, and a reader never gets half a file.
func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyhole", "config.yaml")
	const many = 20
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			if err := add(t, path, fmt.Sprintf("context-%d", i)); err != nil {
				t.Error(err)
			}
			if _, err := Load(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if c, err := Load(path); err != nil || len(c.Contexts) != many {
		t.Errorf("%d contexts are left, %v", len(c.Contexts), err)
	}
}

// An update waits for another one and gives up with it, not before.
func TestUpdateWhileLocked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	unlock, err := tryLock(path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Update(ctx, path, func(*Config) error { return nil }); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	unlock()
	if err := Update(t.Context(), path, func(*Config) error { return nil }); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

// A file or directory that others may read or change is refused, by readers and writers.
func TestWideModes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, directory fs.FileMode
		refused         string // the base name of the refused path; empty: none
	}{
		"as written":           {0o600, 0o700, ""},
		"narrower":             {0o400, 0o500, ""},
		"readable by a group":  {0o640, 0o700, "config.yaml"},
		"readable by everyone": {0o644, 0o700, "config.yaml"},
		"executable":           {0o700, 0o700, "config.yaml"},
		"a wide directory":     {0o600, 0o755, "keyhole"},
	} {
		path := filepath.Join(t.TempDir(), "keyhole", "config.yaml")
		if err := add(t, path, "prod"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, tt.file), os.Chmod(filepath.Dir(path), tt.directory)); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		wide, is := errors.AsType[*ModeError](err)
		if tt.refused == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !is || filepath.Base(wide.Path) != tt.refused || wide.Mode&^wide.Want == 0 ||
			!strings.Contains(err.Error(), wide.Path) {
			t.Errorf("%s: %v", name, err)
		}
		if err := add(t, path, "other"); !errors.As(err, &wide) {
			t.Errorf("%s: written: %v", name, err)
		}
	}
	// The directory is checked before the first file exists.
	directory := filepath.Join(t.TempDir(), "keyhole")
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	var wide *ModeError
	if err := add(t, filepath.Join(directory, "config.yaml"), "prod"); !errors.As(err, &wide) || wide.Want != 0o700 {
		t.Errorf("a new file in a wide directory: %v", err)
	}
}

// put writes a configuration as a person would.
func put(t *testing.T, text string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "keyhole")
	path := filepath.Join(directory, "config.yaml")
	if err := errors.Join(os.Mkdir(directory, 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A mistake in the file is named by its line or its entry, and never by its text.
func TestMistakesInFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":             "",
		"# nothing\n":  "",
		"contexts: []": "",
		"current: a\ncontexts: [{ name: a, url: u, key: k }]": "",
		"contexts: canary":                                  "configuration of contexts: line 1:",
		"contexts:\n  - name: a\n    canary: x":             "configuration of contexts: line 3:",
		"contexts:\n  - { name: a, url: u, key: [canary] }": "configuration of contexts: line 2:",
		"canary: [": "configuration of contexts: line 1:",
		"contexts: [{ name: a, url: u, key: canary }]\n---\nx: 1":                 "one YAML document",
		"contexts: [{ name: canary, url: u }]":                                    "contexts[0] needs either key or key_file",
		"contexts: [{ name: a b, url: canary, key: k }]":                          "contexts[0].name must have",
		"contexts: [{ name: a, key: canary }]":                                    "contexts[0].url is missing",
		"contexts: [{ name: a, url: u, key: k }, { name: a, url: u, key: k }]":    "has the same name as contexts[0]",
		"current: canary\ncontexts: [{ name: a, url: u, key: k }]":                "current is not the name of a context",
		"contexts: [{ name: a, url: u, key: k }] # " + strings.Repeat("x", 1<<20): "larger than 1048576 bytes",
	} {
		path := put(t, text)
		_, err := Load(path)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.80q: got %v, want %q", text, err, want)
		case err != nil && (!errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "canary") ||
			!strings.Contains(err.Error(), path)):
			t.Errorf("%.80q: got %v", text, err)
		}
	}
}

// A relative key_file is beside the configuration, whatever the working directory is.
func TestRelativeKeyFile(t *testing.T) {
	t.Parallel()
	path := put(t, "contexts: [{ name: a, url: u, key_file: a.key }, { name: b, url: u, key_file: /b.key }]")
	c, err := Load(path)
	want := filepath.Join(filepath.Dir(path), "a.key")
	if err != nil || c.Contexts[0].KeyFile != want || c.Contexts[1].KeyFile != "/b.key" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// A symbolic link to the configuration stays one, and the file behind it is written.
func TestSymbolicLink(t *testing.T) {
	t.Parallel()
	elsewhere := put(t, "")
	path := filepath.Join(t.TempDir(), "keyhole", "config.yaml")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.Symlink(elsewhere, path)); err != nil {
		t.Fatal(err)
	}
	if err := add(t, path, "prod"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is now %v, %v", info.Mode(), err)
	}
	if c, err := Load(elsewhere); err != nil || len(c.Contexts) != 1 {
		t.Errorf("behind the link: %+v, %v", c, err)
	}
}

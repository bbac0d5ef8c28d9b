package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestReadTree(t *testing.T) {
	tree := parsed(t, map[string]string{
		"main.go":                   "package m\n",
		"store/store.go":            "package store\n",
		"store/store_test.go":       "package store\n",
		"store/lua/deep/spend.lua":  "return 1\n",
		"store/testdata/broken.go":  "no Go at all",
		"other/load.lua":            "return 2\n", // no package is above it but the root
		".hidden/hidden.go":         "no Go at all",
		"nested/go.mod":             "module example.com/nested\n",
		"nested/nested.go":          "no Go at all",
		"web/node_modules/x/gyp.go": "no Go at all",
		"docs/README.md":            "no Go at all",
	})
	if tree.module != "example.com/m" {
		t.Errorf("the module is %q", tree.module)
	}
	got := []string{}
	for _, p := range tree.packages {
		for _, f := range p.files {
			kind := "code"
			if f.test {
				kind = "test"
			}
			got = append(got, p.dir+" "+f.path+" "+kind)
		}
	}
	slices.Sort(got)
	wantLines(t, got,
		". main.go code",
		". other/load.lua code",
		"store store/lua/deep/spend.lua code",
		"store store/store.go code",
		"store store/store_test.go test",
	)
}

func TestReadTreeFails(t *testing.T) {
	if _, err := readTree(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without go.mod: %v", err)
	}
	for name, files := range map[string]map[string]string{
		"no module": {"go.mod": "go 1.26\n"},
		"no Go":     {"a.go": "package"},
	} {
		if _, err := readTree(writeTree(t, files)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// git runs git in a directory, with an author of its own.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// committed returns a repository whose first commit has these files.
func committed(t *testing.T, files map[string]string) string {
	t.Helper()
	root := writeTree(t, files)
	git(t, root, "init", "--quiet")
	git(t, root, "add", "--all")
	git(t, root, "commit", "--quiet", "--message", "first")
	return root
}

func TestAtRevision(t *testing.T) {
	root := committed(t, map[string]string{"a/a.go": "package a\n", "run": "#!/bin/sh\n"})
	write(t, filepath.Join(root, "b/b.go"), "package b\n") // not committed
	var dir string
	err := atRevision(root, "HEAD", func(tree *tree, at string) error {
		dir = at
		if len(tree.packages) != 1 || tree.packages[0].dir != "a" {
			t.Errorf("the commit has the packages %v", tree.packages)
		}
		_, err := os.Stat(filepath.Join(at, "run"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the commit is left: %v", err)
	}
	if err := atRevision(root, "no-such-commit", nil); err == nil {
		t.Error("a commit that does not exist is accepted")
	}
	stop := errors.New("stop")
	if err := atRevision(root, "HEAD", func(*tree, string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of the caller", err)
	}
}

func TestUnpack(t *testing.T) {
	archive := func(name string, kind byte) *bytes.Buffer {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		header := &tar.Header{Name: name, Typeflag: kind, Mode: 0o755, Linkname: "/etc/passwd"}
		if kind == tar.TypeReg {
			header.Size = 4
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if kind == tar.TypeReg {
			if _, err := w.Write([]byte("text")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &b
	}
	dir := t.TempDir()
	if err := unpack(archive("a/b/run", tar.TypeReg), dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "a/b/run"))
	if err != nil || info.Mode().Perm()&0o100 == 0 || info.Size() != 4 {
		t.Errorf("the file is %v, %v", info, err)
	}
	// Links are left out: nothing of a tree that is read needs them.
	if err := unpack(archive("link", tar.TypeSymlink), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "link")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a link was unpacked: %v", err)
	}
	if err := unpack(archive("../outside", tar.TypeReg), dir); err == nil {
		t.Error("a file outside of the directory was unpacked")
	}
	if err := unpack(bytes.NewBufferString("no archive"), dir); err == nil {
		t.Error("a text is accepted as an archive")
	}
	if err := unpack(&bytes.Buffer{}, filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that does not exist is accepted")
	}
}

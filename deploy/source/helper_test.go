package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeTree writes files by path below a directory of the test, with a go.mod of the
// module example.com/m, and returns the directory.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.com/m\n\ngo 1.26\n")
	for path, text := range files {
		write(t, filepath.Join(root, path), text)
	}
	return root
}

// write writes one file and the directories above it.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// parsed returns the tree of these files.
func parsed(t *testing.T, files map[string]string) *tree {
	t.Helper()
	tree, err := readTree(writeTree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// only returns the measures of a tree with one package.
func only(t *testing.T, files map[string]string) measures {
	t.Helper()
	tree := parsed(t, files)
	if len(tree.packages) != 1 {
		t.Fatalf("%d packages, want 1", len(tree.packages))
	}
	return measure(tree, tree.packages[0])
}

// lines returns the lines of an output that are not empty.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
}

// wantLines compares lines with those wanted, all of them.
func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantFailed checks that a report failed and printed a text.
func wantFailed(t *testing.T, err error, output, want string) {
	t.Helper()
	if !errors.Is(err, errFailed) {
		t.Errorf("error %v, want that the check failed", err)
	}
	if !strings.Contains(output, want) {
		t.Errorf("the output has no %q:\n%s", want, output)
	}
}

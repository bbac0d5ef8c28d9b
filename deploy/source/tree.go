package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tree is the source of a module: its packages in the order of their directories, each with
// its files. Packages of tests (package x_test) belong to the directory that they test.
type tree struct {
	module   string // as go.mod names it
	fset     *token.FileSet
	packages []*pkg // by directory
}

// pkg is one directory with Go files.
type pkg struct {
	dir   string // relative to the root, with slashes; "." is the root
	files []*file
}

// file is one source file. Lua counts as source because the scripts that run in Redis are
// embedded in a package and change with it.
type file struct {
	path   string // relative to the root, with slashes
	text   string
	test   bool      // its name ends in _test.go
	syntax *ast.File // nil for Lua
}

// readTree reads every Go package and every Lua file below root. It leaves out nested
// modules, testdata and directories whose names begin with a dot.
func readTree(root string) (*tree, error) {
	module, err := moduleName(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	t := &tree{module: module, fset: token.NewFileSet()}
	byDir := map[string]*pkg{}
	var scripts []*file
	// WalkDir visits files in the order of their names, so the order of packages and files
	// is the same in every run.
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		extension := filepath.Ext(path)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skipDirectory(root, path, entry.Name())
		case extension != ".go" && extension != ".lua":
			return nil
		}
		f, err := t.read(root, path)
		if err == nil && f.syntax == nil {
			scripts = append(scripts, f)
		} else if err == nil {
			t.packageIn(byDir, parent(path)).files = append(byDir[parent(path)].files, f)
		}
		return err
	})
	// Only now are all packages known: a script may come before the Go files.
	for _, script := range scripts {
		attach(byDir, script)
	}
	slices.SortFunc(t.packages, func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
	return t, err
}

// packageIn returns the package of a directory and adds it to the tree if it is new.
func (t *tree) packageIn(byDir map[string]*pkg, dir string) *pkg {
	if byDir[dir] == nil {
		byDir[dir] = &pkg{dir: dir}
		t.packages = append(t.packages, byDir[dir])
	}
	return byDir[dir]
}

// attach adds a script to the nearest package above it, because that one embeds it.
func attach(byDir map[string]*pkg, script *file) {
	dir := parent(script.path)
	for byDir[dir] == nil && dir != "." {
		dir = parent(dir)
	}
	if p := byDir[dir]; p != nil {
		p.files = append(p.files, script)
	}
}

// parent returns the directory of a path that has slashes.
func parent(path string) string { return filepath.ToSlash(filepath.Dir(path)) }

// skipDirectory returns fs.SkipDir for a directory that is not part of the module: hidden
// ones, those that Go ignores, installed npm packages, and nested modules, which have
// their own go.mod.
func skipDirectory(root, path, name string) error {
	if path == "." {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" {
		return fs.SkipDir
	}
	_, err := os.Stat(filepath.Join(root, path, "go.mod"))
	if err == nil {
		return fs.SkipDir
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// read reads one file and parses it if it is Go. Files with build tags are read like the
// others, because their lines and imports count too.
func (t *tree) read(root, path string) (*file, error) {
	text, err := os.ReadFile(filepath.Join(root, path)) //nolint:gosec // a file of the tree
	if err != nil {
		return nil, err
	}
	f := &file{path: path, text: string(text), test: strings.HasSuffix(path, "_test.go")}
	if filepath.Ext(path) == ".go" {
		f.syntax, err = parser.ParseFile(t.fset, path, text, parser.ParseComments)
	}
	return f, err
}

// moduleName returns the name of the module of a go.mod file. It does not use
// golang.org/x/mod, so that this command needs no dependency.
func moduleName(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the tree
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s names no module", path)
}

// atRevision reads the tree of a commit and calls use with it and with a directory
// that holds the files of the commit. The directory exists until use returns.
func atRevision(root, revision string, use func(t *tree, dir string) error) (err error) {
	var archive, problem bytes.Buffer
	// An archive leaves the working tree and the index alone, unlike git worktree.
	git := exec.Command("git", "-C", root, "archive", "--format=tar", revision) //nolint:gosec // the caller's own commit
	git.Stdout, git.Stderr = &archive, &problem
	if err := git.Run(); err != nil {
		return fmt.Errorf("git archive %s: %w: %s", revision, err, bytes.TrimSpace(problem.Bytes()))
	}
	dir, err := os.MkdirTemp("", "keyhole-source-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unpack(&archive, dir); err != nil {
		return err
	}
	t, err := readTree(dir)
	if err != nil {
		return err
	}
	return use(t, dir)
}

// unpack writes the regular files of a tar archive below dir. A name that leads out of
// dir is an error.
func unpack(archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && header.Typeflag == tar.TypeReg {
			err = unpackFile(root, header, files)
		}
		if err != nil {
			return err
		}
	}
}

// unpackFile writes one file of an archive. Scripts keep their right to run, because
// tests of that tree start them.
func unpackFile(root *os.Root, header *tar.Header, content io.Reader) error {
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(filepath.Dir(header.Name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(header.Mode) & 0o777 //nolint:gosec // the mask makes it fit
	return root.WriteFile(header.Name, text, mode)
}

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// minimal is the least that is valid and warns of nothing.
const minimal = `pages: {organization: Example}
public: {url: https://dl.example.com}
operator:
  keys:
    - name: ci
      sha256: ` + hashA + `
      can: [issue]
storage:
  - name: main
    region: eu-central-1
    buckets: [reports, exports]
`

const (
	hashA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// canary stands for every secret in these tests: it must never be printed.
const canary = "canary-hunter2"

// valid is minimal as a value.
func valid(t *testing.T) *Config {
	t.Helper()
	c, warnings, err := loadText(minimal, nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("the minimal configuration is not clean: %v %v", err, warnings)
	}
	return c
}

// disk is a file system for one test: contents by path, readable by the owner
// alone unless the path begins with /open/.
type disk map[string]string

func (d disk) read(path string, limit int64) ([]byte, fs.FileMode, error) {
	text, ok := d[path]
	if !ok {
		return nil, 0, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if int64(len(text)) > limit {
		return nil, 0, errors.New("it is too large")
	}
	mode := fs.FileMode(0o600)
	if strings.HasPrefix(path, "/open/") {
		mode = 0o644
	}
	return []byte(text), mode, nil
}

// loadText loads text as the file, with files beside it and variables.
func loadText(text string, files disk, environ ...string) (*Config, []Warning, error) {
	all := disk{"keyhole.yaml": text}
	for path, contents := range files {
		all[path] = contents
	}
	return load(LoadOptions{Path: "keyhole.yaml", Environ: environ}, all.read)
}

// lines are the problems of an error as printed.
func lines(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("the error is %T, want Problems: %v", err, err)
	}
	if len(ps) == 0 {
		t.Fatal("the error is an empty list of problems")
	}
	return strings.Split(err.Error(), "\n")
}

// wantLines compares the problems of an error with those wanted, all of them.
func wantLines(t *testing.T, err error, want ...string) {
	t.Helper()
	if got := lines(t, err); !slices.Equal(got, want) {
		t.Errorf("problems:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantWarnings compares warnings, each given as "code path".
func wantWarnings(t *testing.T, got []Warning, want ...string) {
	t.Helper()
	var have []string
	for _, w := range got {
		have = append(have, w.Code+" "+w.Path)
		if w.Message == "" {
			t.Errorf("warning %s has no message", w.Code)
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("warnings %q, want %q", have, want)
	}
}

// writeFile writes a file of the test and returns its path.
func writeFile(t *testing.T, name, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// WriteFile's mode is cut by the umask.
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

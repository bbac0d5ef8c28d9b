package preview

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/pages"
)

// pageSet returns the pages of two states in two languages, for a directory.
func pageSet(t *testing.T, dir string) *pageFiles {
	t.Helper()
	renderer, err := pages.New(pages.Options{Languages: []string{"en", "de"}})
	if err != nil {
		t.Fatal(err)
	}
	return &pageFiles{
		renderer: renderer, states: states()[:2], locales: renderer.Locales(), directory: dir, now: now(),
	}
}

// TestLocalPages expects that only attributes of a page lead to files.
func TestLocalPages(t *testing.T) {
	t.Parallel()
	f := pageSet(t, t.TempDir())
	for before, after := range map[string]string{
		`<img src="/-/icon.svg">`:            `<img src="-/icon.svg">`,
		`<a href="?lang=de">Deutsch</a>`:     `<a href="expired.de.html">Deutsch</a>`,
		`<a href="?lang=fr">Français</a>`:    `<a href="?lang=fr">Français</a>`, // it is not written
		`<dd>/-/icon.svg</dd>`:               `<dd>/-/icon.svg</dd>`,
		`<dd>&#34;/-/ and ?lang=de</dd>`:     `<dd>&#34;/-/ and ?lang=de</dd>`,
		`<a href="https://example.org/-/x">`: `<a href="https://example.org/-/x">`,
	} {
		if got := string(f.local([]byte(before), "expired")); got != after {
			t.Errorf("%s becomes %s, want %s", before, got, after)
		}
	}
}

// TestWrittenAgain expects new content under the same names, and that other files stay.
func TestWrittenAgain(t *testing.T) {
	t.Parallel()
	f := pageSet(t, t.TempDir())
	other := filepath.Join(f.directory, "other.html")
	for _, path := range []string{other, f.path("confirm.en.html")} {
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.write(); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(other); err != nil || string(content) != "old" {
		t.Errorf("another file has %q, %v", content, err)
	}
	if page := read(t, f.directory, "confirm.en.html"); !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) {
		t.Errorf("the page has %.40q", page)
	}
}

// TestUnwritableFiles expects an error for each kind of file.
func TestUnwritableFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-", "confirm.de.html", indexName} {
		f := pageSet(t, t.TempDir())
		// A directory with the name of a file, and a file with the name of a directory.
		blocker := f.path(name)
		var err error
		if name == "-" {
			err = os.WriteFile(blocker, nil, 0o600)
		} else {
			err = os.Mkdir(blocker, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		var blocked *os.PathError
		if err := f.write(); !errors.As(err, &blocked) || !strings.HasPrefix(blocked.Path, blocker) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClosedOutput expects the error of a page that cannot be printed.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err == nil {
		err = closed.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	f := &flags{languages: []string{"en"}, states: []string{"confirm"}}
	if err := run(&command.Env{Stdout: closed}, f, now()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
}

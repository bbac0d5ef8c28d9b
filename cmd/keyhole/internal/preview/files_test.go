package preview

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
)

// contents returns the content of every file below a directory, by its path.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		found[path] = string(read(t, dir, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// writeAt writes the pages that f selects, as of a time.
func writeAt(t *testing.T, f flags, now time.Time) {
	t.Helper()
	if err := run(&command.Env{Stderr: &bytes.Buffer{}}, &f, now); err != nil {
		t.Fatal(err)
	}
}

// TestRunsAreIdentical writes the same bytes for the same time, so that two versions of the
// pages can be compared. Another time changes only pages, and never a name.
func TestRunsAreIdentical(t *testing.T) {
	t.Parallel()
	dir, again := t.TempDir(), t.TempDir()
	writeAt(t, flags{output: dir}, sampleNow())
	writeAt(t, flags{output: again}, sampleNow())
	first := contents(t, dir)
	if !maps.Equal(first, contents(t, again)) {
		t.Error("two directories differ")
	}
	writeAt(t, flags{output: again}, sampleNow())
	if !maps.Equal(first, contents(t, again)) {
		t.Error("a second run into the same directory changes files")
	}
	writeAt(t, flags{output: again}, sampleNow().AddDate(0, 1, 0))
	later := contents(t, again)
	if len(later) != len(first) {
		t.Errorf("%d files, a month later %d", len(first), len(later))
	}
	for name, content := range first {
		// Only these show a time.
		state, _, _ := strings.Cut(name, ".")
		timed := strings.HasPrefix(state, "confirm") && state != "confirmation_required" ||
			strings.HasPrefix(state, "wrong_") ||
			slices.Contains([]string{"expired", "revoked", "not_yet", "rate_limited"}, state)
		if (later[name] != content) != timed {
			t.Errorf("%s: another time changes the page: %t, want %t", name, !timed, timed)
		}
	}
}

// TestFilesAreThePagesOfTheService compares each file with the page on standard output:
// only the addresses of assets and of other languages differ. The assets are complete.
func TestFilesAreThePagesOfTheService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeAt(t, flags{output: dir}, sampleNow())
	renderer, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	written := contents(t, dir)
	for _, asset := range renderer.Assets() {
		if written[strings.TrimPrefix(asset.Path, "/")] != string(asset.Content) {
			t.Errorf("the file of %s differs from the asset", asset.Path)
		}
	}
	want := 1 + len(renderer.Assets()) + len(states())*len(config.PageLanguages())
	if len(written) != want {
		t.Errorf("%d files, want %d", len(written), want)
	}
	for _, name := range names(states()) {
		compareWithService(t, written, name, "ar")
	}
	for _, language := range config.PageLanguages() {
		compareWithService(t, written, "expired", language)
	}
}

// compareWithService fails the test unless the file of a page equals the page on standard
// output, except for addresses.
func compareWithService(t *testing.T, written map[string]string, name, language string) {
	t.Helper()
	var printed bytes.Buffer
	f := flags{states: []string{name}, languages: []string{language}}
	if err := run(&command.Env{Stdout: &printed}, &f, sampleNow()); err != nil {
		t.Fatal(err)
	}
	pagetest.WantConfined(t, pagetest.Parse(t, printed.Bytes()))
	restored := strings.ReplaceAll(written[name+"."+language+".html"], `"-/`, `"/-/`)
	for _, other := range config.PageLanguages() {
		restored = strings.ReplaceAll(restored, `"`+name+"."+other+`.html"`, `"?lang=`+other+`"`)
	}
	if restored != printed.String() {
		t.Errorf("%s.%s.html differs from the page of the service", name, language)
	}
}

// TestIndex lists exactly the pages of a run, state by state, in the order of the languages.
func TestIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeAt(t, flags{output: dir, languages: []string{"ar", "de"}, states: []string{"revoked", "expired"}}, sampleNow())
	index := pagetest.Parse(t, read(t, dir, indexName))
	var labels, links []string
	for _, label := range pagetest.Elements(index, "dt") {
		labels = append(labels, pagetest.Text(label))
	}
	for _, link := range pagetest.Elements(index, "a") {
		links = append(links, pagetest.Text(link)+" "+pagetest.Attribute(link, "href"))
	}
	if !slices.Equal(labels, []string{"expired", "revoked"}) {
		t.Errorf("the states are %q", labels)
	}
	want := []string{"de expired.de.html", "ar expired.ar.html", "de revoked.de.html", "ar revoked.ar.html"}
	if !slices.Equal(links, want) {
		t.Errorf("the links are %q, want %q", links, want)
	}
	style := pagetest.Attribute(pagetest.One(t, index, "link"), "href")
	if !strings.HasPrefix(style, "-/style.") || len(read(t, dir, style)) == 0 {
		t.Errorf("the style sheet is %q", style)
	}
}

// TestOtherFilesStay writes into a directory that the user has filled.
func TestOtherFilesStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"notes.txt": "mine", "confirm.en.html": "an old page", "confirm.xx.html": "mine, too",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeAt(t, flags{output: dir, languages: []string{"en"}}, sampleNow())
	if string(read(t, dir, "notes.txt")) != "mine" || string(read(t, dir, "confirm.xx.html")) != "mine, too" {
		t.Error("a file of the user has changed")
	}
	if !strings.Contains(string(read(t, dir, "confirm.en.html")), "Quarterly report") {
		t.Error("an old page was not replaced")
	}
	if strings.Contains(string(read(t, dir, indexName)), "confirm.xx.html") {
		t.Error("the index lists a file of the user")
	}
}

// TestFilesInTheWay reports the file that cannot be written, and does not claim success.
func TestFilesInTheWay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"-", "expired.de.html", indexName} {
		dir := t.TempDir()
		obstacle := filepath.Join(dir, name)
		var err error
		if name == "-" {
			err = os.WriteFile(obstacle, nil, 0o600)
		} else {
			err = os.Mkdir(obstacle, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		stdout, stderr, err := preview(t, nil, "--output", dir, "--state", "expired", "--language", "de")
		wantUnwritable(t, err, obstacle)
		if stdout != "" || stderr != "" {
			t.Errorf("%s: printed %q, %q", name, stdout, stderr)
		}
	}
}

// wantUnwritable fails the test unless an error names a path and advises another directory.
func wantUnwritable(t *testing.T, err error, path string) {
	t.Helper()
	var problem *command.Error
	if !errors.As(err, &problem) || problem.Code != command.ExitFailed || !strings.Contains(err.Error(), path) ||
		problem.Hint != "name a writable directory with --output" {
		t.Errorf("got %#v, want an error about %s", err, path)
	}
}

package preview

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway/pages/pagetest"
)

// TestFlagBeforeVariable reads the file of --config even if KEYHOLE_CONFIG names another.
func TestFlagBeforeVariable(t *testing.T) {
	t.Parallel()
	byFlag, byVariable := configure(t, "{ organization: By flag }"), configure(t, "{ organization: By variable }")
	page := []string{"--language", "en", "--state", "expired"}
	for name, test := range map[string]struct {
		environ, args []string
		want          string
	}{
		"both":       {[]string{"KEYHOLE_CONFIG=" + byVariable}, []string{"--config", byFlag}, "By flag"},
		"variable":   {[]string{"KEYHOLE_CONFIG=" + byVariable}, nil, "By variable"},
		"flag":       {nil, []string{"--config", byFlag}, "By flag"},
		"bad unread": {[]string{"KEYHOLE_CONFIG=" + byFlag + ".missing"}, []string{"--config", byFlag}, "By flag"},
		"neither":    {[]string{"KEYHOLE_CONFIG="}, nil, ""},
	} {
		stdout, stderr, err := preview(t, test.environ, append(test.args, page...)...)
		if err != nil || stderr != "" {
			t.Errorf("%s: %q, %v", name, stderr, err)
			continue
		}
		header := pagetest.One(t, pagetest.Parse(t, []byte(stdout)), "header")
		if got := strings.TrimSpace(pagetest.Text(header)); got != test.want {
			t.Errorf("%s: the organization is %q", name, got)
		}
	}
}

// TestWarnings prints the warnings about the pages on standard error, and no others: the
// configuration has one about its public URL, too.
func TestWarnings(t *testing.T) {
	t.Parallel()
	path := configure(t, "{ languages: [en, de] }")
	text := strings.ReplaceAll(string(read(t, filepath.Dir(path), filepath.Base(path))), "127.0.0.1:8080", "example.org")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, all, err := config.Load(config.LoadOptions{Path: path})
	if err != nil || len(all) < 2 {
		t.Fatalf("the configuration needs another warning: %v, %v", all, err)
	}
	stdout, stderr, err := preview(t, nil, "--config", path, "--state", "expired", "--language", "en")
	if err != nil || !strings.HasPrefix(stdout, "<!DOCTYPE html>") {
		t.Errorf("%v, %s", err, stdout)
	}
	if !strings.HasPrefix(stderr, "warning: pages.organization") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("printed %q", stderr)
	}
}

// TestLanguagesOfTheConfiguration writes only those, in their order, and pages link to no
// other. The only language has no links to others.
func TestLanguagesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for section, want := range map[string][]string{
		"{ organization: A, languages: [pl, en, ar] }": {"pl", "en", "ar"},
		"{ organization: A, languages: [fr] }":         {"fr"},
	} {
		dir := writePreview(t, "--config", configure(t, section), "--state", "paused")
		var listed []string
		for _, link := range pagetest.Elements(pagetest.Parse(t, read(t, dir, indexName)), "a") {
			listed = append(listed, pagetest.Text(link))
		}
		if !slices.Equal(listed, want) {
			t.Errorf("the index lists %q, want %q", listed, want)
		}
		for _, language := range want {
			page := read(t, dir, fileName("paused", language))
			checkReferences(t, dir, language, page)
			if links := pagetest.Elements(pagetest.Parse(t, page), "a"); len(links) != len(want)-1 {
				t.Errorf("%s: the page has %d links to other languages", language, len(links))
			}
		}
	}
}

// TestLanguagesThatAreNotWritten writes two of all languages: the pages list every language
// like those of the service, and only the links to files on the disk lead anywhere.
func TestLanguagesThatAreNotWritten(t *testing.T) {
	t.Parallel()
	dir := writePreview(t, "--language", "de", "--language", "ar", "--state", "paused")
	got := map[string]string{}
	for _, link := range pagetest.Elements(pagetest.Parse(t, read(t, dir, fileName("paused", "de"))), "a") {
		got[pagetest.Attribute(link, "hreflang")] = pagetest.Attribute(link, "href")
	}
	for _, language := range config.PageLanguages() {
		want := "#"
		switch language {
		case "de": // the page itself
			want = ""
		case "ar":
			want = fileName("paused", "ar")
		}
		if got[language] != want {
			t.Errorf("%s: the page links to %q, want %q", language, got[language], want)
		}
	}
}

// TestHostileBranding shows texts of the configuration as they are, even if they look like
// markup or like the addresses that the preview replaces.
func TestHostileBranding(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `"?lang=en"`, `"/-/style.css"`, `?lang=en`,
		`/-/`, `{{.Style}}`, `</title>`, `&quot;?lang=en&quot;`,
	} {
		dir := writePreview(t, "--config", configure(t, `
  languages: [en]
  organization: '`+text+`'
  links: [{ name: '`+text+`', url: "https://example.org/?lang=en" }]`))
		for _, name := range names(states()) {
			content := read(t, dir, fileName(name, "en"))
			page := pagetest.Parse(t, content)
			wellFormed(t, name, content)
			checkReferences(t, dir, name, content)
			if got := strings.TrimSpace(pagetest.Text(pagetest.One(t, page, "header"))); got != text {
				t.Errorf("%s: the organization is %q, want %q", name, got, text)
			}
			links := pagetest.Elements(pagetest.One(t, page, "footer"), "a")
			if len(links) == 0 || pagetest.Text(links[0]) != text ||
				pagetest.Attribute(links[0], "href") != "https://example.org/?lang=en" {
				t.Errorf("%s: the footer differs from %q", name, text)
			}
			if len(pagetest.Elements(page, "script")) != 1 || len(pagetest.Elements(page, "img")) != 1 {
				t.Errorf("%s: %q has become an element", name, text)
			}
		}
	}
}

// TestDefaultDirectory writes below the working directory and says where and how much.
func TestDefaultDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	stdout, stderr, err := preview(t, nil, "--state", "expired", "--state", "paused", "--language", "en")
	want := "2 pages written; open " + filepath.Join("keyhole-pages", "index.html") + " in a browser\n"
	if err != nil || stdout != "" || stderr != want {
		t.Errorf("%q, %q, %v", stdout, stderr, err)
	}
	if _, err := os.Stat(filepath.Join("keyhole-pages", "paused.en.html")); err != nil {
		t.Error(err)
	}
}

// closed is a standard output or error that nobody reads.
type closed struct{}

var errClosed = errors.New("closed pipe")

func (closed) Write([]byte) (int, error) { return 0, errClosed }

// TestClosedPipe reports output that was lost.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	env := &command.Env{Stdout: closed{}, Stderr: closed{}}
	one := flags{states: []string{"expired"}, languages: []string{"en"}}
	if err := run(env, &one, sampleNow()); !errors.Is(err, errClosed) {
		t.Errorf("a page: got %v", err)
	}
	one.output = t.TempDir()
	if err := run(env, &one, sampleNow()); !errors.Is(err, errClosed) {
		t.Errorf("the message: got %v", err)
	}
}

// TestCompletion offers the values of the flags, and no files.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string][]string{"--state": names(states()), "--language": config.PageLanguages()} {
		var out bytes.Buffer
		cmd := NewCommand(&command.Env{})
		cmd.SetOut(&out)
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs([]string{"__complete", "preview", flag, ""})
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if !slices.Equal(lines[:len(lines)-1], want) || lines[len(lines)-1] != ":4" { // no files
			t.Errorf("%s: offered %q", flag, lines)
		}
	}
}

// TestHelpWithoutCommand prints the help of keyhole pages, which names the command.
func TestHelpWithoutCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := NewCommand(&command.Env{})
	cmd.SetOut(&out)
	cmd.SetArgs([]string{})
	if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "preview") {
		t.Errorf("%v, %s", err, out.String())
	}
}

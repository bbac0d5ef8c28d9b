package preview

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// preview runs keyhole pages preview.
func preview(t *testing.T, environ []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := NewCommand(&command.Env{Stdout: &out, Stderr: &messages, Environ: environ})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(append([]string{"preview"}, args...))
	err = cmd.ExecuteContext(t.Context())
	return out.String(), messages.String(), err
}

// writePreview writes pages into a new directory, and returns it.
func writePreview(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pages")
	stdout, stderr, err := preview(t, nil, append(args, "--output", dir)...)
	if err != nil || stdout != "" || !strings.HasSuffix(stderr, " pages written; open "+filepath.Join(dir, indexName)+
		" in a browser\n") {
		t.Fatalf("%q, %q, %v", stdout, stderr, err)
	}
	return dir
}

// configure writes a configuration with a section pages, and returns its path.
func configure(t *testing.T, section string) string {
	t.Helper()
	dir := t.TempDir()
	logo := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>`
	if err := os.WriteFile(filepath.Join(dir, "logo.svg"), []byte(logo), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keyhole.yaml")
	text := `
public: { url: "http://127.0.0.1:8080" }
operator:
  keys: [{ name: ops, sha256: ` + strings.Repeat("0a", 32) + `, can: [issue] }]
redis: { addresses: ["127.0.0.1:1"] }
storage: [{ name: main, endpoint: "http://127.0.0.1:1", region: r, path_style: true, buckets: [reports] }]
pages: ` + strings.ReplaceAll(section, "LOGO", filepath.Join(dir, "logo.svg")) + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveryStateInEveryLanguage expects a file for each state and language. The list of
// states contains every outcome that can have a page.
func TestEveryStateInEveryLanguage(t *testing.T) {
	t.Parallel()
	dir := writePreview(t)
	for _, outcome := range gateway.Outcomes() {
		switch outcome {
		case gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomePage:
		default:
			if !slices.Contains(names(states()), string(outcome)) {
				t.Errorf("there is no state %s", outcome)
			}
		}
	}
	index := read(t, dir, indexName)
	wellFormed(t, indexName, index)
	for _, s := range states() {
		for _, language := range config.PageLanguages() {
			name := fileName(s.name, language)
			page := read(t, dir, name)
			wellFormed(t, name, page)
			checkReferences(t, dir, name, page)
			if root := pagetest.One(t, pagetest.Parse(t, page), "html"); pagetest.Attribute(root, "lang") != language {
				t.Errorf("%s is in another language", name)
			}
			if !bytes.Contains(index, []byte(`href="`+name+`"`)) {
				t.Errorf("the index does not list %s", name)
			}
		}
	}
	checkReferences(t, dir, indexName, index)
}

// TestStatesDiffer expects that no two states have the same page.
func TestStatesDiffer(t *testing.T) {
	t.Parallel()
	dir := writePreview(t, "--language", "en")
	seen := map[string]string{}
	for _, s := range states() {
		page := string(read(t, dir, fileName(s.name, "en")))
		if other, found := seen[page]; found {
			t.Errorf("%s and %s are equal", s.name, other)
		}
		seen[page] = s.name
	}
}

// read reads a file.
func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// wellFormed fails the test unless the tags of a page are balanced.
func wellFormed(t *testing.T, name string, page []byte) {
	t.Helper()
	empty := []string{"meta", "link", "img", "input"}
	var open []string
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				t.Errorf("%s: %v, and %q are open", name, z.Err(), open)
			}
			return
		case html.StartTagToken:
			if tag, _ := z.TagName(); !slices.Contains(empty, string(tag)) {
				open = append(open, string(tag))
			}
		case html.EndTagToken:
			tag, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(tag) {
				t.Errorf("%s: </%s> closes %q", name, tag, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

// checkReferences fails the test unless every file that a page names exists, beside the
// page.
func checkReferences(t *testing.T, dir, name string, page []byte) {
	t.Helper()
	for n := range pagetest.Parse(t, page).Descendants() {
		for _, key := range []string{"href", "src"} {
			file := pagetest.Attribute(n, key)
			if file == "" || strings.HasPrefix(file, "https:") || strings.HasPrefix(file, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil || strings.HasPrefix(file, "/") {
				t.Errorf("%s refers to %q (%v)", name, file, err)
			}
		}
	}
}

func TestBrandingOfTheConfiguration(t *testing.T) {
	t.Parallel()
	path := configure(t, `
  organization: ACME & Söhne
  logo_file: LOGO
  accent_color: "#1098ad"
  contact: mailto:help@example.org
  links: [{ name: Imprint, url: "https://example.org/imprint" }]
  languages: [de, en]`)
	dir := writePreview(t, "--config", path)
	page := string(read(t, dir, "confirm.de.html"))
	for _, want := range []string{
		"ACME &amp; Söhne", "mailto:help@example.org?subject=", `src="-/logo.`, "https://example.org/imprint",
		`href="confirm.en.html"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "confirm.fr.html")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a language that the configuration does not offer: %v", err)
	}
	checkReferences(t, dir, "confirm.de.html", []byte(page))

	// A variable names the file as well, and one page is printed as the service sends it.
	stdout, stderr, err := preview(t, []string{"KEYHOLE_CONFIG=" + path}, "--language", "en", "--state", "expired")
	if err != nil || stderr != "" || !strings.Contains(stdout, "ACME &amp; Söhne") {
		t.Errorf("%v, %q, %s", err, stderr, stdout)
	}
	pagetest.WantConfined(t, pagetest.Parse(t, []byte(stdout)), "https://example.org/imprint",
		"mailto:help@example.org?subject=Reference%20"+gateway.IDOf("a sample").Reference())
}

func TestSelection(t *testing.T) {
	t.Parallel()
	dir := writePreview(t, "--language", "pl", "--state", "revoked", "--language", "ar", "--state", "confirm")
	found, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	want := []string{"confirm.ar.html", "confirm.pl.html", "index.html", "revoked.ar.html", "revoked.pl.html"}
	if !slices.Equal(found, want) {
		t.Errorf("written are %q", found)
	}
}

// TestProtectedFile expects nothing about a file on pages that the service shows before
// the passphrase.
func TestProtectedFile(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]bool{
		"confirm_revealed": true, "confirm_passphrase": false, "wrong_passphrase": false, "wrong_passphrase_last": false,
	} {
		stdout, _, err := preview(t, nil, "--language", "en", "--state", name)
		if err != nil || strings.Contains(stdout, "Quarterly") != shown || strings.Contains(stdout, "Figures") != shown {
			t.Errorf("%s: %v, %s", name, err, stdout)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args          []string
		code          int
		problem, hint string
	}{
		"state": {
			[]string{"--state", "expird"}, command.ExitUsage, `--state is "expird"`, "did you mean expired? use one of ",
		},
		"language": {[]string{"--language", "xx"}, command.ExitUsage, `--language is "xx"`, "use one of en, de, fr, "},
		"language that the configuration does not offer": {
			[]string{"--config", configure(t, "{ languages: [de, en] }"), "--language", "fr"},
			command.ExitUsage,
			`--language is "fr"`, "use one of de, en",
		},
		"configuration": {
			[]string{"--config", configure(t, "{ accent_color: blue }")}, command.ExitUsage, "pages.accent_color", "correct",
		},
		"no configuration": {[]string{"--config", file + "s"}, command.ExitUsage, "does not exist", "name the file"},
		"output":           {[]string{"--output", file}, command.ExitFailed, "cannot write the pages", "--output"},
		"argument":         {[]string{"expired"}, command.ExitUsage, "takes only flags", "usage: "},
	} {
		_, _, err := preview(t, nil, test.args...)
		var problem *command.Error
		if !errors.As(err, &problem) || problem.Code != test.code || !strings.Contains(err.Error(), test.problem) ||
			!strings.Contains(problem.Hint, test.hint) {
			t.Errorf("%s: %#v", name, err)
		}
	}
	cmd := NewCommand(&command.Env{})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"previw"})
	if err := cmd.Execute(); err == nil || err.Error() != `unknown command "previw"` {
		t.Error(err)
	}
}

//go:build system

package system

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// everyPage makes TestPagesAreAccessible check every language with and without branding and
// script.
var everyPage = flag.Bool("every-page", false, //nolint:gochecknoglobals // a flag of the test binary
	"check the accessibility of the pages in every language, with and without branding and script")

// axeResult is the result of axe-core for one page.
type axeResult struct {
	Violations []struct {
		ID    string
		Help  string
		Nodes []string
	}
	Passes     int
	Incomplete []string // rules that need a person
}

// runAxe is JavaScript that returns an axeResult.
const runAxe = `(async () => {
	const r = await axe.run(document, {runOnly: {type: "tag", values:
		["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}});
	return JSON.stringify({
		Violations: r.violations.map(v => ({
			ID: v.id, Help: v.help, Nodes: v.nodes.map(n => n.html + " " + n.failureSummary)
		})),
		Passes: r.passes.length,
		Incomplete: r.incomplete.map(v => v.id),
	});
})()`

// openWithAxe starts a browser in which every page gets axe-core.
func openWithAxe(t *testing.T) *chromium {
	t.Helper()
	path := os.Getenv("AXE_CORE")
	if path == "" {
		t.Fatal("AXE_CORE is not set: run deploy/test, which installs axe-core, or set it to the path of axe.min.js")
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := openChromium(t)
	err = c.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": string(axe)}, nil)
	if err := errors.Join(err, c.viewport(390, 844, 1)); err != nil {
		t.Fatal(err)
	}
	return c
}

// accessibleCase is a way in which the pages are checked.
type accessibleCase struct {
	branding  string // configuration
	script    bool   // whether the browser runs the script of the pages
	languages []string
	schemes   []string
}

// accessibleCases returns the cases of a run. Without -every-page, the pages without branding
// and script are checked in one language and scheme: they have fewer elements than the
// others, and no other colours.
func accessibleCases() []accessibleCase {
	schemes := []string{"light", "dark"}
	if !*everyPage {
		return []accessibleCase{
			{exampleBranding, true, []string{"en", "ar"}, schemes}, {"", false, []string{"en"}, schemes[:1]},
		}
	}
	var all []accessibleCase
	for _, branding := range []string{"", exampleBranding} {
		for _, script := range []bool{true, false} {
			all = append(all, accessibleCase{branding, script, gateway.Languages(), schemes})
		}
	}
	return all
}

// TestPagesAreAccessible runs axe-core on every page under its Content-Security-Policy. The
// DevTools protocol injects axe-core, so that the policy needs no exception.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	c := openWithAxe(t)
	checked, unclear := 0, map[string]int{}
	for _, check := range accessibleCases() {
		preview := previewPages(t, check.branding)
		server := preview.serve(t, check.script)
		for _, language := range check.languages {
			for _, state := range preview.states {
				page := fmt.Sprintf("%s.%s.html", state, language)
				if err := c.navigate(server.URL + "/" + page); err != nil {
					t.Fatalf("%s: %v", page, err)
				}
				for _, scheme := range check.schemes {
					name := fmt.Sprintf("%s, %s, branding %v, script %v", page, scheme, check.branding != "", check.script)
					checkAccessible(t, c, name, scheme, unclear)
					checked++
				}
			}
		}
	}
	t.Logf("axe-core checked %d pages; it leaves to people: %v", checked, unclear)
}

// checkAccessible runs axe-core on the open page and fails the test for every violation.
func checkAccessible(t *testing.T, c *chromium, name, scheme string, unclear map[string]int) {
	t.Helper()
	if err := c.scheme(scheme); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var result axeResult
	if err := c.evaluateInto(runAxe, &result); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if result.Passes < 15 {
		t.Fatalf("%s: only %d rules passed: axe-core did not run", name, result.Passes)
	}
	for _, rule := range result.Incomplete {
		unclear[rule]++
	}
	for _, v := range result.Violations {
		t.Errorf("%s: %s: %s\n%s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// TestAxeFindsMistakes expects violations on a page with mistakes, under the same policy.
func TestAxeFindsMistakes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pages.Policy(""))
		if r.URL.Path == "/style.css" {
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, "p { color: #999; background: #fff }")
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!DOCTYPE html><html><head><title>x</title><link rel="stylesheet" href="/style.css"></head>
			<body><main><h1>x</h1><p>grey</p><form><input name="passphrase"></form></main></body></html>`)
	}))
	defer server.Close()
	c := openWithAxe(t)
	if err := c.navigate(server.URL); err != nil {
		t.Fatal(err)
	}
	var result axeResult
	if err := c.evaluateInto(runAxe, &result); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, v := range result.Violations {
		found = append(found, v.ID)
	}
	slices.Sort(found)
	if want := []string{"color-contrast", "html-has-lang", "label"}; !slices.Equal(found, want) {
		t.Errorf("the violations are %q, want %q", found, want)
	}
}

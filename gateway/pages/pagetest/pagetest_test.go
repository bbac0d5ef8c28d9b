package pagetest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"keyhole/gateway/pages/pagetest"
)

// A page is read by its elements, and a static page passes.
func TestReadingAPage(t *testing.T) {
	t.Parallel()
	const style = "p{color:red}"
	page := pagetest.Parse(t, []byte(`<html lang="en"><style>`+style+
		`</style><p class="a">one <b>two</b></p><p>three</p></html>`))
	paragraphs := pagetest.Elements(page, "p")
	if len(paragraphs) != 2 || pagetest.Text(paragraphs[0]) != "one two" {
		t.Errorf("got %d paragraphs", len(paragraphs))
	}
	if class, none := pagetest.Attribute(paragraphs[0], "class"),
		pagetest.Attribute(paragraphs[1], "class"); class != "a" || none != "" {
		t.Errorf("got the classes %q and %q", class, none)
	}
	if lang := pagetest.Attribute(pagetest.One(t, page, "html"), "lang"); lang != "en" {
		t.Errorf("got the language %q", lang)
	}
	digest := sha256.Sum256([]byte(style))
	pagetest.WantStatic(t, page, fmt.Sprintf("style-src 'sha256-%s'", base64.StdEncoding.EncodeToString(digest[:])))
}

// recorder counts the failures that it is told of, and ends the goroutine of the test that
// fails at once, as testing.T does.
type recorder struct {
	testing.TB

	failures int
}

func (r *recorder) Helper()               {}
func (r *recorder) Error(...any)          { r.failures++ }
func (r *recorder) Errorf(string, ...any) { r.failures++ }
func (r *recorder) Fatal(...any)          { r.failures++; runtime.Goexit() }
func (r *recorder) Fatalf(string, ...any) { r.failures++; runtime.Goexit() }

// failuresOf returns how many failures a function reports.
func failuresOf(check func(testing.TB)) int {
	r := &recorder{}
	var done sync.WaitGroup
	done.Go(func() { check(r) })
	done.Wait()
	return r.failures
}

// Everything that runs, loads or links fails a page.
func TestPagesThatAreNotStatic(t *testing.T) {
	t.Parallel()
	const style = "<style>p{}</style>"
	digest := sha256.Sum256([]byte("p{}"))
	policy := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	for page, want := range map[string]int{
		style:                                 0,
		style + "<script></script>":           1,
		style + `<img src="x">`:               2,
		style + `<a href="x">y</a>`:           2,
		style + `<p onclick="x">`:             1,
		style + `<p style="x">`:               1,
		style + `<form action="x">`:           1,
		"<style>p{color:red}</style>":         1, // not the hash of the policy
		"<style>@import 'x'</style>":          2,
		"<style>p{background:url(x)}</style>": 2,
		"<p>no style</p>":                     1,
		style + style:                         1,
	} {
		node := pagetest.Parse(t, []byte(page))
		if got := failuresOf(func(tb testing.TB) { tb.Helper(); pagetest.WantStatic(tb, node, policy) }); got != want {
			t.Errorf("%s: %d failures, want %d", page, got, want)
		}
	}
}

// One fails for none and for two.
func TestOne(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]int{"<p>a</p>": 0, "<b>a</b>": 1, "<p>a</p><p>b</p>": 1} {
		node := pagetest.Parse(t, []byte(page))
		if got := failuresOf(func(tb testing.TB) { tb.Helper(); pagetest.One(tb, node, "p") }); got != want {
			t.Errorf("%s: %d failures, want %d", page, got, want)
		}
	}
}

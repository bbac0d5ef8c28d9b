package pagetest_test

import (
	"runtime"
	"sync"
	"testing"

	"keyhole/gateway/pages/pagetest"
)

// A page is read by its elements, and a confined page passes.
func TestReadingAPage(t *testing.T) {
	t.Parallel()
	page := pagetest.Parse(t, []byte(`<html lang="en"><p class="a">one <b>two</b></p><p>three</p></html>`))
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
	pagetest.WantConfined(t, page)
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

// Everything that runs, loads or links elsewhere fails a page.
func TestPagesThatAreNotConfined(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]int{
		`<p>a</p>`:                                    0,
		`<script src="/-/script.0.js"></script>`:      0,
		`<link rel="icon" href="/-/icon.0.svg">`:      0,
		`<img src="/-/logo.0.png" alt="">`:            0,
		`<a href="?lang=de">y</a>`:                    0,
		`<a href="https://example.com/imprint">y</a>`: 0,
		`<a href="https://example.org/">y</a>`:        1,
		`<a href="javascript:alert(1)">y</a>`:         1,
		`<a href="/-/script.0.js">y</a>`:              1,
		`<script>x</script>`:                          1,
		`<script src="/-/script.0.js">x</script>`:     1,
		`<script src="//example.com/x.js"></script>`:  1,
		`<img src="https://example.com/x.png">`:       1,
		`<link rel="stylesheet" href="x.css">`:        1,
		`<style>p{}</style>`:                          1,
		`<p onclick="x">`:                             1,
		`<p style="x">`:                               1,
		`<form action="x">`:                           1,
		`<button formaction="x">`:                     1,
		`<iframe srcdoc="x"></iframe>`:                2,
		`<meta http-equiv="refresh" content="0">`:     1,
		`<svg><a href="?lang=de"></a></svg>`:          1,
	} {
		node := pagetest.Parse(t, []byte(page))
		got := failuresOf(func(tb testing.TB) {
			tb.Helper()
			pagetest.WantConfined(tb, node, "https://example.com/imprint")
		})
		if got != want {
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

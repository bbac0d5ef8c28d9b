//go:build system

package system

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The flags of TestPagesFit.
var (
	pictures = flag.String("pictures", "", //nolint:gochecknoglobals // a flag of the test binary
		"directory for a picture of every page")
	picturesOfAll = flag.Bool("pictures-of-all", false, //nolint:gochecknoglobals // a flag of the test binary
		"take pictures in every language")
)

// view is a way to look at a page.
type view struct {
	language string
	width    int // pixels of CSS
	scheme   string
	zoom     float64
}

// name returns the part of a file's name that tells views apart.
func (v *view) name() string {
	name := fmt.Sprintf("%s.%d.%s", v.language, v.width, v.scheme)
	if v.zoom != 1 {
		name += fmt.Sprintf(".zoom%.0f", 100*v.zoom)
	}
	return name
}

// narrowViews returns every language in the narrowest window in which pages must not scroll
// sideways (WCAG 2.2, 1.4.10).
func narrowViews(languages []string) []view {
	var views []view
	for _, language := range languages {
		views = append(views, view{language, 320, "light", 1})
	}
	return views
}

// pictureViews returns the views of which pictures are taken.
func pictureViews(languages []string) []view {
	views := []view{{"de", 320, "light", 1}, {"pl", 320, "light", 1}, {"en", 640, "light", 2}}
	if !*picturesOfAll {
		languages = []string{"en", "de", "ar", "ja"}
	}
	for _, language := range languages {
		for _, width := range []int{390, 1280} {
			views = append(views, view{language, width, "light", 1}, view{language, width, "dark", 1})
		}
	}
	return views
}

// layout is what a browser measures of a page.
type layout struct {
	Width, Height float64   // of the whole page
	Buttons       []float64 // heights
	Fields        []float64 // font sizes of text fields
	Invalid       []float64 // border widths of fields that the reader has to correct
	Overflowing   []string  // elements that reach beyond the window
	Split         []string  // Chinese and Japanese words on two lines, of headings and labels
	Styled        bool      // the style sheet was loaded
}

// measurePage is JavaScript that returns a layout.
const measurePage = `JSON.stringify({
	Width: document.documentElement.scrollWidth,
	Height: document.documentElement.scrollHeight,
	Buttons: [...document.querySelectorAll("button")].map(b => b.getBoundingClientRect().height),
	Fields: [...document.querySelectorAll("input[name=passphrase]")].map(f => parseFloat(getComputedStyle(f).fontSize)),
	Invalid: [...document.querySelectorAll("[aria-invalid]")].map(f => parseFloat(getComputedStyle(f).borderTopWidth)),
	Split: [...document.querySelectorAll("h1, dt")].flatMap(element => {
		const segmenter = new Intl.Segmenter(document.documentElement.lang, {granularity: "word"});
		const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), split = [];
		while (texts.nextNode()) {
			for (const {segment, index} of segmenter.segment(texts.currentNode.data)) {
				const range = new Range();
				range.setStart(texts.currentNode, index);
				range.setEnd(texts.currentNode, index + segment.length);
				if (/[\p{sc=Hani}\p{sc=Hira}\p{sc=Kana}]/u.test(segment) && range.getClientRects().length > 1) split.push(segment);
			}
		}
		return split;
	}),
	Overflowing: [...document.querySelectorAll("body *")].filter(e => {
		const r = e.getBoundingClientRect();
		return r.right > innerWidth + 0.5 || r.left < -0.5;
	}).map(e => e.outerHTML.slice(0, 120)),
	Styled: getComputedStyle(document.querySelector("main")).borderTopWidth === "1px",
})`

// TestPagesFit opens every page in every language in a window of 320 pixels, with long
// names in its branding. No page is wider than the window, buttons are large enough for a thumb,
// and text fields have 16 pixels, below which phones zoom into them. A field with a wrong value
// has a thick border, and headings and labels split no word. deploy/pictures runs the test with
// -pictures over more views.
func TestPagesFit(t *testing.T) {
	t.Parallel()
	c := openChromium(t)
	opened := 0
	brandings := map[string]string{"long": longBranding}
	if *pictures != "" {
		brandings["plain"], brandings["example"] = "", exampleBranding
	}
	for name, branding := range brandings {
		preview := previewPages(t, branding)
		server := preview.serve(t, true)
		views := narrowViews(preview.languages)
		if branding != longBranding {
			views = pictureViews(preview.languages)
		}
		for i := range views {
			v := &views[i]
			for _, err := range []error{
				c.scheme(v.scheme),
				c.call("Emulation.setScrollbarsHidden", map[string]any{"hidden": *pictures != ""}, nil),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, state := range preview.states {
				if err := c.viewport(v.width, 640, v.zoom); err != nil {
					t.Fatal(err)
				}
				if err := c.navigate(server.URL + "/" + state + "." + v.language + ".html"); err != nil {
					t.Fatalf("%s %s: %v", state, v.name(), err)
				}
				measured := checkLayout(t, c, state+" "+v.name()+" "+name, v.width)
				if *pictures != "" {
					file := filepath.Join(*pictures, name, state+"."+v.name()+".png")
					takePicture(t, c, v, measured, file)
				}
				opened++
			}
		}
	}
	t.Logf("%d pages opened", opened)
}

// checkLayout measures the page and fails the test if it does not fit.
func checkLayout(t *testing.T, c *chromium, page string, width int) *layout {
	t.Helper()
	var l layout
	if err := c.evaluateInto(measurePage, &l); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if !l.Styled {
		t.Fatalf("%s: no style sheet", page)
	}
	if int(l.Width) > width || len(l.Overflowing) > 0 {
		t.Errorf("%s: %v of %d pixels wide: %s", page, l.Width, width, strings.Join(l.Overflowing, "\n"))
	}
	for _, height := range l.Buttons {
		if height < 44 {
			t.Errorf("%s: a button of %v pixels", page, height)
		}
	}
	for _, size := range l.Fields {
		if size < 16 {
			t.Errorf("%s: a text field with %v pixels", page, size)
		}
	}
	for _, border := range l.Invalid {
		if border < 2 {
			t.Errorf("%s: a field with a wrong value has a border of %v pixels", page, border)
		}
	}
	if len(l.Split) > 0 {
		t.Errorf("%s: words on two lines: %q", page, l.Split)
	}
	return &l
}

// takePicture writes a picture of the whole page.
func takePicture(t *testing.T, c *chromium, v *view, l *layout, file string) {
	t.Helper()
	var shot struct{ Data []byte } // encoding/json decodes base64
	err := c.viewport(v.width, max(int(l.Height), 640), v.zoom)
	if err == nil {
		err = c.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, shot.Data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

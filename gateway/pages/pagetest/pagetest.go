package pagetest

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Parse parses a page.
func Parse(tb testing.TB, page []byte) *html.Node {
	tb.Helper()
	node, err := html.Parse(strings.NewReader(string(page)))
	if err != nil {
		tb.Fatal(err)
	}
	return node
}

// Elements returns every element with that name, in the order of the page.
func Elements(page *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

// Text returns the text below a node, as the source has it: white space is not collapsed,
// and hidden elements are included.
func Text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// Attribute returns the value of an attribute, or "".
func Attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// One returns the only element with that name. Any other number fails the test.
func One(tb testing.TB, page *html.Node, name string) *html.Node {
	tb.Helper()
	found := Elements(page, name)
	if len(found) != 1 {
		tb.Fatalf("%d elements %s, want 1", len(found), name)
	}
	return found[0]
}

// WantConfined fails the test unless the page runs only the script of the assets below
// /-/, loads only assets, sends its form to itself, and links only to itself in another
// language and to the given addresses.
func WantConfined(tb testing.TB, page *html.Node, links ...string) {
	tb.Helper()
	for _, name := range []string{
		"style", "iframe", "object", "embed", "base", "video", "audio", "source", "picture", "svg", "math", "template",
		"noscript",
	} {
		if found := Elements(page, name); len(found) != 0 {
			tb.Errorf("the page has %d elements %s", len(found), name)
		}
	}
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == "script" && (Attribute(n, "src") == "" || n.FirstChild != nil) {
			tb.Error("the page has an inline script")
		}
		if n.Data == "meta" && Attribute(n, "http-equiv") != "" {
			tb.Errorf("the page has a meta %v", n.Attr)
		}
		for _, a := range n.Attr {
			if !confined(n.Data, a, links) {
				tb.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

// confined reports whether an attribute neither runs nor loads anything but assets, and
// links nowhere else.
func confined(element string, a html.Attribute, links []string) bool {
	asset := strings.HasPrefix(a.Val, "/-/")
	switch {
	case strings.HasPrefix(a.Key, "on"):
		return false
	case slices.Contains([]string{"style", "action", "formaction", "srcset", "srcdoc", "background", "ping"}, a.Key):
		return false
	case a.Key == "src":
		return asset && (element == "script" || element == "img")
	case a.Key == "href" && element == "link":
		return asset
	case a.Key == "href":
		return element == "a" && (strings.HasPrefix(a.Val, "?lang=") || slices.Contains(links, a.Val))
	}
	return true
}

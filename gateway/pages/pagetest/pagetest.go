package pagetest

import (
	"crypto/sha256"
	"encoding/base64"
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

// WantStatic fails the test unless the page runs nothing, loads nothing, links nowhere, and
// has only the style that the Content-Security-Policy allows.
func WantStatic(tb testing.TB, page *html.Node, policy string) {
	tb.Helper()
	for _, name := range []string{
		"script", "link", "img", "iframe", "object", "embed", "base", "a", "video", "audio",
		"source",
	} {
		if found := Elements(page, name); len(found) != 0 {
			tb.Errorf("the page has %d elements %s", len(found), name)
		}
	}
	// These attributes run or load something: event handlers, addresses, and styles that
	// the policy blocks.
	for n := range page.Descendants() {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"style", "src", "href", "action", "srcset"}, a.Key) {
				tb.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
	// A browser hashes exactly the text of the element.
	style := Text(One(tb, page, "style"))
	digest := sha256.Sum256([]byte(style))
	if source := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"; !strings.Contains(policy,
		source) {
		tb.Errorf("the style hashes to %s, the policy is %s", source, policy)
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		tb.Error("the style loads something")
	}
}

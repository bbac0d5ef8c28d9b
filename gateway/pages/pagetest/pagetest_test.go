package pagetest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
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

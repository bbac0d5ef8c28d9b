package console

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// A long name has a beginning and an end that make the whole, and no character is cut.
func TestSplitName(t *testing.T) {
	t.Parallel()
	base := strings.Repeat("Quartalsbericht ", 10)
	for _, name := range []string{"", "q3.pdf", strings.Repeat("é", nameLimit), strings.Repeat("\u0301", 200)} {
		if got := splitName(name); got != nil {
			t.Errorf("%q is split: %+v", name, got)
		}
	}
	plain := "(final).customer-copy.pdf"
	for _, test := range []struct{ name, end string }{
		{base + plain, plain[1:]},
		{strings.Repeat("請求書", 40), strings.Repeat("請求書", 8)},
		// An accent and the parts of a family stay with the character before them.
		{base + "e\u0301" + strings.Repeat("x", nameEnd-1), "e\u0301" + strings.Repeat("x", nameEnd-1)},
		{base + "👩\u200d👧" + strings.Repeat("x", nameEnd-1), "👩\u200d👧" + strings.Repeat("x", nameEnd-1)},
		{base + "👩\u200d👧" + strings.Repeat("x", nameEnd-2), "👩\u200d👧" + strings.Repeat("x", nameEnd-2)},
	} {
		got := splitName(test.name)
		if got == nil || got.Start+got.End != test.name || got.Whole != test.name || got.End != test.end {
			t.Errorf("%q: %+v, want the end %q", test.name, got, test.end)
		}
	}
	if got := splitName(strings.Repeat("\xff", 200)); got == nil || utf8.RuneCountInString(got.End) != nameEnd {
		t.Errorf("a name that is not UTF-8: %+v", got)
	}
}

// Lists show the end of a long name in an element of its own, and the whole on hover. The text
// of the element is the whole name.
func TestLongNamesInLists(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	key := "2026/" + strings.Repeat("Quartalsbericht ", 10) + "(final, customer copy).pdf"
	b.storage.keys = keysOf(key, "2026/q3.pdf")
	b.issuedLink(t, key, nil)
	c := b.signedIn(t, opsKey)
	for path, whole := range map[string]string{
		"/console/objects?bucket=reports&prefix=2026/": strings.TrimPrefix(key, "2026/"),
		"/console/links": "s3://reports/" + key,
		"/console/audit": "s3://reports/" + key,
		"/console/share?storage=main&bucket=reports&key=" + strings.ReplaceAll(key, " ", "+"): "s3://reports/" + key,
	} {
		a := c.get(path)
		var found []*html.Node
		for _, n := range a.all("bdi") {
			if attribute(n, "class") == "long" {
				found = append(found, n)
			}
		}
		if a.status != http.StatusOK || len(found) != 1 {
			t.Errorf("%s: %d with %d long names", path, a.status, len(found))
			continue
		}
		if got := attribute(found[0], "title"); got != whole || raw(found[0]) != whole {
			t.Errorf("%s: the whole name is %q, the text %q, want %q", path, got, raw(found[0]), whole)
		}
		if end := raw(found[0].LastChild); !strings.HasSuffix(end, "customer copy).pdf") || len(end) > nameEnd {
			t.Errorf("%s: the end is %q", path, end)
		}
	}
}

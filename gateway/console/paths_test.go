package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
)

// A path that was copied from a list selects the same links in every place that has filters.
func TestFilterTakesPathOfList(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	b.issue(t, func(r *gateway.IssueRequest) { r.Bucket, r.Key = "exports", "a/other" })
	c := b.signedIn(t, opsKey)
	const folder = "prefix=s3%3A%2F%2Freports%2Fa%2F"
	for query, want := range map[string]int{
		folder: 2, folder + "&bucket=reports": 2, "prefix=s3%3A%2F%2Freports": 2, "prefix=+s3%3A%2F%2Fexports%2F": 1,
		"key=s3%3A%2F%2Freports%2Fa%2Factive": 1, "prefix=a%2F": 3,
	} {
		if a := c.get("/console/links?" + query); a.status != http.StatusOK || len(a.rows()) != want {
			t.Errorf("%s: %d %q, want %d links", query, a.status, a.rows(), want)
		}
	}
	a := c.get("/console/links?" + folder)
	form := with(a.fields(t, "/console/revocations"), "what", "filter")
	if form.Get("bucket") != "reports" || form.Get("prefix") != "a/" {
		t.Errorf("the form of the list: %v", form)
	}
	if got := c.get(a.link("CSV")); strings.Count(got.text, "\n") != 3 {
		t.Errorf("the export: %s", got.text)
	}
	if a = c.get("/console/audit?" + folder + "&kind=issued"); len(a.rows()) != 2 {
		t.Errorf("the audit: %d %q", a.status, a.rows())
	}
	a = c.post("/console/revocations", url.Values{"what": {"filter"}, "prefix": {"s3://reports/a/"}, "confirm": {"1"}})
	if got := b.live(t); !slices.Equal(got, []string{"a/other"}) {
		t.Errorf("after the revocation, %q are left: %s", got, a.shown())
	}
}

// A path that contradicts the filter Bucket, or that names no bucket, is refused: an empty list
// would look as if nothing were shared.
func TestFilterRefusesContradictoryPath(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for query, want := range map[string]string{
		"bucket=exports&prefix=s3%3A%2F%2Freports%2F":       "the path is in the bucket reports",
		"bucket=exports&key=s3%3A%2F%2Freports%2Fa%2Fpause": "the path is in the bucket reports",
		"prefix=s3%3A%2F%2F":                                "with the bucket",
		"prefix=s3%3A%2F%2Fmain%3Areports%2F":               "without the storage",
		"key=s3%3A%2F%2Freports%2F":                         "as in s3://reports/2026/q3.pdf",
	} {
		for _, list := range []string{"links", "audit", "links.csv", "audit.ndjson"} {
			a := c.get("/console/" + list + "?" + query)
			if a.status != http.StatusUnprocessableEntity || !strings.Contains(words(a.page), want) {
				t.Errorf("%s?%s: %d %s", list, query, a.status, a.shown())
			}
		}
		form, err := url.ParseQuery(query + "&what=filter&confirm=1")
		if err != nil {
			t.Fatalf("parse the form: %v", err)
		}
		if a := c.post("/console/revocations", form); a.status != http.StatusUnprocessableEntity {
			t.Errorf("revoke %s: %d %s", query, a.status, a.shown())
		}
	}
	if got := b.live(t); len(got) != 2 {
		t.Errorf("%q are left", got)
	}
}

// The list says that it hides ended links and leads to all links that its filters select, and
// the page of a folder leads to the links of the folder.
func TestListLeadsToEndedLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	b.storage.keys = keysOf("b/used")
	c := b.signedIn(t, opsKey)
	a := c.get("/console/objects?bucket=reports&prefix=b/")
	folder := a.link("Live links of this folder")
	if folder != "/console/links?bucket=reports&prefix=b%2F" {
		t.Fatalf("the folder leads to %q", folder)
	}
	for query, want := range map[string]int{folder: 2, "/console/links?created_by=ops": 4} {
		a = c.get(query)
		if !strings.Contains(a.shown(), "Used-up, expired and revoked links are hidden") {
			t.Errorf("%s: %s", query, a.shown())
		}
		if a = c.get(a.link("include them")); len(a.rows()) != want || a.link("include them") != "" {
			t.Errorf("%s: all links are %q", query, a.rows())
		}
	}
	if a = c.get("/console/links?ends_within=24h"); a.link("include them") != "" {
		t.Error("a list of ends offers ended links, which its filter excludes")
	}
}

// A selection that the service refuses has no question to press, but a way back.
func TestRefusedFilterLeadsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for name, test := range map[string]struct {
		form url.Values
		want string
		back string
	}{
		"a path without a bucket": {
			url.Values{"prefix": {"a/"}}, "enter the whole path, such as s3://reports/2026/", "/console/links?prefix=a%2F",
		},
		"ended links": {url.Values{"state": {"expired"}}, "cannot be revoked", "/console/links?state=expired"},
	} {
		test.form.Set("what", "filter")
		a := c.post("/console/revocations", test.form)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.shown(), "Nothing was revoked") ||
			!strings.Contains(a.shown(), test.want) || strings.Contains(a.shown(), "Revoke 0 links") {
			t.Errorf("%s: %d %s", name, a.status, a.shown())
		}
		if got := a.link("Back to the list"); got != test.back {
			t.Errorf("%s leads back to %q, want %q", name, got, test.back)
		}
	}
}

package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/admission"
)

// The first page of the objects has the buckets in the scope of the key.
func TestBuckets(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, test := range []struct {
		key  string
		want []string
	}{{opsKey, []string{"reports", "exports"}}, {scopedKey, []string{"exports"}}} {
		a := b.signedIn(t, test.key)
		page := a.get("/console/objects")
		var names []string
		for _, n := range page.all("strong") {
			names = append(names, words(n))
		}
		if page.status != http.StatusOK || !slices.Equal(names, test.want) {
			t.Errorf("%s: %d, buckets %q", test.key, page.status, names)
		}
		if got := page.link(test.want[0] + "storage main"); got != "/console/objects?bucket="+test.want[0]+"&storage=main" {
			t.Errorf("%s: the bucket leads to %q", test.key, got)
		}
	}
}

// A list has the folders, the objects with their facts, and the ways to share them.
func TestObjects(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("2026/q3.pdf", "2026/old.bin", "2026/q4 & more.pdf")
	b.storage.keys.Folders = []string{"2026/drafts/"}
	b.storage.keys.Objects[1].StorageClass = "GLACIER"
	b.storage.keys.Objects[2].Size = gateway.UnknownSize
	b.issue(t, nil)
	b.issue(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get("/console/objects?bucket=reports&prefix=2026/")
	if a.status != http.StatusOK || len(a.rows()) != 4 {
		t.Fatalf("the list: %d with %q", a.status, a.rows())
	}
	if got := a.link("drafts/"); got != "/console/objects?bucket=reports&prefix=2026%2Fdrafts%2F&storage=main" {
		t.Errorf("the folder leads to %q", got)
	}
	share := "/console/share?bucket=reports&key=2026%2Fq3.pdf&storage=main"
	if a.link("q3.pdf") != share || a.link("Share") != share {
		t.Errorf("the object leads to %q, the button to %q", a.link("q3.pdf"), a.link("Share"))
	}
	if got := a.link("2 live links"); got != "/console/links?bucket=reports&key=2026%2Fq3.pdf" {
		t.Errorf("the live links are at %q", got)
	}
	if page := c.get(a.link("2 live links")); page.status != http.StatusOK || len(page.rows()) != 2 {
		t.Errorf("the live links: %d with %q", page.status, page.rows())
	}
	if got := a.link("old.bin"); got != "" || !strings.Contains(a.rows()[2], "archived: restore it first") {
		t.Errorf("an archived object leads to %q: %q", got, a.rows()[2])
	}
	if got := a.link("q4 & more.pdf"); got != "/console/share?bucket=reports&key=2026%2Fq4+%26+more.pdf&storage=main" {
		t.Errorf("an object with special characters leads to %q", got)
	}
	for text, want := range map[string]string{
		"reports": "/console/objects?bucket=reports", "2026/": "/console/objects?bucket=reports&prefix=2026%2F",
	} {
		if got := a.link(text); got != want {
			t.Errorf("the breadcrumb %s leads to %q", text, got)
		}
	}
	if got := attribute(a.byID("path"), "value"); got != "s3://reports/2026/" {
		t.Errorf("the field that jumps has %q", got)
	}
}

// The pages of a list lead to the next one and back to the first.
func TestObjectsPaging(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("a.txt")
	b.storage.keys.Token = "more"
	c := b.signedIn(t, opsKey)
	a := c.get("/console/objects?bucket=reports")
	next := a.link("Next page")
	if next == "" || a.link("First page") != "" {
		t.Fatalf("the first page leads to %q and %q", next, a.link("First page"))
	}
	b.storage.keys.Token = ""
	a = c.get(next)
	if a.status != http.StatusOK || a.link("Next page") != "" ||
		a.link("First page") != "/console/objects?bucket=reports" {
		t.Errorf("the last page: %d, first page at %q", a.status, a.link("First page"))
	}
	if last := b.storage.listed[len(b.storage.listed)-1]; last.Token != "more" {
		t.Errorf("the storage was asked for %+v", last)
	}
	// A cursor of another list is refused.
	if a = c.get(strings.Replace(next, "bucket=reports", "bucket=exports", 1)); a.status != http.StatusBadRequest {
		t.Errorf("a foreign cursor: %d", a.status)
	}
}

// A search compares literally, shows the folders of its hits, and says if it goes on.
func TestObjectsSearch(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("2026/Report.pdf", "2026/other.pdf")
	c := b.signedIn(t, opsKey)
	a := c.get("/console/objects?bucket=reports&search=+report+")
	if len(a.rows()) != 1 || attribute(a.byID("search"), "value") != "report" {
		t.Errorf("the hits: %q", a.rows())
	}
	if got := a.link("show its folder"); got != "/console/objects?bucket=reports&prefix=2026%2F&storage=main" {
		t.Errorf("the folder of the hit is %q", got)
	}
	if a = c.get("/console/objects?bucket=reports&search=*.pdf"); !strings.Contains(a.shown(),
		"No object in this bucket has “*.pdf” in its name") {
		t.Errorf("no hit: %s", a.shown())
	}
	b.storage.keys.Token = "more"
	a = c.get("/console/objects?bucket=reports&search=nothing")
	if !strings.Contains(a.shown(), "Nothing found so far") ||
		!strings.Contains(a.link("Continue the search"), "&search=nothing&cursor=") {
		t.Errorf("an unfinished search: %s", a.shown())
	}
}

// A search says on each of its pages how many objects it has compared, and up to which one.
func TestSearchProgress(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("2026/q1.pdf", "2026/q2.pdf")
	b.storage.keys.Token = "more" // five requests to the storage for each page
	c := b.signedIn(t, opsKey)
	const list = "/console/objects?bucket=reports&prefix=2026%2F&search="
	a := c.get(list + "nothing")
	for _, want := range []string{"10", "20", "30"} {
		text := "Searched " + want + " objects so far, up to s3://reports/2026/q2.pdf."
		if !strings.Contains(a.shown(), text) {
			t.Fatalf("the page lacks %q: %s", text, a.shown())
		}
		a = c.get(a.link("Continue the search"))
	}
	b.storage.keys.Token = ""
	if a = c.get(a.link("Continue the search")); !strings.Contains(a.shown(), "Searched 42 objects.") {
		t.Errorf("at the end: %s", a.shown())
	}
	// The number counts from the first page on. A forged one is not shown.
	b.storage.keys.Token = "more"
	for _, forged := range []string{"&searched=7", "&searched=7%20apples"} {
		if a = c.get(list + "q1" + forged); !strings.Contains(a.shown(), "Searched 10 objects so far, up to") {
			t.Errorf("%s: %s", forged, a.shown())
		}
	}
	next := a.link("Continue the search")
	if a = c.get(strings.Replace(next, "searched=10", "searched=%3Cb%3E", 1)); !strings.Contains(a.shown(),
		"Searched 10 objects so far") {
		t.Errorf("a forged number: %s", a.shown())
	}
	if a = c.get("/console/objects?bucket=reports"); strings.Contains(a.shown(), "Searched") {
		t.Errorf("a list is no search: %s", a.shown())
	}
}

// A search of a scoped operator counts and names only objects in the scope.
func TestSearchProgressInScope(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("team/a.csv", "team/b.csv", "zzz-secret.csv")
	b.storage.keys.Token = "more"
	a := b.signedIn(t, scopedKey).get("/console/objects?bucket=exports&search=nothing")
	if !strings.Contains(a.shown(), "Searched 10 objects so far, up to s3://exports/team/b.csv.") ||
		strings.Contains(a.text, "secret") {
		t.Errorf("the progress: %s", a.shown())
	}
}

// A search without a hit names what to try next.
func TestSearchSteps(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.storage.keys = keysOf("2026/q1.pdf")
	c := b.signedIn(t, opsKey)
	const folder = "/console/objects?bucket=reports&prefix=2026%2F"
	for _, test := range []struct {
		name, path string
		unfinished bool
		want       map[string]string // "" for a step that is not offered
	}{
		{"a folder", folder + "&search=q9", false, map[string]string{
			"Search all of this bucket": "/console/objects?bucket=reports&storage=main&search=q9",
			"Show all of this folder":   folder + "&storage=main", "Choose another bucket": "/console/objects",
			"Show what begins with s3://reports/2026/q9": "",
		}},
		{"a bucket", "/console/objects?bucket=reports&search=q9", false, map[string]string{
			"Search all of this bucket": "", "Show all of this bucket": "/console/objects?bucket=reports&storage=main",
			"Choose another bucket": "/console/objects",
		}},
		{"an unfinished search", folder + "&search=q9", true, map[string]string{
			"Show what begins with s3://reports/2026/q9": folder + "q9&storage=main",
			"Show all of this folder":                    folder + "&storage=main",
		}},
		{"a hit", folder + "&search=q1", false, map[string]string{
			"Choose another bucket": "", "Show all of this folder": "",
		}},
	} {
		b.storage.keys.Token = ""
		if test.unfinished {
			b.storage.keys.Token = "more"
		}
		a := c.get(test.path)
		for step, want := range test.want {
			if got := a.link(step); got != want {
				t.Errorf("%s: %q leads to %q, want %q", test.name, step, got, want)
			}
		}
	}
}

// A typed path leads to its folder.
func TestJump(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).signedIn(t, opsKey)
	for path, want := range map[string]string{
		"s3://reports/2026/":      "/console/objects?bucket=reports&prefix=2026%2F",
		"reports":                 "/console/objects?bucket=reports",
		" s3://reports ":          "/console/objects?bucket=reports",
		"s3://main:reports/a b/":  "/console/objects?bucket=reports&prefix=a+b%2F&storage=main",
		"https://evil.example/x":  "/console/objects?bucket=&prefix=%2Fevil.example%2Fx&storage=https",
		"//evil.example":          "/console/objects?bucket=&prefix=%2Fevil.example",
		"s3://reports/\r\nX: y/z": "/console/objects?bucket=reports&prefix=%0D%0AX%3A+y%2Fz",
	} {
		a := c.get("/console/objects?path=" + url.QueryEscape(path))
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("%q: %d to %q", path, a.status, a.header.Get("Location"))
		}
	}
}

// A list that the storage or the scope refuses says so in the page, without the words of
// the storage.
func TestObjectsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c, scoped := b.signedIn(t, opsKey), b.signedIn(t, scopedKey)
	for _, test := range []struct {
		name   string
		from   *client
		query  string
		err    error
		status int
		want   string
	}{
		{"not listable", c, "bucket=reports", gateway.ErrObjectNotReadable, 422, "allow s3:ListBucket"},
		{"gone", c, "bucket=reports", gateway.ErrObjectNotFound, 422, "the storage has no such bucket"},
		{"unknown", c, "bucket=nothing", nil, 404, "there is no such bucket in the scope of this key"},
		{"out of scope", scoped, "bucket=reports", nil, 404, "there is no such bucket in the scope of this key"},
		{"away", c, "bucket=reports", gateway.ErrUnavailable, 503, "the storage is unavailable; try again"},
		{
			"too long", c, "bucket=reports&prefix=" + strings.Repeat("x", 2000), nil, 422,
			"the limit of object keys is 1024",
		},
		{"bad search", c, "bucket=reports&search=a%00b", nil, 422, "control characters"},
	} {
		b.storage.proofErr = test.err
		a := test.from.get("/console/objects?" + test.query)
		if a.status != test.status || !strings.Contains(a.shown(), test.want) {
			t.Errorf("%s: %d %s", test.name, a.status, a.shown())
		}
	}
}

// An operator sees only the objects of the scope, and is offered only what the rights allow.
func TestObjectsRights(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	browser := admission.Key{
		Name: "browser", SHA256: hashOf("browser-key"), Objects: []gateway.Pattern{"*"},
		Can: []gateway.Action{gateway.ActionBrowse},
	}
	b.operators.SetKeys(append(b.keys, browser))
	b.storage.keys = keysOf("team/a.csv", "other/b.csv")
	b.issue(t, func(r *gateway.IssueRequest) { r.Bucket, r.Key = "exports", "team/a.csv" })
	a := b.signedIn(t, scopedKey).get("/console/objects?bucket=exports&search=csv")
	if len(a.rows()) != 1 || !strings.Contains(a.rows()[0], "a.csv") {
		t.Errorf("the scope: %q", a.rows())
	}
	if a.link("Health") != "" || a.link("Links") == "" {
		t.Errorf("the navigation of a limited key: %s", words(a.page))
	}
	a = b.signedIn(t, "browser-key").get("/console/objects?bucket=exports&search=csv")
	if len(a.rows()) != 2 || a.link("Share") != "" || strings.Contains(a.shown(), "live link") {
		t.Errorf("the right to browse only: %q", a.rows())
	}
	for _, n := range a.all("input") {
		if attribute(n, "type") == "checkbox" {
			t.Error("an operator who may not share can select objects")
		}
	}
	if a = b.signedIn(t, readKey).get("/console/objects"); a.status != http.StatusForbidden || a.link("Objects") != "" {
		t.Errorf("without the right: %d %s", a.status, a.shown())
	}
	// Such an operator begins with the links.
	a = b.visitor(t).post("/console/sign-in", url.Values{"key": {readKey}})
	if a.header.Get("Location") != "/console/links" {
		t.Errorf("the reader begins at %q", a.header.Get("Location"))
	}
}

// An empty folder says that it is empty.
func TestObjectsEmpty(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if a := b.signedIn(t, opsKey).get("/console/objects?bucket=reports"); !strings.Contains(a.shown(),
		"This folder is empty") {
		t.Errorf("an empty folder: %s", a.shown())
	}
	none := admission.Key{
		Name: "none", SHA256: hashOf("none-key"), Can: everyRight(),
		Objects: []gateway.Pattern{"elsewhere/*"},
	}
	b.operators.SetKeys(append(b.keys, none))
	if a := b.signedIn(t, "none-key").get("/console/objects"); !strings.Contains(a.shown(), "No bucket yet") {
		t.Errorf("no bucket: %s", a.shown())
	}
}

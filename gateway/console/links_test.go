package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
)

// severalLinks issues a link of each state, by the name of its object.
func severalLinks(t *testing.T, b *bench) map[string]gateway.Issued {
	t.Helper()
	links := map[string]gateway.Issued{}
	for _, key := range []string{"a/active", "a/paused", "b/revoked", "b/used"} {
		links[key] = b.issue(t, func(r *gateway.IssueRequest) {
			r.Key, r.Labels, r.Note = key, map[string]string{"case": key[2:]}, "note of "+key
			if key == "b/used" {
				r.MaxClicks, r.Confirm = new(int64(1)), true
			}
		})
	}
	if _, err := b.service.Change(t.Context(), admin(), links["a/paused"].Link.ID, &gateway.ChangeRequest{
		Paused: new(true),
	}); err != nil {
		t.Fatalf("pause: %v", err)
	}
	if _, err := b.service.Revoke(t.Context(), admin(), links["b/revoked"].Link.ID, "a reason"); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	answer, err := b.service.Click(t.Context(), gateway.Attempt{
		ID: links["b/used"].Link.ID, Method: http.MethodPost, Page: true, Form: &gateway.Form{Confirm: true},
	})
	if err != nil || answer.Outcome != gateway.OutcomeRedirected {
		t.Fatalf("use a link up: %s, %v", answer.Outcome, err)
	}
	return links
}

// The list hides ended links, and its filters select.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", []string{"a/active", "a/paused"}},
		{"state=active", []string{"a/active"}},
		{"state=paused", []string{"a/paused"}},
		{"state=revoked", []string{"b/revoked"}},
		{"state=used_up", []string{"b/used"}},
		{"state=expired", nil},
		{
			"state=active,paused,not_yet,expired,revoked,used_up",
			[]string{"a/active", "a/paused", "b/revoked", "b/used"},
		},
		{"bucket=reports", []string{"a/active", "a/paused"}},
		{"bucket=exports", nil},
		{"bucket=reports&prefix=a/p", []string{"a/paused"}},
		{"bucket=reports&key=a/active", []string{"a/active"}},
		{"created_by=ops", []string{"a/active", "a/paused"}},
		{"created_by=somebody", nil},
		{"label=case=paused", []string{"a/paused"}},
		{"label=case=other", nil},
		{"used=never", []string{"a/active", "a/paused"}},
		{"ends_within=48h", []string{"a/active", "a/paused"}},
		{"ends_within=1h", nil},
		{"ends_after=1h", []string{"a/active", "a/paused"}},
		{"ends_after=48h", nil},
		{"ends_after=2020-01-01T00:00:00Z", []string{"a/active", "a/paused"}},
		{"ends_after=1h&ends_within=48h", []string{"a/active", "a/paused"}},
		{"since=1h", []string{"a/active", "a/paused"}},
	} {
		a := c.get("/console/links?" + test.query)
		var found []string
		for _, row := range a.rows() {
			_, rest, _ := strings.Cut(row, "s3://reports/")
			name, _, _ := strings.Cut(rest, " ")
			found = append(found, name)
		}
		slices.Sort(found)
		if a.status != http.StatusOK || !slices.Equal(found, test.want) {
			t.Errorf("%s: %d %q, want %q", test.query, a.status, found, test.want)
		}
		if len(found) == 0 && !strings.Contains(a.shown(), "No link that you may see matches") {
			t.Errorf("%s: %s", test.query, a.shown())
		}
	}
}

// A row has the facts of its link, and the filters stay in the form.
func TestLinksRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	links := severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	a := c.get("/console/links?bucket=reports&prefix=a/p&label=case%3Dpaused")
	id := links["a/paused"].Link.ID.String()
	for _, want := range []string{
		id[:8], "paused", "in 23 hours", "0", "never", "ops", "case=paused",
		"note of a/paused",
	} {
		if len(a.rows()) != 1 || !strings.Contains(a.rows()[0], want) {
			t.Errorf("the row lacks %q: %q", want, a.rows())
		}
	}
	if got := a.link("s3://reports/a/paused"); got != "/console/links/"+id {
		t.Errorf("the row leads to %q", got)
	}
	form := a.fields(t, "/console/links")
	if form.Has("q") { // the first form of that address finds one link
		for _, n := range a.all("form") {
			if attribute(n, "method") == "get" {
				form = valuesOf(n)
			}
		}
	}
	if form.Get("prefix") != "a/p" || form.Get("label") != "case=paused" || form.Get("bucket") != "reports" {
		t.Errorf("the form has %v", form)
	}
	for format, text := range map[string]string{"csv": "CSV", "ndjson": "NDJSON"} {
		want := "/console/links." + format + "?bucket=reports&label=case%3Dpaused&prefix=a%2Fp"
		if got := a.link(text); got != want {
			t.Errorf("the export is at %q, want %q", got, want)
		}
	}
	used := c.get("/console/links?state=used_up")
	if len(used.rows()) != 1 || !strings.Contains(used.rows()[0], "1 of 1") || used.button("Pause") != nil {
		t.Errorf("the used link: %q", used.rows())
	}
	for _, n := range used.all("input") {
		if attribute(n, "type") == "checkbox" {
			t.Error("an ended link can be selected")
		}
	}
}

// The saved views lead to lists, and the current one is marked.
func TestLinksViews(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for name, want := range map[string]int{
		"All live links": 2, "Mine": 2, "Never downloaded": 2, "Ends within 24 hours": 2, "Lives longer than 24 hours": 0,
		"Used up or ended": 2,
	} {
		a := c.get("/console/links")
		a = c.get(a.link(name))
		if a.status != http.StatusOK || len(a.rows()) != want {
			t.Errorf("%s: %d with %q", name, a.status, a.rows())
		}
		var current []string
		for _, n := range a.all("a") {
			if attribute(n, "aria-current") == "page" {
				current = append(current, words(n))
			}
		}
		if !slices.Equal(current, []string{"Links", name}) {
			t.Errorf("%s: marked are %q", name, current)
		}
	}
}

// Narrow screens fold the filters, but not a filter that the operator has set, or one that is
// refused. The fold names the saved view.
func TestLinksFold(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).signedIn(t, opsKey)
	for query, want := range map[string]struct {
		open    bool
		summary string
	}{
		"":                             {false, "Filters: All live links"},
		"?created_by=ops":              {false, "Filters: Mine"},
		"?ends_within=24h":             {false, "Filters: Ends within 24 hours"},
		"?created_by=other":            {true, "Filters"},
		"?created_by=ops&label=a%3Db":  {true, "Filters"},
		"?bucket=reports&key=2026/q3":  {true, "Filters"},
		"?label=refused":               {true, "Filters"},
		"?q=nothing+that+names+a+link": {false, "Filters"},
	} {
		a := c.get("/console/links" + query)
		fold := a.all("details")[0]
		if has(fold, "open") != want.open || words(a.all("summary")[0]) != want.summary {
			t.Errorf("%s: open %t, %q", query, has(fold, "open"), words(a.all("summary")[0]))
		}
	}
}

// A filter that is wrong is refused in words, and the list is not shown.
func TestLinksRefusedFilters(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	c := b.signedIn(t, opsKey)
	for query, want := range map[string]string{
		"state=lost":                      "state must be",
		"prefix=a&key=b&bucket=reports":   "cannot be combined",
		"label=nothing":                   "name=value",
		"since=yesterday":                 "RFC 3339",
		"used=often":                      "used must be never",
		"ends_within=soon":                "must be a duration",
		"ends_within=24h&state=revoked":   "have not ended",
		"ends_after=soon":                 "RFC 3339",
		"ends_after=24h&state=revoked":    "have not ended",
		"ends_after=24h&ends_within=24h":  "shorter than ends_within",
		"state=active&since=1h&used=true": "used must be never",
	} {
		a := c.get("/console/links?" + query)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.shown(), want) || len(a.rows()) != 0 {
			t.Errorf("%s: %d %s", query, a.status, a.shown())
		}
	}
	if a := c.get("/console/links?cursor=forged"); a.status != http.StatusBadRequest {
		t.Errorf("a forged cursor: %d", a.status)
	}
}

// An empty list leads to all links or events, if a filter is set.
func TestEmptyListsLeadOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for _, test := range []struct{ path, step, want string }{
		{"/console/links?label=a%3Db", "Show all live links", "/console/links"},
		{"/console/links", "Show all live links", ""},
		{"/console/audit?actor=nobody", "Show all events", "/console/audit"},
	} {
		a := c.get(test.path)
		if got := a.link(test.step); got != test.want {
			t.Errorf("%s: %q leads to %q, want %q", test.path, test.step, got, test.want)
		}
	}
	if a := b.signedIn(t, scopedKey).get("/console/audit"); a.link("Show all events") != "" {
		t.Errorf("an empty audit without filters leads on: %s", a.shown())
	}
}

// A long list has pages.
func TestLinksPaging(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range linksLimit + 5 {
		b.issue(t, func(r *gateway.IssueRequest) { r.Key = fmt.Sprintf("many/%02d", i) })
	}
	c := b.signedIn(t, opsKey)
	a := c.get("/console/links?bucket=reports&prefix=many/")
	if len(a.rows()) != linksLimit || a.link("Next page") == "" || a.link("First page") != "" ||
		!strings.Contains(a.shown(), "so far") {
		t.Fatalf("the first page has %d rows and leads to %q", len(a.rows()), a.link("Next page"))
	}
	a = c.get(a.link("Next page"))
	if len(a.rows()) != 5 || a.link("Next page") != "" ||
		a.link("First page") != "/console/links?bucket=reports&prefix=many%2F" {
		t.Errorf("the second page has %d rows, the first is at %q", len(a.rows()), a.link("First page"))
	}
}

// A link is found by its ID, by the beginning of its ID in any case, and by its URL, which
// comes by POST and is in no log and on no page.
func TestFindLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	issued := b.issue(t, nil)
	id, token := issued.Link.ID.String(), issued.Token
	c := b.signedIn(t, opsKey)
	page := "/console/links/" + id
	for _, test := range []struct{ q, want string }{
		{id, page},
		{strings.ToUpper(id), page},
		{"  " + id + "\n", page},
		{id[:8], "/console/links/" + id[:8]},
		{strings.ToUpper(id[:8]), "/console/links/" + id[:8]},
		{strings.ToUpper(id[:4]) + id[4:8], "/console/links/" + id[:8]},
		{id[:20], "/console/links/" + id[:20]},
		{"https://dl.example.com/" + token, page},
		{"https://dl.example.com/" + token + "?x=y", page},
		{token, page},
	} {
		for _, a := range []answer{
			c.post("/console/links", url.Values{"q": {test.q}}), c.get("/console/links?q=" + url.QueryEscape(test.q)),
		} {
			if a.status != http.StatusSeeOther || a.header.Get("Location") != test.want {
				t.Errorf("%q: %d to %q", test.q, a.status, a.header.Get("Location"))
			}
		}
		if a := c.get(test.want); a.status == http.StatusSeeOther && a.header.Get("Location") != page {
			t.Errorf("%q: the reference leads to %q", test.want, a.header.Get("Location"))
		}
	}
	for _, q := range []string{
		"", "x", "AbcdefghijkLmnopqrstuvwx", "https://evil.example/" + token, token + "x", "https://dl.example.com/",
		id + "a", "1234567",
	} {
		a := c.post("/console/links", url.Values{"q": {q}})
		if a.status != http.StatusUnprocessableEntity ||
			!strings.Contains(a.shown(), "Enter the URL of a link of this service") {
			t.Errorf("%q: %d %s", q, a.status, a.shown())
		}
		if q != "" && len(q) > 10 && strings.Contains(a.text, q) {
			t.Errorf("the page repeats %q", q)
		}
		if described := attribute(a.byID("q"), "aria-describedby"); described != "q-error" || a.byID(described) == nil {
			t.Errorf("%q: the field is described by %q", q, described)
		}
	}
	if strings.Contains(b.log.String(), token) {
		t.Errorf("the log has the token: %s", b.log.String())
	}
}

// The list shows only the scope, and offers only what the rights allow.
func TestLinksRights(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	b.issue(t, func(r *gateway.IssueRequest) { r.Bucket, r.Key = "exports", "team/a" })
	if a := b.signedIn(t, scopedKey).get("/console/links"); len(a.rows()) != 1 ||
		!strings.Contains(a.rows()[0], "s3://exports/team/a") {
		t.Errorf("the scope: %q", a.rows())
	}
	a := b.signedIn(t, readKey).get("/console/links")
	if len(a.rows()) != 3 || a.button("Revoke the selected links") != nil {
		t.Errorf("a reader: %q", a.rows())
	}
	for _, n := range a.all("input") {
		if attribute(n, "type") == "checkbox" {
			t.Error("a reader can select links")
		}
	}
}

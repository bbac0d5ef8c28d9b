package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keyhole/gateway"
)

// The question says which links it is about, and its number is the one of the list: a used-up
// link, which the list hides, is named apart.
func TestRevokeQuestionNamesLinks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	links := severalLinks(t, b)
	b.issue(t, func(r *gateway.IssueRequest) { r.Key = "b/live" })
	c := b.signedIn(t, opsKey)
	list := c.get("/console/links?bucket=reports&prefix=b/&created_by=ops")
	if len(list.rows()) != 1 {
		t.Fatalf("the list: %q", list.rows())
	}
	a := c.post("/console/revocations", with(list.fields(t, "/console/revocations"), "what", "filter"))
	for _, want := range []string{
		"Revoke 1 link? ", "Folder or paths3://reports/b/ ", "Created byops ", "The remaining retries of 1 used-up link",
	} {
		if !strings.Contains(a.shown(), want) {
			t.Errorf("the question lacks %q: %s", want, a.shown())
		}
	}
	a = c.post("/console/revocations", a.fields(t, "/console/revocations"))
	if !strings.Contains(a.shown(), "1 link revoked The remaining retries of 1 used-up link were ended too") ||
		a.link("Back to the links") != "/console/links?bucket=reports&created_by=ops&prefix=b%2F" {
		t.Errorf("the report leads to %q: %s", a.link("Back to the links"), a.shown())
	}
	id := links["a/active"].Link.ID.String()
	if a = c.post("/console/revocations", url.Values{"id": {id}}); !strings.Contains(a.shown(),
		"Revoke 1 link? "+id[:8]+" s3://reports/a/active Recipients") {
		t.Errorf("the question about a selection: %s", a.shown())
	}
}

// The question about a list of used-up links does not offer to revoke 0 links.
func TestRevokeOnlyUsedUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	severalLinks(t, b)
	a := b.signedIn(t, opsKey).post("/console/revocations", url.Values{"what": {"filter"}, "state": {"used_up"}})
	if button := a.button("End the retries of 1 used-up link"); button == nil || has(button, "disabled") {
		t.Errorf("the question: %s", a.shown())
	}
}

// A large selection has the names of its first links and the number of the others, and an
// operator who may not read links gets references.
func TestRevokeLargeSelection(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	form := url.Values{}
	for range namesLimit + 3 {
		form.Add("id", b.issue(t, nil).Link.ID.String())
	}
	a := b.signedIn(t, opsKey).post("/console/revocations", form)
	if !strings.Contains(a.shown(), "and 3 more links") || strings.Count(a.shown(), "s3://") != namesLimit {
		t.Errorf("the question: %s", a.shown())
	}
	a = b.signedIn(t, scopedKey).post("/console/revocations", form)
	if a.status != http.StatusOK || strings.Contains(a.shown(), "s3://") ||
		!strings.Contains(a.shown(), form["id"][0][:8]) {
		t.Errorf("out of scope: %d %s", a.status, a.shown())
	}
}

package console

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// stubPages renders the facts of a page instead of the page.
type stubPages struct{}

func (stubPages) Render(page *gateway.Page, language, files string, _ time.Time) ([]byte, error) {
	facts, err := json.Marshal(map[string]any{
		"language": language, "note": page.Link.Note, "key": page.Link.Ref.Key, "nonce": page.Nonce, "origin": page.Origin,
		"passphrase": page.Link.Passphrase,
	})
	return []byte(`<img src="` + files + `logo.png"><p id="page">` + html.EscapeString(string(facts)) + "</p>"), err
}

func (stubPages) File(name string) (mediaType string, content []byte, found bool) {
	return "image/png", []byte("logo"), name == "logo.png"
}

// withPages adds the preview to a console.
func withPages(o *Options) { o.RecipientPages = stubPages{} }

// shownPage returns the facts of a preview.
func shownPage(t *testing.T, a *answer) (facts map[string]any) {
	t.Helper()
	if a.status != http.StatusOK || a.header.Get("Content-Security-Policy") != previewPolicy {
		t.Fatalf("the preview: %d with %q: %s", a.status, a.header.Get("Content-Security-Policy"), a.shown())
	}
	if err := json.Unmarshal([]byte(words(a.byID("page"))), &facts); err != nil {
		t.Fatalf("%s: %v", a.text, err)
	}
	return facts
}

// The page of an active link leads to its preview. Looking at it counts nothing and records
// no event, and the page has no nonce with which its form could start a download.
func TestPreviewLink(t *testing.T) {
	t.Parallel()
	b := newBench(t, withPages)
	issued := b.issue(t, func(r *gateway.IssueRequest) {
		r.Confirm, r.Language, r.Note, r.MaxClicks = true, "pl", "for Ann", new(int64(1))
	})
	path := linkPath(issued.Link.ID)
	c := b.signedIn(t, readKey)
	a := c.get(path)
	events := strings.Count(a.text, "<li>")
	preview := a.link("show the recipient’s page")
	if preview != path+"/preview" {
		t.Fatalf("the preview is at %q", preview)
	}
	a = c.get(preview)
	facts := shownPage(t, &a)
	if facts["language"] != "pl" || facts["note"] != "for Ann" || facts["nonce"] != "" ||
		facts["origin"] != "https://s3.example.com" {
		t.Errorf("shown: %v", facts)
	}
	if strings.Contains(a.text, issued.Token) {
		t.Error("the preview has the token")
	}
	if a := c.get(path); strings.Count(a.text, "<li>") != events || !strings.Contains(a.shown(), "Downloads0 of 1") {
		t.Errorf("the preview has left a trace: %s", a.shown())
	}
	if a := c.get(previewFiles + "logo.png"); a.text != "logo" || a.header.Get("Content-Type") != "image/png" ||
		a.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
		t.Errorf("the logo: %d %v", a.status, a.header)
	}
	if a := c.get(previewFiles + "other.png"); a.status != http.StatusNotFound {
		t.Errorf("an unknown file: %d", a.status)
	}
	if a := b.signedIn(t, scopedKey).get(preview); a.status != http.StatusNotFound {
		t.Errorf("outside the scope: %d", a.status)
	}
}

// With a passphrase, the preview hides what the page hides.
func TestPreviewBeforePassphrase(t *testing.T) {
	t.Parallel()
	b := newBench(t, withPages)
	issued := b.issue(t, func(r *gateway.IssueRequest) { r.Passphrase, r.Note = new("correct horse"), "hidden" })
	a := b.signedIn(t, opsKey).get(linkPath(issued.Link.ID) + "/preview")
	if facts := shownPage(t, &a); facts["key"] != "" || facts["note"] != "" || facts["passphrase"] != true {
		t.Errorf("shown: %v", facts)
	}
}

// A link without a page, and one whose recipients see another page, have no preview.
func TestNoPreview(t *testing.T) {
	t.Parallel()
	b := newBench(t, withPages)
	c := b.signedIn(t, opsKey)
	direct := linkPath(b.issue(t, nil).Link.ID)
	paused := linkPath(b.issue(t, func(r *gateway.IssueRequest) { r.Confirm = true }).Link.ID)
	c.post(paused+"/pause", nil)
	for path, want := range map[string]string{direct: "the download starts at once", paused: "link is paused"} {
		if a := c.get(path); a.link("show the recipient’s page") != "" {
			t.Errorf("%s offers a preview", path)
		}
		a := c.get(path + "/preview")
		if a.status != http.StatusOK || !strings.Contains(a.shown(), want) || a.link("Back") != path {
			t.Errorf("%s: %d %s", path, a.status, a.shown())
		}
	}
	if a := newBench(t, nil).signedIn(t, opsKey).get(direct + "/preview"); a.status != http.StatusNotFound {
		t.Errorf("without the pages: %d", a.status)
	}
}

// The form previews the page of its values and creates nothing; then it still creates its
// link, once.
func TestPreviewForm(t *testing.T) {
	t.Parallel()
	b := newBench(t, withPages)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := a.fields(t, "/console/share")
	button := a.button("Preview the recipient’s page")
	if attribute(button, "formaction") != "/console/share/preview" || attribute(button, "formtarget") != "_blank" {
		t.Fatal("the form has no preview")
	}
	form.Set("language", "ja")
	form.Set("note", "for Ann")
	form.Set("make_passphrase", "1")
	form.Set("reveal", "before")
	a = c.post("/console/share/preview", form)
	facts := shownPage(t, &a)
	if facts["language"] != "ja" || facts["note"] != "for Ann" || facts["passphrase"] != true || facts["nonce"] != "" {
		t.Errorf("shown: %v", facts)
	}
	if n := b.storedLinks(t); n != 0 {
		t.Errorf("the preview has created %d links", n)
	}
	form.Set("max_clicks", "0")
	a = c.post("/console/share/preview", form)
	if again := a.fields(t, "/console/share"); a.status != http.StatusUnprocessableEntity || !a.namesField("max_clicks") ||
		again.Get("nonce") != form.Get("nonce") {
		t.Errorf("a wrong value: %d %s", a.status, a.shown())
	}
	form.Set("max_clicks", "many")
	if a := c.post("/console/share/preview", form); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong value: %d %s", a.status, a.shown())
	}
	form.Del("max_clicks")
	for range 2 {
		if a := c.post("/console/share", form); a.status != http.StatusOK || b.storedLinks(t) != 1 {
			t.Errorf("the form afterwards: %d, %d links: %s", a.status, b.storedLinks(t), a.shown())
		}
	}
	if a := b.signedIn(t, readKey).post("/console/share/preview", url.Values{
		"bucket": {"reports"}, "key": {"a"}, "confirm": {"1"},
	}); a.status != http.StatusForbidden {
		t.Errorf("without the right to issue: %d", a.status)
	}
}

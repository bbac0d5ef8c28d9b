package server

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// A preview is the page of recipients in the language of the link, loads its files from the
// console, and leads to no other language.
func TestPreviews(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	hostile := `"/-/style.css" <b>`
	page := &gateway.Page{
		Link: gateway.Link{
			Ref: gateway.ObjectRef{Bucket: "reports", Key: "q3.pdf"}, Confirm: true, Note: hostile,
			CreatedAt: now, ExpiresAt: now.Add(time.Hour), State: gateway.StateActive,
		},
		Origin: "https://s3.example.com",
	}
	var p previews
	err := p.set(pages.Options{Languages: []string{"de", "ar"}, Branding: pages.Branding{Organization: "Example Ltd"}})
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{
		"de": `lang="de"`, "ar": `dir="rtl"`, "fr": `lang="de"`, "": `lang="de"`,
	} {
		html, err := p.Render(page, language, "/console/preview/", now)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(html, []byte(want)) || !bytes.Contains(html, []byte("Example Ltd")) ||
			bytes.Contains(html, []byte("?lang=")) || bytes.Contains(html, []byte(`="/-/`)) {
			t.Errorf("%q: %s", language, html)
		}
		if !bytes.Contains(html, []byte("&#34;/-/style.css&#34;")) {
			t.Errorf("%q: the note was changed: %s", language, html)
		}
		files := regexp.MustCompile(`(?:href|src)="/console/preview/([^"]+)"`).FindAllSubmatch(html, -1)
		if len(files) < 3 {
			t.Errorf("%q: the page loads %q", language, files)
		}
		for _, file := range files {
			if media, content, found := p.File(string(file[1])); !found || media == "" || len(content) == 0 {
				t.Errorf("%q: %s is missing", language, file[1])
			}
		}
	}
	if _, _, found := p.File("secret.txt"); found {
		t.Error("a file that no page has was found")
	}
	// Other settings apply to the next preview, and refused ones change nothing.
	if err := p.set(pages.Options{Branding: pages.Branding{Organization: "Other Ltd"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.set(pages.Options{Languages: []string{"xx"}}); err == nil {
		t.Error("an unknown language is accepted")
	}
	html, err := p.Render(page, "", "/console/preview/", now)
	if err != nil || !strings.Contains(string(html), "Other Ltd") || !strings.Contains(string(html), `lang="en"`) {
		t.Errorf("after a reload: %v %s", err, html)
	}
}

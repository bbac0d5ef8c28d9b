package pages

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// hostileTexts are texts that operators, storages or an organization's name may contain.
func hostileTexts() []string {
	return []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</dd></dl><form action=//evil>", "{{.Nonce}}",
		"{sender}{n}{contact}",
		"</title><script>", "</style><style>p{background:url(x)}", "&lt;b&gt;", "&amp;", "&#60;b&#62;",
		"\u202egnp.exe", "\u2066a\u2069", "\u200fעברית", "👩\u200d👩\u200d👧\u200d👦 file",
		strings.Repeat("a", 255), strings.Repeat("ä", 127),
		"javascript:alert(1)", "' onmouseover='x", "`x`", "%3Cscript%3E", "\x00", "a\nb\tc", "<!--", "]]>", "${x}",
	}
}

// visible returns what a browser makes of a text: NUL is replaced (WHATWG HTML, section
// 13.2.5).
func visible(text string) string { return strings.ReplaceAll(text, "\x00", "\ufffd") }

// In every language, names and notes are text in elements of their own: nothing runs, and no
// text can be misread as a part of the page.
func TestHostileNamesAndNotes(t *testing.T) {
	t.Parallel()
	r := branded(t, func(b *Branding) { b.Sender, b.Contact, b.Links = SenderOperator, "", nil })
	for _, locale := range r.Locales() {
		for _, hostile := range hostileTexts() {
			view := aPage()
			view.Link.Filename, view.Link.Note, view.Link.Object.ContentType = hostile, hostile, "x/"+hostile
			view.Link.Sender, view.Nonce, view.Origin = hostile, hostile, "https://"+hostile
			page := confirm(t, locale, Confirmation{Page: view, WrongPassphrase: true})
			values := pagetest.Elements(page, "dd")
			if len(values) < 5 || pagetest.Text(values[0]) != visible(hostile) ||
				pagetest.Text(values[len(values)-2]) != visible(hostile) {
				t.Errorf("%s: %q is shown as %q", locale.Tag, hostile, rows(page))
				continue
			}
			// What comes from outside stands alone in an element that isolates its direction.
			name := values[0].FirstChild
			if name.Data != "bdi" || name.NextSibling != nil || pagetest.Attribute(values[len(values)-2], "dir") != "auto" {
				t.Errorf("%s: the name stands in %s", locale.Tag, name.Data)
			}
			heading := pagetest.One(t, pagetest.One(t, page, "h1"), "bdi")
			if pagetest.Text(heading) != visible(hostile) {
				t.Errorf("%s: the sender is %q", locale.Tag, pagetest.Text(heading))
			}
			for _, input := range pagetest.Elements(page, "input") {
				if pagetest.Attribute(input, "name") == "nonce" && pagetest.Attribute(input, "value") != visible(hostile) {
					t.Errorf("%s: the nonce is %q", locale.Tag, pagetest.Attribute(input, "value"))
				}
			}
		}
	}
}

// In every language, a hostile branding is text, too. The configuration refuses most of it.
func TestHostileBranding(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileTexts() {
		// html/template escapes spaces and quotes of an address, so it is compared as parsed.
		r := branded(t, func(b *Branding) {
			b.Organization, b.Contact = hostile, "mailto:"+hostile
			b.Links = []FooterLink{{Name: hostile, URL: "https://example.com/imprint"}}
		})
		for _, locale := range r.Locales() {
			for _, view := range []Refusal{
				{Outcome: gateway.OutcomeNotFound},
				{Outcome: gateway.OutcomeExpired, Facts: &gateway.Facts{Reference: hostile}, Now: now()},
				{Outcome: gateway.OutcomeAddressNotAllowed, Address: hostile, Now: now()},
			} {
				rendered, _ := locale.Refusal(&view)
				page := pagetest.Parse(t, rendered)
				if got := pagetest.Text(pagetest.One(t, pagetest.One(t, page, "header"), "bdi")); got != visible(hostile) {
					t.Errorf("%s: the organization is %q, want %q", locale.Tag, got, hostile)
				}
				for _, link := range pagetest.Elements(page, "a") {
					href := pagetest.Attribute(link, "href")
					if !strings.HasPrefix(href, "mailto:") && !strings.HasPrefix(href, "?lang=") &&
						href != "https://example.com/imprint" {
						t.Errorf("%s: a link leads to %q", locale.Tag, href)
					}
				}
				wantElements(t, locale, page)
			}
		}
	}
}

// wantElements fails the test if a page has an element that no template has.
func wantElements(t *testing.T, locale *Locale, page *html.Node) {
	t.Helper()
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && !slices.Contains([]string{
			"html", "head", "meta", "title", "link", "script", "body", "header", "img", "p", "bdi", "main", "h1", "dl",
			"div", "dt", "dd", "time", "span", "a", "footer", "nav", "ul", "li",
		}, n.Data) {
			t.Errorf("%s: the page has an element %s", locale.Tag, n.Data)
		}
	}
	if scripts := pagetest.Elements(page, "script"); len(scripts) != 1 || scripts[0].FirstChild != nil {
		t.Errorf("%s: the page has %d scripts", locale.Tag, len(scripts))
	}
}

// A footer link whose scheme runs a script leads nowhere, even if the configuration let it
// pass.
func TestSchemesOfFooterLinks(t *testing.T) {
	t.Parallel()
	r := branded(t, func(b *Branding) {
		b.Contact, b.Links = "", []FooterLink{{Name: "x", URL: "javascript:alert(1)"}, {Name: "y", URL: "data:text/html,x"}}
	})
	rendered, _ := r.Locales()[0].Refusal(&Refusal{Outcome: gateway.OutcomeNotFound})
	if strings.Contains(string(rendered), "javascript:") || strings.Contains(string(rendered), "data:") {
		t.Errorf("the page is %s", rendered)
	}
}

// A placeholder in the contact is a part of its address, and the text of the page does not
// replace it. The configuration refuses braces, too.
func TestPlaceholderInTheContact(t *testing.T) {
	t.Parallel()
	const address = "https://example.com/{reference}/{contact}"
	r := branded(t, func(b *Branding) { b.Contact, b.Links = address, nil })
	rendered, _ := r.Locales()[0].Refusal(&Refusal{
		Outcome: gateway.OutcomeExpired, Facts: &gateway.Facts{Reference: "01234567"}, Now: now(),
	})
	main := pagetest.One(t, pagetest.Parse(t, rendered), "main")
	if link := pagetest.One(t, main, "a"); pagetest.Attribute(link, "href") != address+"?reference=01234567" {
		t.Fatalf("the contact leads to %q", pagetest.Attribute(link, "href"))
	}
}

// TestBudget holds a page with all its assets, without a logo, to 20 kB.
func TestBudget(t *testing.T) {
	t.Parallel()
	r := branded(t, func(b *Branding) { b.Logo = Logo{} })
	assets := 0
	for _, asset := range r.assets {
		assets += len(asset.Content)
	}
	largest := 0
	for _, locale := range r.Locales() {
		view := aPage()
		view.Link.Note = strings.Repeat("n", 1000) // the longest note
		confirmation, err := locale.Confirmation(Confirmation{Page: view, WrongPassphrase: true, AttemptsLeft: 3, Now: now()})
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(confirmation))
		for _, kind := range refusalKinds() {
			refusal := viewOf(kind)
			refusal.Facts, refusal.Now = someFacts(), now()
			page, _ := locale.Refusal(&refusal)
			largest = max(largest, len(page))
		}
	}
	if largest+assets > 20_000 {
		t.Errorf("a page of %d bytes and %d bytes of assets are more than 20 kB", largest, assets)
	}
	t.Logf("the largest page has %d bytes, the assets have %d", largest, assets)
}

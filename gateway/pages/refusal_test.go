package pages

import (
	"html/template"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// newRenderer returns a renderer for all languages without branding.
func newRenderer(t *testing.T) *Renderer {
	t.Helper()
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// branded returns a renderer with everything that a configuration can add.
func branded(t *testing.T, change func(*Branding)) *Renderer {
	t.Helper()
	b := Branding{
		Organization: "Example & Sons", Contact: "mailto:help@example.com", AccentColor: "#205030", AccentText: "#ffffff",
		Logo: Logo{Content: []byte("\x89PNG"), MediaType: "image/png"},
		Links: []FooterLink{
			{Name: "Privacy", URL: "https://example.com/privacy"},
			{Name: "Impressum", URL: "https://example.com/impressum", Language: "de"},
		},
	}
	if change != nil {
		change(&b)
	}
	r, err := New(Options{Branding: b})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// now is the time at which the pages of tests are rendered.
func now() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

// someFacts are the facts about a link.
func someFacts() *gateway.Facts {
	return &gateway.Facts{
		Reference: "abcd2345", ExpiresAt: now().Add(-2 * time.Hour), RevokedAt: now().Add(-3 * time.Minute),
		NotBefore: now().Add(72 * time.Hour),
	}
}

// refusalPage renders and parses a refusal.
func refusalPage(t *testing.T, locale *Locale, view Refusal, links ...string) *html.Node {
	t.Helper()
	rendered, ok := locale.Refusal(&view)
	if !ok {
		t.Fatalf("there is no page for %+v", view)
	}
	page := pagetest.Parse(t, rendered)
	pagetest.WantConfined(t, page, links...)
	return page
}

// Every kind of refusal is a page in every language: the heading, what happened, what to
// do, and a preview that says nothing about the link.
func TestRefusalPages(t *testing.T) {
	t.Parallel()
	for _, locale := range newRenderer(t).Locales() {
		for _, kind := range refusalKinds() {
			view := viewOf(kind)
			page := refusalPage(t, locale, view)
			root := pagetest.One(t, page, "html")
			if pagetest.Attribute(root, "lang") != locale.Tag ||
				(pagetest.Attribute(root, "dir") == "rtl") != (locale.Tag == "ar") {
				t.Errorf("%s %s: the page is %v", locale.Tag, kind, root.Attr)
			}
			if title := pagetest.Text(pagetest.One(t, page, "title")); title != locale.catalogue.text("page_title") {
				t.Errorf("%s %s: the title is %q", locale.Tag, kind, title)
			}
			h1 := pagetest.Text(pagetest.One(t, page, "h1"))
			paragraphs := pagetest.Elements(pagetest.One(t, page, "main"), "p")
			texts := []string{h1, pagetest.Text(paragraphs[0]), pagetest.Text(paragraphs[1])}
			want := []string{
				locale.catalogue.text(string(kind) + ".title"), locale.catalogue.text(string(kind) + ".text"),
				locale.catalogue.text(string(kind) + ".help"),
			}
			if !slices.Equal(texts, want) || len(paragraphs) != 2 || slices.Contains(texts, "") {
				t.Errorf("%s %s: the page says %q, want %q", locale.Tag, kind, texts, want)
			}
			for _, meta := range pagetest.Elements(page, "meta") {
				if !slices.Contains([]string{"", "viewport", "robots", "color-scheme"}, pagetest.Attribute(meta, "name")) ||
					pagetest.Attribute(meta, "property") != "" {
					t.Errorf("%s %s: there is a meta %v", locale.Tag, kind, meta.Attr)
				}
			}
			if len(pagetest.Elements(page, "dl")) != 0 {
				t.Errorf("%s %s: a page without facts has a list of facts", locale.Tag, kind)
			}
		}
	}
}

// viewOf returns a view of a kind, without facts.
func viewOf(kind refusalKind) Refusal {
	switch kind {
	case kindPrefetched:
		return Refusal{Outcome: gateway.OutcomeBadRequest, Prefetched: true}
	case kindDownloaded:
		return Refusal{Outcome: gateway.OutcomeUsedUp, Downloaded: true}
	}
	return Refusal{Outcome: gateway.Outcome(kind)}
}

// rows returns the labels and values of the page's lists.
func rows(page *html.Node) string {
	var lines []string
	values := pagetest.Elements(page, "dd")
	for i, label := range pagetest.Elements(page, "dt") {
		lines = append(lines, pagetest.Text(label)+"="+pagetest.Text(values[i]))
	}
	return strings.Join(lines, "|")
}

// Each state shows its facts and the reference, and no other state's.
func TestFactsOfRefusals(t *testing.T) {
	t.Parallel()
	locale := newRenderer(t).Locales()[0]
	const reference = "Reference=abcd2345"
	for kind, want := range map[refusalKind]string{
		"expired": "Expired=1 November 2026, 10:00 UTC 2 hours ago|" + reference,
		"revoked": "Withdrawn=1 November 2026, 11:57 UTC 3 minutes ago|" + reference,
		"not_yet": "Available from=4 November 2026, 12:00 UTC in 3 days|" + reference,
		"rate_limited": "Try again from=1 November 2026, 12:15 UTC in 15 minutes|" +
			reference,
		"address_not_allowed": "Your IP address=2001:db8::1|" + reference,
		"used_up":             reference, kindDownloaded: reference, "paused": reference, "object_changed": reference,
		"object_gone": reference, "object_archived": reference, "unavailable": reference, "bad_request": reference,
	} {
		view := viewOf(kind)
		view.Facts, view.Now = someFacts(), now()
		switch view.Outcome {
		case gateway.OutcomeRateLimited:
			view.Retry = now().Add(15 * time.Minute)
		case gateway.OutcomeAddressNotAllowed:
			view.Address = "2001:db8::1"
		}
		page := refusalPage(t, locale, view)
		if got := rows(page); got != want {
			t.Errorf("%s: the page shows %q, want %q", kind, got, want)
		}
		for _, element := range pagetest.Elements(page, "time") {
			if _, err := time.Parse(time.RFC3339, pagetest.Attribute(element, "datetime")); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
	// Unknown facts have no row.
	unknown := Refusal{Outcome: gateway.OutcomeExpired, Facts: &gateway.Facts{}, Now: now()}
	if got := rows(refusalPage(t, locale, unknown)); got != "" {
		t.Errorf("without facts: %q", got)
	}
	limited := Refusal{Outcome: gateway.OutcomeRateLimited, Retry: now().Add(time.Minute), Now: now()}
	if got := rows(refusalPage(t, locale, limited)); got != "Try again from=1 November 2026, 12:01 UTC in 1 minute" {
		t.Errorf("a limit without a link: %q", got)
	}
}

// The contact link of a page about a link carries the reference. A tel: link cannot, so
// the sentence has the reference.
func TestContactCarriesTheReference(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string]struct{ href, name string }{
		"mailto:help@example.com":   {"mailto:help@example.com?subject=Reference%20abcd2345", "help@example.com"},
		"tel:+49-30-123":            {"tel:+49-30-123", "+49-30-123"},
		"https://example.com/help/": {"https://example.com/help/?reference=abcd2345", "example.com/help"},
		"https://example.com/?a=b":  {"https://example.com/?a=b&reference=abcd2345", "example.com/?a=b"},
	} {
		r := branded(t, func(b *Branding) { b.Contact, b.Links = contact, nil })
		view := Refusal{Outcome: gateway.OutcomeExpired, Facts: someFacts(), Now: now()}
		page := refusalPage(t, r.Locales()[0], view, want.href)
		paragraphs := pagetest.Elements(pagetest.One(t, page, "main"), "p")
		text := pagetest.Text(paragraphs[len(paragraphs)-1])
		if sentence := "If you need help, please ask here and give the reference abcd2345: " + want.name; text != sentence {
			t.Errorf("%s: the page says %q, want %q", contact, text, sentence)
		}
		link := pagetest.One(t, pagetest.One(t, page, "main"), "a")
		if href := pagetest.Attribute(link, "href"); href != want.href {
			t.Errorf("%s: the link is %q, want %q", contact, href, want.href)
		}
		// The page of an unknown link names the contact, and no reference.
		unknown := refusalPage(t, r.Locales()[0], Refusal{Outcome: gateway.OutcomeNotFound}, contact)
		if strings.Contains(pagetest.Text(unknown), "abcd2345") || !strings.Contains(pagetest.Text(unknown), want.name) {
			t.Errorf("%s: the page of an unknown link is %q", contact, pagetest.Text(unknown))
		}
	}
}

// Branding is on every page, and a footer link with a language only on pages in it.
func TestBrandingOfRefusals(t *testing.T) {
	t.Parallel()
	r := branded(t, nil)
	for _, locale := range r.Locales() {
		page := refusalPage(t, locale, Refusal{Outcome: gateway.OutcomeNotFound}, "mailto:help@example.com",
			"https://example.com/privacy", "https://example.com/impressum")
		header := pagetest.One(t, page, "header")
		if pagetest.Text(pagetest.One(t, header, "bdi")) != "Example & Sons" {
			t.Errorf("%s: the header is %q", locale.Tag, pagetest.Text(header))
		}
		if src := pagetest.Attribute(pagetest.One(t, header, "img"), "src"); src != r.assets["logo"].Path {
			t.Errorf("%s: the logo is %s", locale.Tag, src)
		}
		footer := pagetest.Text(pagetest.One(t, page, "footer"))
		if !strings.Contains(footer, "Privacy") || strings.Contains(footer, "Impressum") != (locale.Tag == "de") {
			t.Errorf("%s: the footer is %q", locale.Tag, footer)
		}
	}
	hidden := branded(t, func(b *Branding) { b.Sender = SenderNone })
	for _, locale := range hidden.Locales() {
		rendered, _ := locale.Refusal(&Refusal{Outcome: gateway.OutcomeNotFound})
		if strings.Contains(string(rendered), "Example") {
			t.Errorf("%s: the page names the organization", locale.Tag)
		}
	}
}

// Every page offers the other languages by relative links, and none if only one is offered.
func TestLanguagesOfPages(t *testing.T) {
	t.Parallel()
	for _, locale := range newRenderer(t).Locales() {
		page := refusalPage(t, locale, Refusal{Outcome: gateway.OutcomeNotFound})
		var offered []string
		for _, link := range pagetest.Elements(pagetest.One(t, page, "nav"), "a") {
			tag := pagetest.Attribute(link, "hreflang")
			if pagetest.Attribute(link, "href") != "?lang="+tag || pagetest.Attribute(link.Parent, "lang") != tag {
				t.Errorf("%s: the link is %v", locale.Tag, link.Attr)
			}
			offered = append(offered, tag)
		}
		want := slices.DeleteFunc(gateway.Languages(), func(tag string) bool { return tag == locale.Tag })
		if !slices.Equal(offered, want) {
			t.Errorf("%s: offered are %v, want %v", locale.Tag, offered, want)
		}
	}
	single, err := New(Options{Languages: []string{"de"}})
	if err != nil {
		t.Fatal(err)
	}
	page := refusalPage(t, single.Locales()[0], Refusal{Outcome: gateway.OutcomeNotFound})
	if len(pagetest.Elements(page, "nav")) != 0 {
		t.Error("one language is offered")
	}
}

// Programs get the sentences of the English page in one line, and what a program can do.
// Pages never show the latter.
func TestPlainRefusals(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	english := r.Locales()[0]
	for _, kind := range refusalKinds() {
		if kind == kindDownloaded {
			continue
		}
		view := viewOf(kind)
		plain, ok := r.Plain(&view)
		if !ok {
			t.Fatalf("%s has no text", kind)
		}
		title, text := english.catalogue.text(string(kind)+".title"), english.catalogue.text(string(kind)+".text")
		line := string(plain.Text)
		if !strings.HasPrefix(line, title+": "+text) || strings.Index(line, "\n") != len(line)-1 ||
			line != title+": "+plain.Detail+"\n" {
			t.Errorf("%s: the line is %q, the detail %q", kind, line, plain.Detail)
		}
		hint := programHint(kind)
		page, _ := english.Refusal(&view)
		if !strings.Contains(plain.Detail, hint) ||
			hint != "" && strings.Contains(string(page), template.HTMLEscapeString(hint)) {
			t.Errorf("%s: the hint %q is missing in %q, or the page has it", kind, hint, plain.Detail)
		}
	}
	downloaded := Refusal{Outcome: gateway.OutcomeUsedUp, Downloaded: true, Now: now(), Facts: someFacts()}
	if _, ok := r.Plain(&downloaded); !ok {
		t.Error("a used-up link has no text for a browser that used it up")
	}
}

// Outcomes that redirect and unknown outcomes have neither page nor text.
func TestNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	for _, outcome := range []gateway.Outcome{
		gateway.OutcomeRedirected, gateway.OutcomeResumed, gateway.OutcomePage, "", "x",
	} {
		view := Refusal{Outcome: outcome, Facts: someFacts()}
		if page, ok := r.Locales()[0].Refusal(&view); ok || page != nil {
			t.Errorf("%q: %s", outcome, page)
		}
		if plain, ok := r.Plain(&view); ok {
			t.Errorf("%q: %s", outcome, plain.Text)
		}
	}
}

// Pages without facts are rendered once: every caller gets the same bytes.
func TestRefusalsAreRenderedInAdvance(t *testing.T) { // not parallel: it counts allocations
	locale := newRenderer(t).Locales()[3]
	view := Refusal{Outcome: gateway.OutcomeNotFound}
	first, _ := locale.Refusal(&view)
	second, _ := locale.Refusal(&view)
	if &first[0] != &second[0] {
		t.Error("the refusal was rendered twice")
	}
	if n := testing.AllocsPerRun(10, func() { locale.Refusal(&view) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A page with facts is the same in a buffer of another page, and needs no memory of its own.
func TestAppendRefusal(t *testing.T) { // not parallel: it counts allocations
	plain := newRenderer(t)
	for _, locale := range append(plain.Locales(), branded(t, nil).Locales()...) {
		buffer := []byte("another page")
		for _, kind := range refusalKinds() {
			for _, facts := range []*gateway.Facts{nil, {}, someFacts()} {
				view := viewOf(kind)
				view.Facts, view.Now = facts, now()
				if view.Outcome == gateway.OutcomeRateLimited {
					view.Retry = now().Add(15 * time.Minute)
				}
				want, _ := locale.Refusal(&view)
				var ok bool
				if buffer, ok = locale.AppendRefusal(buffer[:0], &view); !ok || string(buffer) != string(want) {
					t.Fatalf("%s %s: %v, the page is %s, want %s", locale.Tag, kind, ok, buffer, want)
				}
				n := testing.AllocsPerRun(10, func() { locale.AppendRefusal(buffer[:0], &view) })
				if n != 0 && locale.branding.Contact == "" {
					t.Errorf("%s %s: %v allocations", locale.Tag, kind, n)
				}
			}
		}
	}
	locale := plain.Locales()[0]
	if page, ok := locale.AppendRefusal([]byte("begun"), &Refusal{Outcome: "x"}); ok || string(page) != "begun" {
		t.Errorf("an unknown outcome: %s", page)
	}
}

// A template that fails is an error, and no page.
func TestBrokenTemplate(t *testing.T) {
	t.Parallel()
	broken := template.Must(template.New("page").Parse("{{.NoSuchField}}"))
	locale := newRenderer(t).Locales()[0]
	if err := locale.prepareRefusals(broken); err == nil {
		t.Error("a broken refusal is no error")
	}
	locale.confirmation = broken
	if page, err := locale.Confirmation(Confirmation{Page: &gateway.Page{}}); err == nil || page != nil {
		t.Errorf("confirmation: %q, %v", page, err)
	}
}

func TestPolicyOfPages(t *testing.T) {
	t.Parallel()
	for target, forms := range map[string]string{"": "'self'", "https://s3.example.com": "'self' https://s3.example.com"} {
		directives := map[string]string{}
		for directive := range strings.SplitSeq(Policy(target), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			directives[name] = value
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "img-src": "'self'", "script-src": "'self'", "style-src": "'self'",
			"form-action": forms, "base-uri": "'none'", "frame-ancestors": "'none'",
		} {
			if directives[name] != want {
				t.Errorf("%s is %q, want %q", name, directives[name], want)
			}
		}
		if len(directives) != 7 {
			t.Errorf("the directives are %v", directives)
		}
	}
}

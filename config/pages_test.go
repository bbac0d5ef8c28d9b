package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// withPages returns the paths of the problems of minimal with changed pages.
func withPages(t *testing.T, change func(*Pages)) []string {
	t.Helper()
	var paths []string
	c := valid(t)
	change(&c.Pages)
	problems, _ := c.validate()
	for _, p := range problems {
		if p.Message == "" {
			t.Errorf("%s has no message", p.Path)
		}
		paths = append(paths, p.Path)
	}
	return paths
}

func TestPagesRules(t *testing.T) {
	t.Parallel()
	link := func(name, url, language string) func(*Pages) {
		return func(p *Pages) { p.Links = []PageLink{{Name: name, URL: url, Language: language}} }
	}
	links := func(n int) func(*Pages) {
		return func(p *Pages) { p.Links = slices.Repeat([]PageLink{{Name: "A", URL: "https://a.test"}}, n) }
	}
	for name, tt := range map[string]struct {
		change func(*Pages)
		want   []string
	}{
		"defaults": {func(*Pages) {}, nil},
		"everything": {func(p *Pages) {
			*p = Pages{
				Organization: "Müller & Söhne 株式会社", Sender: "operator", AccentColor: "#1976d2",
				Contact: "mailto:help@example.com", Languages: []string{"de", "ar"},
				Links: []PageLink{
					{"Impressum", "https://example.com/impressum?a=b#c", "de"},
					{"Imprint", "https://example.com/imprint", ""},
					{"Mail", "mailto:privacy@example.com", "zh"},
				},
			}
		}, nil},
		"no sender":      {func(p *Pages) { p.Sender = "" }, []string{"pages.sender"}},
		"another sender": {func(p *Pages) { p.Sender = "me" }, []string{"pages.sender"}},
		"80 characters":  {func(p *Pages) { p.Organization = strings.Repeat("ü", 80) }, nil},
		"81 characters":  {func(p *Pages) { p.Organization = strings.Repeat("ü", 81) }, []string{"pages.organization"}},
		"colour":         {func(p *Pages) { p.AccentColor = "blue" }, []string{"pages.accent_color"}},
		"contact":        {func(p *Pages) { p.Contact = "http://example.com" }, []string{"pages.contact"}},
		"empty link":     {link("", "", ""), []string{"pages.links[0].name", "pages.links[0].url"}},
		"name of 40":     {link(strings.Repeat("é", 40), "https://a.test", ""), nil},
		"name of 41":     {link(strings.Repeat("é", 41), "https://a.test", ""), []string{"pages.links[0].name"}},
		"hidden name":    {link("a\u200bb", "https://a.test", ""), []string{"pages.links[0].name"}},
		"link by http":   {link("A", "http://a.test", ""), []string{"pages.links[0].url"}},
		"link by tel":    {link("A", "tel:+4930901820", ""), []string{"pages.links[0].url"}},
		"link to a path": {link("A", "/privacy", ""), []string{"pages.links[0].url"}},
		"other language": {link("A", "https://a.test", "en-GB"), []string{"pages.links[0].language"}},
		"8 links":        {links(8), nil},
		"9 links":        {links(9), []string{"pages.links"}},
		"all languages":  {func(p *Pages) { p.Languages = PageLanguages() }, nil},
		"language twice": {func(p *Pages) { p.Languages = []string{"de", "en", "de"} }, []string{"pages.languages[2]"}},
		"no language":    {func(p *Pages) { p.Languages = []string{"de", ""} }, []string{"pages.languages[1]"}},
		"capitals":       {func(p *Pages) { p.Languages = []string{"DE"} }, []string{"pages.languages[0]"}},
		"two mistakes":   {func(p *Pages) { p.Contact, p.Sender = "x", "y" }, []string{"pages.sender", "pages.contact"}},
		"unknown, twice": {
			func(p *Pages) { p.Languages = []string{"xx", "xx"} },
			[]string{"pages.languages[0]", "pages.languages[1]"},
		},
		"organization ''": {func(p *Pages) { p.Organization = "" }, nil},
	} {
		if got := withPages(t, tt.change); !slices.Equal(got, tt.want) {
			t.Errorf("%s: problems with %v, want %v", name, got, tt.want)
		}
	}
}

// Names that look like other names, or like none, are refused.
func TestVisibleNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Example Ltd", "A",
		"東京 株式会社", "شركة المثال", "Ünïcode™ & Co. №1", "a\u00a0b", "e\u0301", "全角\u3000空白", "☂",
	} {
		if got := withPages(t, func(p *Pages) { p.Organization = name }); got != nil {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{
		" ", "\u00a0", "\u3000", " a", "a ", "a\nb", "a\x00", "a\x7f", "a\u0085b", "a\u2028b",
		"a\u2029b", "\xff", "a\xc0\xaf",
		"a\u200bb",
		"a\u200db", "a\u200cb", "a\u200eb", "a\u200fb", "a\u061cb", "a\u202ab", "a\u202eb",
		"a\u2066b", "a\u2069b",
		"a\u2060b", "a\ufeffb", "a\u00adb", "a\u034fb", "a\u115fb", "\u3164", "\uffa0", "\u2800", "a\ufe0fb",
		"a\U000e0041b",
		"a\U000e0100b", "a\ue000b", "a\U0010fffeb", "\u0301", "a\ufff9b", "a\u180eb", "a\u206ab",
	} {
		if got := withPages(t, func(p *Pages) { p.Organization = name }); len(got) != 1 {
			t.Errorf("%q is allowed", name)
		}
	}
}

// Without an organization the service warns, unless its pages name no sender at all.
func TestNoOrganization(t *testing.T) {
	t.Parallel()
	without := strings.Replace(minimal, "pages: {organization: Example}\n", "", 1)
	for sender, want := range map[string][]string{
		"":             {"no_organization pages.organization"},
		"organization": {"no_organization pages.organization"},
		"operator":     {"no_organization pages.organization"},
		"none":         nil,
	} {
		text := without
		if sender != "" {
			text += "pages: {sender: " + sender + "}\n"
		}
		_, warnings, err := loadText(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantWarnings(t, warnings, want...)
	}
	// A sender that is wrong is one problem and no warning.
	_, warnings, err := loadText(without+"pages: {sender: x}\n", nil)
	wantWarnings(t, warnings)
	wantLines(t, err, "line 11: pages.sender: must be none, organization or operator")
}

// Variables set every key, also of a footer link, by its name.
func TestPagesVariables(t *testing.T) {
	t.Parallel()
	links := "  links: [{name: Privacy, url: https://a.test}, {name: Imprint, url: https://b.test, language: en}]\n"
	text := strings.Replace(minimal, "pages: {organization: Example}\n", "pages:\n"+links, 1)
	c, warnings, err := loadText(
		text, disk{"/logo": svgOf("")}, "KEYHOLE_PAGES_ORGANIZATION=Example", "KEYHOLE_PAGES_SENDER=operator",
		"KEYHOLE_PAGES_LOGO_FILE=/logo", "KEYHOLE_PAGES_ACCENT_COLOR=#1976D2", "KEYHOLE_PAGES_CONTACT=tel:112",
		"KEYHOLE_PAGES_LANGUAGES=de, en", "KEYHOLE_PAGES_LINKS_PRIVACY_URL=https://c.test",
		"KEYHOLE_PAGES_LINKS_IMPRINT_LANGUAGE=de",
	)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, warnings)
	want := Pages{
		Organization: "Example", Sender: SenderOperator, LogoFile: "/logo", AccentColor: "#1976d2", Contact: "tel:112",
		Links:     []PageLink{{Name: "Privacy", URL: "https://c.test"}, {"Imprint", "https://b.test", "de"}},
		Languages: []string{"de", "en"},
	}
	if got := fmt.Sprintf("%+v", c.Pages); got != fmt.Sprintf("%+v", want) {
		t.Errorf("got %s", got)
	}
	_, _, err = loadText(text, nil, "KEYHOLE_PAGES_LINKS_TERMS_URL=https://c.test")
	wantLines(t, err, "KEYHOLE_PAGES_LINKS_TERMS_URL: names no footer link of the file, which has Privacy, Imprint: a "+
		"variable can only change an entry that is in the file")
}

// A link for a language that the pages do not offer is on no page. Without a list, every
// language is offered.
func TestUnusedFooterLinks(t *testing.T) {
	t.Parallel()
	for languages, want := range map[string][]string{
		"[]": nil, "[de, en]": nil, "[fr, de]": nil, "[en]": {"unused_link pages.links[1].language"},
	} {
		text := strings.Replace(minimal, "pages: {organization: Example}\n", "pages:\n  organization: Example\n  languages: "+
			languages+"\n  links: [{name: A, url: \"https://a.test\"}, "+
			"{name: B, url: \"https://a.test\", language: de}]\n", 1)
		_, warnings, err := loadText(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		wantWarnings(t, warnings, want...)
		if want != nil && !strings.Contains(warnings[0].String(), "is de, which is not in pages.languages") {
			t.Errorf("the warning is %q", warnings[0])
		}
	}
	// A language that does not exist is one problem and no warning.
	c := valid(t)
	c.Pages.Links = []PageLink{{Name: "A", URL: "https://a.test", Language: "xx"}}
	c.Pages.Languages = []string{"en"}
	if problems, warnings := c.validate(); len(problems) != 1 || len(warnings) != 0 {
		t.Errorf("%v, %v", problems, warnings)
	}
}

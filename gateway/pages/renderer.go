package pages

import (
	"embed"
	"fmt"
	"html/template"
	"slices"

	"keyhole/gateway"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Options configures a Renderer.
type Options struct {
	// Languages are the tags of the offered languages. The first one is the fallback.
	// Empty: all languages of gateway.Languages.
	Languages []string
	Branding  Branding
}

// Branding is what an organization adds to the pages. Package config has validated it.
type Branding struct {
	Organization string // the name that recipients know; empty: unknown
	Sender       Sender // empty: SenderOrganization
	Logo         Logo   // without content: the icon of the pages
	// AccentColor is the colour of the button, #rrggbb, and AccentText the colour of the
	// text on it. Empty: the colours of the style sheet.
	AccentColor, AccentText string
	Contact                 string // a mailto:, tel: or https: URL; empty: none
	Links                   []FooterLink
}

// Sender says whom confirmation pages name as the sender of a file.
type Sender string

// The values of Branding.Sender. With SenderNone, no page names the organization either.
const (
	SenderNone         Sender = "none"
	SenderOrganization Sender = "organization"
	SenderOperator     Sender = "operator" // the display name of the operator who issued the link
)

// Logo is the picture at the top of every page.
type Logo struct {
	Content   []byte
	MediaType string // image/png or image/svg+xml
}

// FooterLink is a link at the bottom of every page, such as an imprint.
type FooterLink struct {
	Name, URL string
	Language  string // only pages in this language have the link; empty: all pages
}

// Renderer renders the pages for recipients. It is safe for concurrent use.
type Renderer struct {
	locales []*Locale // the fallback first
	matcher *matcher
	assets  map[string]*Asset // by name
	plain   map[refusalKind]Plain
}

// New returns a Renderer. It renders in advance the parts of pages that no link changes.
// New fails if a language is unknown, or if an embedded file is broken.
func New(o Options) (*Renderer, error) {
	templates, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	assets, err := loadAssets(&o.Branding)
	if err != nil {
		return nil, err
	}
	r := &Renderer{assets: assets}
	tags := o.Languages
	if len(tags) == 0 {
		tags = gateway.Languages()
	}
	var offered []language
	for _, tag := range tags {
		l, err := languageOf(tag)
		if err != nil {
			return nil, err
		}
		offered = append(offered, l)
	}
	for i, l := range offered {
		locale, err := newLocale(i, l, offered, templates, assets, &o.Branding)
		if err != nil {
			return nil, fmt.Errorf("pages in %s: %w", l.tag, err)
		}
		r.locales = append(r.locales, locale)
	}
	r.matcher = newMatcher(tags)
	if r.plain, err = renderPlain(); err != nil {
		return nil, err
	}
	return r, nil
}

// Locales returns the locale of each offered language, the fallback first. Locale.Index
// is the position in this list.
func (r *Renderer) Locales() []*Locale { return slices.Clone(r.locales) }

// Locale returns the locale of an answer. The language is the first of these that the
// renderer offers: query, which is the value of the query parameter lang; link, which is
// the language of the link; the best match for the Accept-Language headers; the fallback.
func (r *Renderer) Locale(query, link string, accept []string) *Locale {
	for _, tag := range [...]string{query, link} {
		if tag == "" {
			continue
		}
		for _, locale := range r.locales {
			if locale.Tag == tag {
				return locale
			}
		}
	}
	return r.locales[r.matcher.match(accept)]
}

// Policy returns the Content-Security-Policy of every page. It allows the assets of the
// pages, and nothing else. The browser may send forms to the link itself and follow a
// redirect to formTarget, an origin; "" allows no redirect.
func Policy(formTarget string) string {
	forms := "'self'"
	if formTarget != "" {
		forms += " " + formTarget
	}
	return "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; form-action " + forms +
		"; base-uri 'none'; frame-ancestors 'none'"
}

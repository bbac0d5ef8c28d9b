package pages

import (
	"bytes"
	"html/template"

	"keyhole/gateway"
)

// Locale renders the pages in one language.
type Locale struct {
	Tag   string // BCP 47, for Content-Language
	Index int    // position in Renderer.Locales

	catalogue    catalogue
	branding     *Branding
	head, foot   []byte // of every page
	refusals     map[refusalKind]preparedRefusal
	confirmation *template.Template
}

// layout holds the values of templates/layout.html.
type layout struct {
	Tag, Direction string
	Organization   string
	Languages      []layoutLanguage // empty if only one is offered
	FooterLinks    []FooterLink
	catalogue      *catalogue
	assets         map[string]*Asset
}

// layoutLanguage is one of the languages that a page offers.
type layoutLanguage struct{ Tag, Name string }

// Text returns a text of the catalogue.
func (l *layout) Text(key string) string { return l.catalogue.text(key) }

// Path returns the path of an asset, "" for a logo that the branding lacks.
func (l *layout) Path(name string) string {
	if asset, ok := l.assets[name]; ok {
		return asset.Path
	}
	return ""
}

// newLocale renders the parts of pages that are the same for all links.
func newLocale(
	index int, l language, offered []language, templates *template.Template, assets map[string]*Asset, b *Branding,
) (*Locale, error) {
	texts, err := loadCatalogue(&l)
	if err != nil {
		return nil, err
	}
	locale := &Locale{
		Tag: l.tag, Index: index, catalogue: texts, branding: b,
		refusals: map[refusalKind]preparedRefusal{}, confirmation: templates.Lookup("confirmation.html"),
	}
	values := &layout{Tag: l.tag, Direction: l.direction(), catalogue: &locale.catalogue, assets: assets}
	if b.Sender != SenderNone {
		values.Organization = b.Organization
	}
	if len(offered) > 1 {
		for _, other := range offered {
			values.Languages = append(values.Languages, layoutLanguage{other.tag, other.name})
		}
	}
	for _, link := range b.Links {
		if link.Language == "" || link.Language == l.tag {
			values.FooterLinks = append(values.FooterLinks, link)
		}
	}
	for name, part := range map[string]*[]byte{"head": &locale.head, "foot": &locale.foot} {
		var html bytes.Buffer
		if err := templates.ExecuteTemplate(&html, name, values); err != nil {
			return nil, err
		}
		*part = html.Bytes()
	}
	return locale, locale.prepareRefusals(templates.Lookup("refusal.html"))
}

// page joins the parts of a page in one allocation.
func (l *Locale) page(parts ...[]byte) []byte {
	return bytes.Join(append(append([][]byte{l.head}, parts...), l.foot), nil)
}

// sender returns the name that confirmation pages show as the sender; "" for none.
func (l *Locale) sender(link *gateway.Link) string {
	switch l.branding.Sender {
	case SenderNone:
		return ""
	case SenderOperator:
		return link.SenderName()
	}
	return l.branding.Organization
}

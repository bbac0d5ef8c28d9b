package pages

import (
	"html/template"
	"net/url"
	"strings"
)

// contact returns the HTML of the paragraph with the contact, or "" without a contact. key
// selects the text. The reference becomes a part of the contact link, as the subject of an
// e-mail or as a query parameter, so that the recipient need not copy it.
func (l *Locale) contact(key, reference string) string {
	if l.branding.Contact == "" {
		return ""
	}
	href, name := contactLink(l.branding.Contact, l.catalogue.text("label_reference"), reference)
	link := `<a href="` + template.HTMLEscapeString(href) + `"><bdi>` + template.HTMLEscapeString(name) + "</bdi></a>"
	return "<p>" + l.catalogue.markup(key, "contact", link, "reference", referenceMarkup(reference)) + "</p>\n"
}

// contactLink returns the address of a contact with the reference of a link ("": none), and
// the name that the page shows.
func contactLink(contact, label, reference string) (href, name string) {
	scheme, rest, _ := strings.Cut(contact, ":")
	switch scheme {
	case "mailto":
		if reference != "" {
			contact += "?subject=" + url.PathEscape(label+" "+reference) // RFC 6068 has no + for a space
		}
		return contact, rest
	case "https":
		name = strings.TrimSuffix(strings.TrimPrefix(rest, "//"), "/")
		if reference != "" {
			separator := "?"
			if strings.Contains(contact, "?") {
				separator = "&"
			}
			contact += separator + "reference=" + url.QueryEscape(reference)
		}
		return contact, name
	}
	return contact, rest
}

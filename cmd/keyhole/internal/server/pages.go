package server

import (
	"fmt"

	"keyhole/config"
	"keyhole/gateway/pages"
)

// PageOptions returns the languages and the branding of the recipients' pages. It reads
// the logo's file.
func PageOptions(cfg *config.Config) (pages.Options, error) {
	p := &cfg.Pages
	logo, err := config.ReadLogo(p.LogoFile)
	if err != nil {
		return pages.Options{}, fmt.Errorf("the logo of the recipients' pages: %w", err)
	}
	o := pages.Options{Languages: p.Languages, Branding: pages.Branding{
		Organization: p.Organization, Sender: pages.Sender(p.Sender),
		Logo:        pages.Logo{Content: logo.Content, MediaType: logo.MediaType},
		AccentColor: p.AccentColor, AccentText: p.AccentText(), Contact: p.Contact,
	}}
	for _, link := range p.Links {
		o.Branding.Links = append(o.Branding.Links, pages.FooterLink{Name: link.Name, URL: link.URL, Language: link.Language})
	}
	return o, nil
}

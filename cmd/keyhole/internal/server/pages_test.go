package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// The configuration is a leaf, so it repeats what it must know of the pages. Both agree.
func TestConfigurationKnowsThePages(t *testing.T) {
	t.Parallel()
	if !slices.Equal(config.PageLanguages(), gateway.Languages()) {
		t.Errorf("languages: %v and %v", config.PageLanguages(), gateway.Languages())
	}
	for mine, theirs := range map[string]pages.Sender{
		config.SenderNone: pages.SenderNone, config.SenderOrganization: pages.SenderOrganization,
		config.SenderOperator: pages.SenderOperator,
	} {
		if mine != string(theirs) {
			t.Errorf("senders: %q and %q", mine, theirs)
		}
	}
	renderer, err := pages.New(pages.Options{})
	if err != nil {
		t.Fatal(err)
	}
	asset, _, found := renderer.Asset("/-/style.0000000000000000.css")
	if !found {
		t.Fatal("there is no style sheet")
	}
	var colors []string
	ends := func(r rune) bool { return r == ';' || r == '{' }
	for declaration := range strings.FieldsFuncSeq(string(asset.Content), ends) {
		name, value, _ := strings.Cut(strings.TrimSpace(declaration), ":")
		if name == "--paper" || name == "--card" {
			colors = append(colors, strings.TrimSpace(value))
		}
	}
	backgrounds := config.PageBackgrounds()
	if len(colors) != len(backgrounds) {
		t.Fatalf("the style sheet has the backgrounds %v", colors)
	}
	for _, background := range backgrounds {
		if short := strings.Replace(background.Color.String(), "#ffffff", "#fff", 1); !slices.Contains(colors, short) {
			t.Errorf("%s is %s, the style sheet has %v", background.Name, short, colors)
		}
	}
}

// Everything of the section reaches the pages.
func TestPageOptions(t *testing.T) {
	t.Parallel()
	logo := filepath.Join(t.TempDir(), "logo.svg")
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1"/></svg>`
	if err := os.WriteFile(logo, []byte(svg), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Pages: config.Pages{
		Organization: "Example Ltd", Sender: "operator", LogoFile: logo, AccentColor: "#1976d2", Contact: "tel:+49-30-1",
		Links:     []config.PageLink{{Name: "Privacy", URL: "https://example.com/p", Language: "de"}},
		Languages: []string{"de", "en"},
	}}
	o, err := PageOptions(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := o.Branding
	if b.Organization != "Example Ltd" || b.Sender != pages.SenderOperator || string(b.Logo.Content) != svg ||
		b.Logo.MediaType != "image/svg+xml" || b.AccentColor != "#1976d2" || b.AccentText != "#ffffff" ||
		b.Contact != "tel:+49-30-1" || !slices.Equal(o.Languages, []string{"de", "en"}) ||
		!slices.Equal(b.Links, []pages.FooterLink{{Name: "Privacy", URL: "https://example.com/p", Language: "de"}}) {
		t.Errorf("got %+v", o)
	}
	cfg.Pages.LogoFile = logo + ".missing"
	if _, err := PageOptions(cfg); err == nil || !strings.Contains(err.Error(), "logo") {
		t.Errorf("without the file: %v", err)
	}
}

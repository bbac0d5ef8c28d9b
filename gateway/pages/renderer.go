package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
)

// The templates have two kinds of actions. New executes the actions in [[ ]] once, with
// the messages. Each page executes the actions in {{ }}, with its view.
//
//go:embed templates/head.html templates/refusal.html templates/confirm.html
var pageFiles embed.FS

//go:embed templates/page.css
var pageStyle string

// Options configures a Renderer.
type Options struct {
	// Messages are the texts of the pages, such as English().
	Messages Messages
}

// Renderer renders the pages for recipients. It is safe for concurrent use.
type Renderer struct {
	messages     Messages
	refusals     map[Refusal]Rendered // rendered in advance
	confirmation *template.Template
	styleSource  string // of the Content-Security-Policy
}

// New returns a Renderer. It renders all refusals in advance. An answer then costs only a
// copy, and unknown and malformed tokens get the same bytes. New fails only if an
// embedded template is broken.
func New(o Options) (*Renderer, error) {
	templates, err := template.New("pages").Delims("[[", "]]").ParseFS(pageFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages: %w", err)
	}
	digest := sha256.Sum256([]byte(pageStyle))
	r := &Renderer{
		messages:    o.Messages,
		styleSource: "'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'",
	}
	if r.refusals, err = renderRefusals(templates.Lookup("refusal.html"), &o.Messages); err != nil {
		return nil, err
	}
	if r.confirmation, err = confirmationTemplate(templates.Lookup("confirm.html"), &o.Messages); err != nil {
		return nil, err
	}
	return r, nil
}

// Policy returns the Content-Security-Policy of a page. It allows the style of the page
// by its hash, and no scripts or other sources. The browser may send forms to the link
// itself and follow a redirect to formTarget, an origin; "" allows no redirect.
func (r *Renderer) Policy(formTarget string) string {
	forms := "'self'"
	if formTarget != "" {
		forms += " " + formTarget
	}
	return "default-src 'none'; style-src " + r.styleSource + "; form-action " + forms +
		"; base-uri 'none'; frame-ancestors 'none'"
}

// head holds the values of templates/head.html.
type head struct {
	Language  string
	PageTitle string
	Style     template.CSS
}

// headOf returns the head of all pages in one language.
func headOf(m *Messages) head {
	return head{
		Language: m.Language, PageTitle: m.PageTitle,
		Style: template.CSS(pageStyle), //nolint:gosec // our own embedded file
	}
}

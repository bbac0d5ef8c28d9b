package server

import (
	"bytes"
	"strings"
	"sync/atomic"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/pages"
)

// previews renders recipients' pages for the console. It is safe for concurrent use. A
// preview has no links to other languages, which lead to the link itself.
type previews struct {
	current atomic.Pointer[previewSet]
}

// previewSet is the renderers of one configuration.
type previewSet struct {
	byLanguage map[string]*pages.Renderer // each with one language
	fallback   *pages.Renderer
}

// set applies the languages and the branding of a configuration.
func (p *previews) set(o pages.Options) error {
	tags, set := o.Languages, &previewSet{byLanguage: map[string]*pages.Renderer{}}
	if len(tags) == 0 {
		tags = gateway.Languages()
	}
	for _, tag := range tags {
		renderer, err := pages.New(pages.Options{Languages: []string{tag}, Branding: o.Branding})
		if err != nil {
			return err
		}
		set.byLanguage[tag] = renderer
		if set.fallback == nil {
			set.fallback = renderer
		}
	}
	p.current.Store(set)
	return nil
}

// Render implements console.RecipientPages.
func (p *previews) Render(page *gateway.Page, language, files string, now time.Time) ([]byte, error) {
	set := p.current.Load()
	renderer := set.byLanguage[language]
	if renderer == nil {
		renderer = set.fallback
	}
	html, err := renderer.Locales()[0].Confirmation(pages.Confirmation{Page: page, Now: now})
	if err != nil {
		return nil, err
	}
	// Only an attribute of the templates has an unescaped quote before the prefix: texts of
	// the configuration and of links are escaped.
	return bytes.ReplaceAll(html, []byte(`"`+pages.AssetPrefix), []byte(`"`+files)), nil
}

// File implements console.RecipientPages.
func (p *previews) File(name string) (mediaType string, content []byte, found bool) {
	asset, _, found := p.current.Load().fallback.Asset(pages.AssetPrefix + strings.TrimPrefix(name, "/"))
	if !found {
		return "", nil, false
	}
	return asset.MediaType, asset.Content, true
}

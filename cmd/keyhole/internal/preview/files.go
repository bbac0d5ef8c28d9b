package preview

import (
	"bytes"
	_ "embed"
	"html/template"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keyhole/gateway/pages"
)

// indexName is the name of the file that lists the pages.
const indexName = "index.html"

//go:embed index.html
var indexTemplate string

// pageFiles writes pages and their assets into a directory.
type pageFiles struct {
	renderer  *pages.Renderer
	states    []state
	locales   []*pages.Locale
	directory string
	now       time.Time
}

// indexValues are the values of index.html.
type indexValues struct {
	Style     string   // of the pages, so that the list looks like them
	Languages []string // the columns
	States    []string // the rows
}

// File returns the name of a page's file.
func (*indexValues) File(state, language string) string { return fileName(state, language) }

// fileName returns the name of a page's file.
func fileName(state, language string) string { return state + "." + language + ".html" }

// path returns the path of a file.
func (f *pageFiles) path(name string) string {
	return filepath.Join(f.directory, filepath.FromSlash(name))
}

// write writes all files. It removes no file, because the directory may contain files of the
// operator.
func (f *pageFiles) write() error {
	style, err := f.writeAssets()
	if err != nil {
		return err
	}
	for _, s := range f.states {
		for _, locale := range f.locales {
			html, err := s.render(locale, f.now)
			if err != nil {
				return err
			}
			if err := f.writeFile(fileName(s.name, locale.Tag), f.local(html, s.name)); err != nil {
				return err
			}
		}
	}
	return f.writeIndex(style)
}

// writeAssets writes what the pages load, and returns the name of the style sheet.
func (f *pageFiles) writeAssets() (style string, err error) {
	for _, asset := range f.renderer.Assets() {
		name := relative(asset.Path)
		if strings.HasSuffix(name, ".css") {
			style = name
		}
		if err := f.writeFile(name, asset.Content); err != nil {
			return "", err
		}
	}
	return style, nil
}

// writeIndex writes the list of the pages.
func (f *pageFiles) writeIndex(style string) error {
	values := &indexValues{Style: style, States: names(f.states)}
	for _, locale := range f.locales {
		values.Languages = append(values.Languages, locale.Tag)
	}
	parsed, err := template.New(indexName).Parse(indexTemplate)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := parsed.Execute(&html, values); err != nil {
		return err
	}
	return f.writeFile(indexName, html.Bytes())
}

// writeFile writes a file below the directory.
func (f *pageFiles) writeFile(name string, content []byte) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // The pages are public.
		return err
	}
	return os.WriteFile(path, content, 0o644) //nolint:gosec // The pages are public.
}

// local returns a page that refers to the files of its assets and of the other languages
// beside it. Links to languages that are not written lead nowhere, so that the page still
// looks like that of the service. Templates escape quotation marks in text, so the
// replacement changes only attributes.
func (f *pageFiles) local(html []byte, state string) []byte {
	pairs := []string{`"` + pages.AssetPrefix, `"` + relative(pages.AssetPrefix)}
	for _, locale := range f.renderer.Locales() {
		target := "#"
		if slices.Contains(f.locales, locale) {
			target = fileName(state, locale.Tag)
		}
		pairs = append(pairs, `"?lang=`+locale.Tag+`"`, `"`+target+`"`)
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(html)))
}

// relative returns the path of an asset from the directory of the pages.
func relative(path string) string { return strings.TrimPrefix(path, "/") }

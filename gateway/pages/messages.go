package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
)

//go:embed catalogues/*.json
var catalogueFiles embed.FS

// catalogue holds the texts of one language by key. Words in braces are placeholders. A
// text that depends on a number has a key for each plural category, such as
// hours_ago.few. TestCatalogues compares the catalogues.
type catalogue struct {
	texts  map[string]string
	plural pluralRule
}

// loadCatalogue reads the catalogue of a language.
func loadCatalogue(l *language) (catalogue, error) {
	c := catalogue{plural: l.plural}
	content, err := catalogueFiles.ReadFile("catalogues/" + l.tag + ".json")
	if err != nil {
		return c, fmt.Errorf("read the catalogue: %w", err)
	}
	if err := json.Unmarshal(content, &c.texts); err != nil {
		return c, fmt.Errorf("parse the catalogue: %w", err)
	}
	return c, nil
}

// text returns a text without placeholders, or with its placeholders unfilled.
func (c *catalogue) text(key string) string { return c.texts[key] }

// count returns the text of a number, in the plural form that the number needs.
func (c *catalogue) count(key string, n int64) string {
	return strings.ReplaceAll(c.texts[key+"."+c.plural(n)], "{n}", c.number(n))
}

// markup returns a text as HTML. values are HTML, by placeholder. A placeholder in a value
// stays as it is.
func (c *catalogue) markup(key string, values map[string]string) string {
	var pairs []string
	for placeholder, value := range values {
		pairs = append(pairs, "{"+placeholder+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(template.HTMLEscapeString(c.texts[key]))
}

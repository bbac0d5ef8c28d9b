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
	kinds  kindIndex
}

// loadCatalogue reads the catalogue of a language.
func loadCatalogue(l *language) (catalogue, error) {
	c := catalogue{plural: l.plural, kinds: newKindIndex()}
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

// markup returns a text as HTML. values are pairs of a placeholder and its HTML.
func (c *catalogue) markup(key string, values ...string) string {
	return fill(template.HTMLEscapeString(c.texts[key]), values...)
}

// fill returns a text with its placeholders filled. values are pairs of a placeholder and
// its text. A placeholder in a value, or without a value, stays as it is. fill runs for every
// refusal with facts, so it builds no strings.Replacer.
func fill(text string, values ...string) string {
	var b strings.Builder
	for {
		begin := strings.IndexByte(text, '{')
		end := strings.IndexByte(text[max(begin, 0):], '}') + max(begin, 0)
		if begin < 0 || end <= begin {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:begin])
		value, name := text[begin:end+1], text[begin+1:end]
		for i := 0; i+1 < len(values); i += 2 {
			if values[i] == name {
				value = values[i+1]
			}
		}
		b.WriteString(value)
		text = text[end+1:]
	}
}

package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

//go:embed catalogues/*.json
var catalogueFiles embed.FS

// catalogue holds the texts of one language by key. Words in braces are placeholders. A
// text that depends on a number has a key for each plural category, such as
// hours_ago.few. TestCatalogues compares the catalogues.
type catalogue struct {
	texts  map[string]string
	html   map[string]string // the texts, escaped once, because refusals with facts are rendered at each request
	months [12]string        // escaped, from January on
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
	c.html = make(map[string]string, len(c.texts))
	for key, text := range c.texts {
		c.html[key] = template.HTMLEscapeString(text)
	}
	for i := range c.months {
		c.months[i] = c.html["month_"+strconv.Itoa(i+1)]
	}
	return c, nil
}

// text returns a text without placeholders, or with its placeholders unfilled.
func (c *catalogue) text(key string) string { return c.texts[key] }

// count returns the text of a number, in the plural form that the number needs.
func (c *catalogue) count(key string, n int64) string {
	return strings.ReplaceAll(c.texts[key+"."+c.plural(n)], "{n}", c.number(n))
}

// appendCount appends the text of a number as HTML.
func (c *catalogue) appendCount(b []byte, key string, n int64) []byte {
	return appendFilled(b, c.html[key+"."+c.plural(n)], "n", template.HTMLEscapeString(c.number(n)))
}

// markup returns a text as HTML. values are pairs of a placeholder and its HTML.
func (c *catalogue) markup(key string, values ...string) string {
	return string(appendFilled(nil, c.html[key], values...))
}

// appendFilled appends a text with its placeholders filled. values are pairs of a
// placeholder and its text. A placeholder in a value, or without a value, stays as it is.
// appendFilled runs for every refusal with facts, so it builds no strings.Replacer.
func appendFilled(b []byte, text string, values ...string) []byte {
	for {
		begin := strings.IndexByte(text, '{')
		end := strings.IndexByte(text[max(begin, 0):], '}') + max(begin, 0)
		if begin < 0 || end <= begin {
			return append(b, text...)
		}
		b = append(b, text[:begin]...)
		value, name := text[begin:end+1], text[begin+1:end]
		for i := 0; i+1 < len(values); i += 2 {
			if values[i] == name {
				value = values[i+1]
			}
		}
		b = append(b, value...)
		text = text[end+1:]
	}
}

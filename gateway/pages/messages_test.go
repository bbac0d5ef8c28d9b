package pages

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"keyhole/gateway"
)

// readCatalogue returns the texts of a language.
func readCatalogue(t *testing.T, tag string) map[string]string {
	t.Helper()
	content, err := catalogueFiles.ReadFile("catalogues/" + tag + ".json")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() { // Unmarshal would accept a key that appears twice.
		var value string
		key, keyErr := decoder.Token()
		if err := decoder.Decode(&value); err != nil || keyErr != nil {
			t.Fatalf("%s: %v, %v", tag, keyErr, err)
		}
		if _, twice := texts[key.(string)]; twice {
			t.Errorf("%s has %s twice", tag, key)
		}
		texts[key.(string)] = value
	}
	return texts
}

// categories are the plural categories that whole numbers can have, by language.
func categories() map[string][]string {
	one := []string{"one", "other"}
	romance := []string{"one", "many", "other"}
	return map[string][]string{
		"en": one, "de": one, "nl": one, "fr": romance, "es": romance, "it": romance, "pt": romance,
		"pl": {"one", "few", "many", "other"}, "ja": {"other"}, "zh": {"other"},
		"ar": {"zero", "one", "two", "few", "many", "other"},
	}
}

// isCategory reports whether the last part of a key is a plural category.
func isCategory(ending string) bool {
	return slices.Contains([]string{"zero", "one", "two", "few", "many", "other"}, ending)
}

// baseOf returns a key without its plural category, and the category.
func baseOf(key string) (base, category string) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 && isCategory(key[i+1:]) {
		return key[:i], key[i+1:]
	}
	return key, ""
}

// wantKeys returns the keys that a catalogue must have: those of English, with the plural
// categories of the language.
func wantKeys(english map[string]string, tag string) []string {
	var want []string
	for key := range english {
		base, category := baseOf(key)
		switch category {
		case "":
			want = append(want, key)
		case "other":
			for _, c := range categories()[tag] {
				want = append(want, base+"."+c)
			}
		}
	}
	slices.Sort(want)
	return want
}

// Every catalogue has the same keys, and no others.
func TestCataloguesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(catalogueFiles, "catalogues/*.json")
	if err != nil || len(files) != len(gateway.Languages()) || len(languages()) != len(files) {
		t.Fatalf("%d catalogues, %d languages: %v", len(files), len(languages()), err)
	}
	english := readCatalogue(t, "en")
	for i, tag := range gateway.Languages() {
		if languages()[i].tag != tag {
			t.Errorf("language %d is %s, want %s", i, languages()[i].tag, tag)
		}
		var keys []string
		for key := range readCatalogue(t, tag) {
			keys = append(keys, key)
		}
		want := wantKeys(english, tag)
		for _, key := range want {
			if !slices.Contains(keys, key) {
				t.Errorf("%s lacks %s", tag, key)
			}
		}
		for _, key := range keys {
			if !slices.Contains(want, key) {
				t.Errorf("%s has %s, which English does not have", tag, key)
			}
		}
	}
}

// placeholders returns the placeholders of a text, sorted.
func placeholders(text string) []string {
	found := regexp.MustCompile(`\{[^}]*\}?`).FindAllString(text, -1)
	slices.Sort(found)
	return found
}

// Every text has the placeholders of the English one. Only a text for exactly one number
// may have the number as a word.
func TestCataloguesHaveTheSamePlaceholders(t *testing.T) {
	t.Parallel()
	english := readCatalogue(t, "en")
	for _, tag := range gateway.Languages() {
		for key, text := range readCatalogue(t, tag) {
			base, category := baseOf(key)
			source, ok := english[key]
			if !ok {
				source = english[base+".other"]
			}
			got, want := placeholders(text), placeholders(source)
			exact := category == "zero" || category == "two" || category == "one" && tag != "fr" && tag != "pt"
			if exact && slices.Equal(append([]string{"{n}"}, got...), want) {
				continue
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: the placeholders are %v, want %v", tag, key, got, want)
			}
		}
	}
}

// longest returns how many characters a text may have, so that it fits on a phone.
func longest(key, english string) int {
	switch {
	case strings.HasPrefix(key, "button_"):
		return 24
	case strings.HasPrefix(key, "label_"), key == "show_passphrase":
		return 28
	case strings.HasSuffix(key, ".title"):
		return 44
	}
	return utf8.RuneCountInString(english)*8/5 + 20
}

// Texts have bounded lengths, end like the English ones, and hold nothing invisible.
func TestCatalogueTexts(t *testing.T) {
	t.Parallel()
	english := readCatalogue(t, "en")
	for _, tag := range gateway.Languages() {
		for key, text := range readCatalogue(t, tag) {
			base, _ := baseOf(key)
			source, ok := english[key]
			if !ok {
				source = english[base+".other"]
			}
			if length := utf8.RuneCountInString(text); length == 0 || length > longest(key, source) {
				t.Errorf("%s %s has %d characters, allowed are 1 to %d: %s", tag, key, length, longest(key, source), text)
			}
			if strings.TrimSpace(text) != text && key != "group_separator" || strings.Contains(text, "  ") {
				t.Errorf("%s %s has spaces too many: %q", tag, key, text)
			}
			if strings.ContainsFunc(text, func(r rune) bool {
				return unicode.IsControl(r) || unicode.In(r, unicode.Cf) || strings.ContainsRune("<>\"`&", r)
			}) {
				t.Errorf("%s %s has a character that it must not have: %q", tag, key, text)
			}
			if sentence := strings.HasSuffix(source, "."); sentence && key != "decimal_separator" &&
				!strings.ContainsAny(text[len(text)-3:], ".。") {
				t.Errorf("%s %s does not end with a full stop: %q", tag, key, text)
			}
		}
	}
}

// No line of a Polish page ends with a word of one letter, which readers take for a mistake.
func TestPolishLines(t *testing.T) {
	t.Parallel()
	hanging := regexp.MustCompile(`(^|[^\pL-])[aiouwzAIOUWZ] `)
	for key, text := range readCatalogue(t, "pl") {
		if hanging.MatchString(text) {
			t.Errorf("%s needs a no-break space after a word of one letter: %s", key, text)
		}
	}
}

// sameInEnglish are the words that other languages share with English.
func sameInEnglish() []string {
	return []string{
		"April", "August", "September", "November", "December", "Audio", "Video", "Spreadsheet", "Type",
		"Message", "Document",
		"Image", "Image ({format})", "Archive ({format})", "E-book", "Program", "{day} {month} {year}, {time} UTC",
	}
}

// No text was left in English. Languages of other scripts have no Latin words but names.
func TestCataloguesAreTranslated(t *testing.T) {
	t.Parallel()
	english := readCatalogue(t, "en")
	word := regexp.MustCompile(`[A-Za-z]{2,}`)
	names := []string{"UTC", "CSV", "PDF", "IP", "VPN", "URL", "KB", "kB", "MB", "GB", "TB"}
	for _, tag := range gateway.Languages()[1:] {
		for key, text := range readCatalogue(t, tag) {
			bare := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(text, "")
			if tag == "ja" || tag == "zh" || tag == "ar" {
				for _, found := range word.FindAllString(bare, -1) {
					if !slices.Contains(names, found) {
						t.Errorf("%s %s has the word %s: %s", tag, key, found, text)
					}
				}
				continue
			}
			if text == english[key] && word.MatchString(bare) && !slices.Contains(sameInEnglish(), text) &&
				!strings.HasSuffix(key, "bytes") {
				t.Errorf("%s %s is the English text: %s", tag, key, text)
			}
			for _, found := range word.FindAllString(bare, -1) {
				if slices.Contains([]string{"the", "this", "your", "you", "and", "not", "with"}, strings.ToLower(found)) {
					t.Errorf("%s %s has the word %s: %s", tag, key, found, text)
				}
			}
		}
	}
}

// Recipients are laymen: no text has a word of HTTP or of Keyhole's own.
func TestCatalogueUsesWordsOfLaymen(t *testing.T) {
	t.Parallel()
	for key, text := range readCatalogue(t, "en") {
		for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if slices.Contains([]string{"outcome", "issue", "object", "token", "presigned", "post", "curl", "http"}, word) {
				t.Errorf("%s has the word %q", key, word)
			}
		}
	}
}

// Every key is used by the package, and every kind of refusal has its texts.
func TestCatalogueKeysAreUsed(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(content)
		}
	}
	for key := range readCatalogue(t, "en") {
		base, _ := baseOf(key)
		kind, _, isRefusal := strings.Cut(base, ".")
		switch {
		case isRefusal:
			if !slices.Contains(refusalKinds(), refusalKind(kind)) {
				t.Errorf("%s is about no refusal", key)
			}
		case !strings.HasPrefix(base, "month_") && !strings.Contains(source.String(), `"`+base+`"`):
			t.Errorf("%s is not used", key)
		}
	}
}

// An unknown language is an error that lists the known ones.
func TestUnknownLanguage(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"", "xx", "EN", "en-GB", "../catalogues/en"} {
		if _, err := New(Options{Languages: []string{tag}}); err == nil || !strings.Contains(err.Error(), "en de fr") {
			t.Errorf("%q: %v", tag, err)
		}
	}
	for i := range languages() {
		l := languages()[i]
		if l.name == "" || (l.direction() == "rtl") != (l.tag == "ar") {
			t.Errorf("%s: %+v", l.tag, l)
		}
	}
}

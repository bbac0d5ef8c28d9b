package gateway

import (
	"fmt"
	"slices"
	"strings"
)

// Languages lists the languages that a link can set for its pages, as BCP 47 tags in
// lower case.
func Languages() []string {
	return []string{"en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja", "zh", "ar"}
}

// checkLanguage returns the error in a language. An empty text means that the browser
// decides.
func checkLanguage(tag string) []FieldError {
	if tag == "" || slices.Contains(Languages(), tag) {
		return nil
	}
	return []FieldError{{"language", "invalid", fmt.Sprintf("must be one of %s", strings.Join(Languages(), ", "))}}
}

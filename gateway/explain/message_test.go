package explain

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
)

// TestMessages finds every text in every language, with the placeholders of English. Only
// English is the fallback.
func TestMessages(t *testing.T) {
	t.Parallel()
	placeholder := regexp.MustCompile(`\{[a-z]*\}`)
	english := reflect.ValueOf(MessageIn("en"))
	known := map[string]string{}
	for _, tag := range gateway.Languages() {
		texts := reflect.ValueOf(MessageIn(tag))
		for i := range texts.NumField() {
			name, text := texts.Type().Field(i).Name, texts.Field(i).String()
			if other, twice := known[name+text]; twice || strings.TrimSpace(text) != text || text == "" {
				t.Errorf("%s in %s: %q is that of %q, or empty", name, tag, text, other)
			}
			known[name+text] = tag
			want, got := placeholder.FindAllString(english.Field(i).String(), -1), placeholder.FindAllString(text, -1)
			if !slices.Equal(got, want) {
				t.Errorf("%s in %s: the placeholders are %q, want %q", name, tag, got, want)
			}
		}
		// Each time stands in isolates of its own, where the text runs from right to left.
		m := MessageIn(tag)
		for _, text := range []string{m.Until, m.FromUntil} {
			isolates, times := strings.Count(text, "\u2066{")+strings.Count(text, "}\u2069"), strings.Count(text, "{")
			if tag == "ar" && isolates != 2*times || tag != "ar" && isolates > 0 {
				t.Errorf("%s: %d ends of isolates: %q", tag, isolates, text)
			}
		}
	}
	if len(europeanMessages())+len(otherMessages())+1 != len(gateway.Languages()) {
		t.Error("a message has a language that links cannot have")
	}
	for _, tag := range []string{"", "xx", "DE"} {
		if MessageIn(tag) != MessageIn("en") {
			t.Errorf("%q is not English", tag)
		}
	}
}

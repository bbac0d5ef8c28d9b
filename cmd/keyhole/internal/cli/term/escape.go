package term

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// PrintJSON prints v as indented JSON. It escapes everything that a terminal could obey,
// because encoding/json escapes only the control characters of ASCII.
func PrintJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = fmt.Fprintln(w, EscapeJSON(string(text)))
	return err
}

// EscapeJSON escapes the characters that encoding/json leaves and a terminal could obey.
func EscapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || !Unprintable(r) {
			b.WriteRune(r) // a line break is only between values
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// Plain escapes text of other people so that a terminal does not obey it and a table stays
// whole. The key of an object can contain any character.
func Plain(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, Unprintable) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(r)) {
			fmt.Fprintf(&b, `\x%02x`, text[i]) // not UTF-8: some terminals obey 0x9b
			continue
		}
		if Unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Unprintable tells whether a terminal could do anything else with r than show it.
func Unprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }

// OrDash returns s, or a dash if it is empty.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

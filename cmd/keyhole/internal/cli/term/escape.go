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

// PrintJSON prints v for scripts, with escapes for all that could steer a
// terminal: encoding/json escapes the control characters of ASCII alone.
func PrintJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = fmt.Fprintln(w, EscapeJSON(string(text)))
	return err
}

// EscapeJSON escapes what encoding/json leaves and a terminal would obey.
func EscapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || !Unprintable(r) {
			b.WriteRune(r) // a line break stands between values only
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// Plain writes text so that it cannot steer a terminal or break a table: a key
// may hold any character.
func Plain(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, Unprintable) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(r)) {
			fmt.Fprintf(&b, `\x%02x`, text[i]) // no UTF-8: some terminals obey 0x9b
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

// Unprintable tells whether a terminal would do anything with r but show it.
func Unprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }

// OrDash stands for what is empty.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

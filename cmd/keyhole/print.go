package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printJSON prints v for scripts, with escapes for all that could steer a
// terminal: encoding/json escapes the control characters of ASCII alone.
func printJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = fmt.Fprintln(w, escapeJSON(string(text)))
	return err
}

// escapeJSON escapes what encoding/json leaves and a terminal would obey.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || !unprintable(r) {
			b.WriteRune(r) // a line break stands between values only
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// printPage prints a listing as JSON, or as the table that people read, and says
// where it was cut at limit.
func printPage(world *surroundings, page any, asJSON, cut bool, limit int, table func() error) error {
	if asJSON {
		return printJSON(world.stdout, page)
	}
	if cut {
		defer fmt.Fprintf(world.stderr, "There are more: --limit %[1]d shows up to %[1]d, --limit 0 all.\n", 2*limit)
	}
	return table()
}

// plain writes text so that it cannot steer a terminal or break a table: a key
// may hold any character.
func plain(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, unprintable) < 0 {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(r)) {
			fmt.Fprintf(&b, `\x%02x`, text[i]) // no UTF-8: some terminals obey 0x9b
			continue
		}
		if unprintable(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unprintable tells whether a terminal would do anything with r but show it.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) }

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// size writes a number of bytes as people read it, and nothing for one that is not
// known.
func size(known *int64) string {
	const unit = 1024
	if known == nil {
		return ""
	}
	n := *known
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTPE")-1 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB (%d bytes)", value, "KMGTPE"[prefix], n)
}

// timestamp writes a time in RFC 3339, and nothing for one that is not known.
func timestamp(known *time.Time) string {
	if known == nil {
		return ""
	}
	return known.Format(time.RFC3339)
}

// orDash stands for what is empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keyhole/gateway/api"
)

// column is a column of a CSV export.
type column[T any] struct {
	name string
	text func(*T) string
}

// csvWriter writes rows as CSV (RFC 4180), whose cells are safe in a spreadsheet.
type csvWriter[T any] struct {
	columns []column[T]
}

// header implements rowWriter: the names of the columns.
func (w csvWriter[T]) header() []byte {
	cells := make([]string, len(w.columns))
	for i, c := range w.columns {
		cells[i] = c.name
	}
	return csvLine(cells)
}

// row implements rowWriter.
func (w csvWriter[T]) row(row *T) ([]byte, error) {
	cells := make([]string, len(w.columns))
	for i, c := range w.columns {
		cells[i] = c.text(row)
	}
	return csvLine(cells), nil
}

// cut implements rowWriter. The line has as many cells as every other one, and no event and
// no link begins with this text.
func (w csvWriter[T]) cut(rows int, reason string) ([]byte, error) {
	cells := make([]string, len(w.columns))
	cells[0] = fmt.Sprintf("# incomplete after %d rows: %s", rows, reason)
	return csvLine(cells), nil
}

// csvLine returns cells as one record of RFC 4180. encoding/csv is not used, because with
// the line ends of the RFC it drops every CR in a cell.
func csvLine(cells []string) []byte {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		cell = safeCell(cell)
		if !strings.ContainsAny(cell, "\",;\t\r\n") && strings.TrimSpace(cell) == cell {
			b.WriteString(cell)
			continue
		}
		b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
	}
	// CR LF also ends the last record (RFC 4180 section 2 makes that optional), so that a
	// file that was cut inside a record shows it.
	b.WriteString("\r\n")
	return []byte(b.String())
}

// safeCell returns a text that no spreadsheet takes for a formula: an apostrophe stands
// before it if it begins like one. Spreadsheets of some countries separate cells by ";" or a
// tab, and some import a line break in a cell as the next row, so the text after each of
// these counts as a beginning too.
func safeCell(text string) string {
	var b strings.Builder
	for start := 0; start <= len(text); {
		end := len(text)
		if at := strings.IndexAny(text[start:], ";\t\r\n"); at >= 0 {
			end = start + at
		}
		// A tab or CR at the very beginning is dangerous by itself (OWASP, CSV injection).
		if beginsFormula(text[start:]) || start == 0 && strings.ContainsRune("\t\r\n", firstRune(text)) {
			b.WriteByte('\'')
		}
		if end < len(text) {
			b.WriteString(text[start : end+1])
		} else {
			b.WriteString(text[start:end])
		}
		start = end + 1
	}
	return b.String()
}

// firstRune returns the first rune of a text, U+FFFD for an empty one.
func firstRune(text string) rune {
	first, _ := utf8.DecodeRuneInString(text)
	return first
}

// beginsFormula reports whether the first visible character of a text begins a formula.
// Spreadsheets skip white space, invisible characters and quotes before it, and take the
// full-width forms (U+FF0B and others) for the same character.
func beginsFormula(text string) bool {
	for _, r := range text {
		if strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫−﬩", r) {
			return true
		}
		quote := r == '"' || r == '\'' || r == '`' || unicode.Is(unicode.Pi, r) || unicode.Is(unicode.Pf, r)
		if !quote && !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) {
			return false
		}
	}
	return false
}

// timeText returns a time in UTC, "" for nil.
func timeText(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// eventColumns returns the columns of the audit.
func eventColumns() []column[api.Event] {
	return []column[api.Event]{
		{"time", func(e *api.Event) string { return timeText(&e.Time) }},
		{"kind", func(e *api.Event) string { return e.Kind }},
		{"outcome", func(e *api.Event) string { return e.Outcome }},
		{"link", func(e *api.Event) string { return e.Link }},
		{"storage", func(e *api.Event) string { return e.Storage }},
		{"bucket", func(e *api.Event) string { return e.Bucket }},
		{"key", func(e *api.Event) string { return e.Key }},
		{"actor", func(e *api.Event) string { return e.Actor }},
		{"address", func(e *api.Event) string { return e.Address }},
		{"method", func(e *api.Event) string { return e.Method }},
		{"reason", func(e *api.Event) string { return e.Reason }},
		{"id", func(e *api.Event) string { return e.ID }},
	}
}

// linkColumns returns the columns of the list of links. They have the names of the API.
func linkColumns() []column[api.Link] {
	// An unknown size and no limit are empty cells. A spreadsheet would add up a 0.
	number := func(n *int64) string {
		if n == nil {
			return ""
		}
		return strconv.FormatInt(*n, 10)
	}
	return []column[api.Link]{
		{"id", func(l *api.Link) string { return l.ID }},
		{"state", func(l *api.Link) string { return l.State }},
		{"storage", func(l *api.Link) string { return l.Storage }},
		{"bucket", func(l *api.Link) string { return l.Bucket }},
		{"key", func(l *api.Link) string { return l.Key }},
		{"size", func(l *api.Link) string { return number(l.Object.Size) }},
		{"content_type", func(l *api.Link) string { return l.Object.ContentType }},
		{"etag", func(l *api.Link) string { return l.Object.ETag }},
		{"version_id", func(l *api.Link) string { return l.Object.VersionID }},
		{"created_at", func(l *api.Link) string { return timeText(&l.CreatedAt) }},
		{"created_by", func(l *api.Link) string { return l.CreatedBy }},
		{"expires_at", func(l *api.Link) string { return timeText(&l.ExpiresAt) }},
		{"not_before", func(l *api.Link) string { return timeText(l.NotBefore) }},
		{"clicks", func(l *api.Link) string { return strconv.FormatInt(l.Clicks, 10) }},
		{"max_clicks", func(l *api.Link) string { return number(l.MaxClicks) }},
		{"last_used_at", func(l *api.Link) string { return timeText(l.LastUsedAt) }},
		{"preset", func(l *api.Link) string { return l.Preset }},
		{"sensitive", func(l *api.Link) string {
			// An empty cell means that the sensitivity was not stated, which is not a "no".
			if l.Sensitive == nil {
				return ""
			}
			return strconv.FormatBool(*l.Sensitive)
		}},
		{"passphrase", func(l *api.Link) string { return strconv.FormatBool(l.Passphrase) }},
		{"confirm", func(l *api.Link) string { return strconv.FormatBool(l.Confirm) }},
		{"reveal", func(l *api.Link) string { return l.Reveal }},
		{"allow", func(l *api.Link) string { return strings.Join(l.Allow, " ") }},
		{"filename", func(l *api.Link) string { return l.Filename }},
		{"disposition", func(l *api.Link) string { return l.Disposition }},
		{"pin", func(l *api.Link) string { return l.Pin }},
		{"language", func(l *api.Link) string { return l.Language }},
		{"note", func(l *api.Link) string { return l.Note }},
		{"labels", func(l *api.Link) string { return strings.Join(labelTexts(l.Labels), "; ") }},
		{"revoked_at", func(l *api.Link) string { return timeText(l.RevokedAt) }},
		{"revoked_by", func(l *api.Link) string { return l.RevokedBy }},
		{"revoke_reason", func(l *api.Link) string { return l.RevokeReason }},
	}
}

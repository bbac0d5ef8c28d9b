package gateway

import (
	"strings"
	"unicode/utf8"
)

// contentDisposition writes the header of RFC 6266 that the storage is asked to
// answer with. filename is quoted ASCII for every client; filename* (RFC 8187)
// follows where that could not say it exactly. The value is always ASCII,
// because AWS refuses anything else in response-content-disposition.
func contentDisposition(disposition, filename string) string {
	var b strings.Builder
	b.Grow(len(disposition) + 2*len(filename) + 32)
	b.WriteString(disposition)
	b.WriteString(`; filename="`)
	if quotable(filename) {
		b.WriteString(filename)
		b.WriteByte('"')
		return b.String()
	}
	for _, r := range filename {
		// Quotes and backslashes could be escaped, but clients disagree on how;
		// a percent sign is unescaped by some.
		if r >= utf8.RuneSelf || !quotableByte(byte(r)) { //nolint:gosec // Below RuneSelf.
			r = '_'
		}
		b.WriteRune(r)
	}
	b.WriteString(`"; filename*=UTF-8''`)
	for i := range len(filename) {
		writeAttrChar(&b, filename[i])
	}
	return b.String()
}

// quotable tells whether a file name can stand between quotes as it is.
func quotable(filename string) bool {
	for i := range len(filename) {
		if !quotableByte(filename[i]) {
			return false
		}
	}
	return true
}

func quotableByte(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%' }

// contentType returns the type that the storage is asked to answer with: the one
// that the object had when the link was issued, so that what is shown inline is
// what was approved. AWS refuses anything but ASCII in response-content-type.
func contentType(approved string) string {
	if strings.ContainsFunc(approved, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "application/octet-stream"
	}
	return approved
}

// writeAttrChar writes one byte as RFC 8187 section 3.2.1 has it: attr-char as
// it is, everything else percent-encoded.
func writeAttrChar(b *strings.Builder, c byte) {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
		strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
		b.WriteByte(c)
	default:
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
}

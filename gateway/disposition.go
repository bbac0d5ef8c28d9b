package gateway

import (
	"strings"
	"unicode/utf8"
)

// contentDisposition returns the Content-Disposition (RFC 6266) of the storage's answer,
// which the signed URL sets. filename is quoted ASCII, for every client. If ASCII cannot
// express the name, filename* (RFC 8187) follows. The value is always ASCII, because AWS
// refuses other bytes in response-content-disposition.
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
		// Clients disagree on how to escape quotes and backslashes, and some unescape
		// a percent sign.
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

// quotable reports whether a file name needs no change between quotes.
func quotable(filename string) bool {
	for i := range len(filename) {
		if !quotableByte(filename[i]) {
			return false
		}
	}
	return true
}

func quotableByte(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%' }

// contentType returns the Content-Type of the storage's answer, which the signed URL
// sets: the type of the object at the issue, so that browsers show inline only the
// approved type. AWS refuses bytes other than ASCII in response-content-type.
func contentType(approved string) string {
	if strings.ContainsFunc(approved, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "application/octet-stream"
	}
	return approved
}

// writeAttrChar writes one byte in the encoding of RFC 8187 section 3.2.1: an attr-char
// unchanged, every other byte percent-encoded.
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

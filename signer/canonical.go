package signer

import "strings"

// The bytes that SigV4 does not escape, which are the unreserved characters of RFC 3986
// (section 2.3). Each has one bit: the bytes below 64, and the bytes from 64 to 127.
const (
	unreservedLow  uint64 = 0x03ff600000000000 // - . 0-9
	unreservedHigh uint64 = 0x47fffffe87fffffe // A-Z _ a-z ~
)

const upperHex = "0123456789ABCDEF"

// unreserved reports whether SigV4 does not escape c.
func unreserved(c byte) bool {
	switch {
	case c < 64:
		return unreservedLow>>c&1 == 1
	case c < 128:
		return unreservedHigh>>(c-64)&1 == 1
	}
	return false
}

// appendEscaped appends s to b in the encoding of the canonical request: every byte that is
// not unreserved becomes %XX in upper case. A space becomes %20 and never a plus. With
// slash, '/' is not escaped. This is the encoding of a path in S3, which escapes paths once
// where other services escape them twice (AWS, "Create a signed AWS API request", step 1).
func appendEscaped(b []byte, s string, slash bool) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved(c) || slash && c == '/' {
			continue
		}
		b = append(b, s[start:i]...)
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		start = i + 1
	}
	return append(b, s[start:]...)
}

// appendParameter appends &name=value with the value escaped. It appends nothing if the
// value is empty. The name must need no escaping.
func appendParameter(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, '&')
	b = append(b, name...)
	b = append(b, '=')
	return appendEscaped(b, value, false)
}

// hasDotSegment reports whether a segment of the path is "." or "..". Clients remove such
// segments before they send (RFC 3986 section 5.2.4), so the storage would receive another
// path than the signed one.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// hasControl reports whether s contains a C0 control character or DEL.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

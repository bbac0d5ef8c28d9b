package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"keyhole/gateway"
)

// A cursor is base64url of: its version and what it pages through (1 byte
// each), a digest of the filters it belongs to (8), the position (the rest),
// and a checksum (4). It is no secret and grants nothing: the digest and the
// checksum catch the cursor of another listing and the damaged one.
const (
	cursorTerm   = 't' // position: an entry of a term
	cursorName   = 'n' // position: a member of names
	cursorEvents = 'e' // position: see eventPosition

	digestLength   = 8
	checksumLength = 4
)

// makeCursor packs a position.
func makeCursor(kind byte, filter, position string) string {
	raw := append([]byte{version, kind}, digest(filter, digestLength)...)
	raw = append(raw, position...)
	raw = append(raw, digest(string(raw), checksumLength)...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor returns the position that makeCursor packed for the same kind
// and filters, or gateway.ErrCursor.
func parseCursor(kind byte, filter, cursor string) (string, error) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	raw := string(decoded)
	const head = 2 + digestLength
	if err != nil || len(raw) < head+checksumLength {
		return "", gateway.ErrCursor
	}
	body, sum := raw[:len(raw)-checksumLength], raw[len(raw)-checksumLength:]
	if sum != digest(body, checksumLength) || body[0] != version || body[1] != kind ||
		body[2:head] != digest(filter, digestLength) {
		return "", gateway.ErrCursor
	}
	return body[head:], nil
}

// digest returns the first n bytes of the SHA-256 of s.
func digest(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:n])
}

// filterOf packs what a listing selects, so that two that select differently
// never share a cursor.
func filterOf(q gateway.ListQuery) string {
	fields := []string{
		string(q.State), q.Bucket, q.Prefix, q.Key, q.CreatedBy, q.LabelName, q.LabelValue,
	}
	if q.Bucket == "" && byName(q) {
		fields = append(fields, q.Buckets...)
	}
	var b []byte
	for _, field := range fields {
		b = appendString(b, field)
	}
	return string(b)
}

// byName tells whether a listing is in the order of keys.
func byName(q gateway.ListQuery) bool { return q.Prefix != "" || q.Key != "" }

// matches tells whether a link is what q selects.
func matches(q gateway.ListQuery, l *gateway.Link) bool {
	label, labelled := l.Labels[q.LabelName]
	return (q.State == "" || l.State == q.State) &&
		(q.Bucket == "" || l.Ref.Bucket == q.Bucket) &&
		(q.Key == "" || l.Ref.Key == q.Key) &&
		strings.HasPrefix(l.Ref.Key, q.Prefix) &&
		(q.CreatedBy == "" || l.CreatedBy == q.CreatedBy) &&
		(q.LabelName == "" || labelled && label == q.LabelValue) &&
		(q.Match == nil || q.Match(l.Ref))
}

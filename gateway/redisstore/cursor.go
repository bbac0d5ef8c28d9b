package redisstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"keyhole/gateway"
	"keyhole/gateway/redisstore/record"
)

// A cursor is base64url of its version (1 byte) and the sealed position. The position
// names the last link that a listing read, and that link may be outside the caller's
// scope. So the position is encrypted with AES-256-GCM (NIST SP 800-38D) under a key that
// only Redis and the gateways have. The additional data is the kind of listing and the
// digest of its filters: a forged, damaged or foreign cursor does not open.
const (
	cursorAttribute = 't' // position: an entry of the secondary index
	cursorPrefix    = 'n' // position: a member of the prefix index
	cursorEvents    = 'e' // position: see eventPosition
	cursorAudit     = 'a' // position: see feed
	cursorBulk      = 'r' // position: the number of unreadable links, then the position of a listing
	cursorErasure   = 'x' // position: see erasureRun.stop
	cursorOther     = 'o' // position: defined by the caller

	cursorKeyLength = 32
	// cursorPadding is the multiple in bytes to which positions are padded. The padding
	// hides the length of object keys.
	cursorPadding = 64

	cursorVersion = 1
)

// sealer seals and opens cursors.
type sealer struct {
	aead cipher.AEAD
}

// newSealer returns a sealer for the key in Redis.
func newSealer(key []byte) (*sealer, error) {
	if len(key) != cursorKeyLength {
		return nil, fmt.Errorf("%w: the key of cursors has %d bytes", gateway.ErrRecord, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// seal encrypts a position.
func (s *sealer) seal(kind byte, filter, position string) string {
	padded := record.AppendString(nil, position)
	// The position of the feed holds no key, and it has to be short.
	if over := len(padded) % cursorPadding; over > 0 && kind != cursorAudit {
		padded = append(padded, make([]byte, cursorPadding-over)...)
	}
	sealed := s.aead.Seal(nil, nil, padded, additionalData(kind, filter)) //nolint:gosec // This AEAD draws its own nonce.
	return base64.RawURLEncoding.EncodeToString(append([]byte{cursorVersion}, sealed...))
}

// open returns the position that seal encrypted for the same kind and filter, or
// gateway.ErrCursor.
func (s *sealer) open(kind byte, filter, cursor string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) == 0 || raw[0] != cursorVersion {
		return "", gateway.ErrCursor
	}
	padded, err := s.aead.Open(nil, nil, raw[1:], additionalData(kind, filter))
	if err != nil {
		return "", gateway.ErrCursor
	}
	d := record.Decoder{Rest: string(padded)}
	position := d.Text()
	if d.Err != nil {
		return "", gateway.ErrCursor
	}
	return position, nil
}

// SealCursor implements gateway.Cursors.
func (s *Store) SealCursor(ctx context.Context, query, position string) (string, error) {
	_, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return "", err
	}
	return s.cursors.Load().seal(cursorOther, query, position), nil
}

// OpenCursor implements gateway.Cursors.
func (s *Store) OpenCursor(ctx context.Context, query, cursor string) (string, error) {
	_, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return "", err
	}
	return s.cursors.Load().open(cursorOther, query, cursor)
}

// additionalData binds a cursor to its kind and filter.
func additionalData(kind byte, filter string) []byte {
	sum := sha256.Sum256([]byte(filter))
	return append([]byte{cursorVersion, kind}, sum[:]...)
}

// filterOf packs the filters of a listing, so that listings with different filters never
// share a cursor. The filters of earlier versions have the same bytes as there, so that
// gateways of both versions can open each other's cursors.
func filterOf(q gateway.ListQuery) string {
	states := make([]string, 0, len(q.States))
	for _, state := range q.States {
		states = append(states, string(state))
	}
	slices.Sort(states)
	labels := slices.Sorted(maps.Keys(q.Labels))
	name := ""
	if len(labels) > 0 {
		name = labels[0]
	}
	fields := []string{
		strings.Join(slices.Compact(states), ","), q.Bucket, q.Prefix, q.Key, q.CreatedBy, name, q.Labels[name],
	}
	if q.Bucket == "" && byName(q) {
		fields = append(fields, q.Buckets...)
	}
	if len(labels) > 1 || !q.Since.IsZero() || !q.EndsAfter.IsZero() || q.Relative() || q.Unused {
		fields = append(fields, "\x00") // no bucket has this name
		fields = append(fields, string(record.AppendTime(nil, q.Since)), q.Age.String(), strconv.FormatBool(q.Unused),
			q.EndsWithin.String())
		for _, more := range labels[min(len(labels), 1):] {
			fields = append(fields, more, q.Labels[more])
		}
		if !q.EndsAfter.IsZero() || q.Remaining > 0 {
			// Labels before it come in pairs, so three fields cannot be confused with them.
			fields = append(fields, "\x00", string(record.AppendTime(nil, q.EndsAfter)), q.Remaining.String())
		}
	}
	var b []byte
	for _, field := range fields {
		b = record.AppendString(b, field)
	}
	return string(b)
}

// byName reports whether a listing is in the order of object keys.
func byName(q gateway.ListQuery) bool { return q.Prefix != "" || q.Key != "" }

// startWidth is the length of the time that a position begins with if the listing has a
// filter that is relative to the time of its first page.
const startWidth = 6

// startOf splits the position of a listing: the time of the first page in Unix
// milliseconds, and the position in the index. Only relative filters need that time, so
// the positions of all other listings lack it, and now is returned.
func startOf(q gateway.ListQuery, position string, now int64) (start int64, after string, err error) {
	if position == "" || !q.Relative() {
		return now, position, nil
	}
	d := record.Decoder{Rest: position}
	start = d.Fixed(startWidth)
	if d.Err != nil || d.Rest == "" {
		return 0, "", gateway.ErrCursor
	}
	return start, d.Rest, nil
}

// withStart returns the position that startOf splits.
func withStart(q gateway.ListQuery, start int64, after string) string {
	if !q.Relative() {
		return after
	}
	return record.Place(start, 0)[:startWidth] + after
}

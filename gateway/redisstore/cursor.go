package redisstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"keyhole/gateway"
)

// A cursor is base64url of its version (1 byte) and the sealed position. The
// position names the link that a listing looked at last, which may be one that
// the caller is not shown: so it is sealed by AES-256-GCM (NIST SP 800-38D)
// under a key that only Redis and the gateways have, with what the cursor pages
// through and the digest of the filters it belongs to as additional data. A
// forged, damaged or foreign cursor does not open.
const (
	cursorTerm   = 't' // position: an entry of a term
	cursorName   = 'n' // position: a member of names
	cursorEvents = 'e' // position: see eventPosition
	cursorAudit  = 'a' // position: see feed
	cursorBulk   = 'r' // position: links that could not be read, and that of a listing
	cursorOther  = 'o' // position: the caller's

	cursorKeyLength = 32
	// cursorPadding is what a position is filled up to a multiple of: its length
	// would tell that of an object's key.
	cursorPadding = 64
)

// sealer makes cursors and reads them.
type sealer struct {
	aead cipher.AEAD
}

// newSealer makes a sealer of the key that Redis keeps.
func newSealer(key []byte) (*sealer, error) {
	if len(key) != cursorKeyLength {
		return nil, fmt.Errorf("%w: key of cursors of %d bytes", gateway.ErrRecord, len(key))
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

// seal packs a position.
func (s *sealer) seal(kind byte, filter, position string) string {
	padded := appendString(nil, position)
	if over := len(padded) % cursorPadding; over > 0 {
		padded = append(padded, make([]byte, cursorPadding-over)...)
	}
	sealed := s.aead.Seal(nil, nil, padded, sealedWith(kind, filter)) //nolint:gosec // This AEAD takes no nonce: it draws one and puts it before the rest.
	return base64.RawURLEncoding.EncodeToString(append([]byte{version}, sealed...))
}

// open returns the position that seal packed for the same kind and filters, or
// gateway.ErrCursor.
func (s *sealer) open(kind byte, filter, cursor string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) == 0 || raw[0] != version {
		return "", gateway.ErrCursor
	}
	padded, err := s.aead.Open(nil, nil, raw[1:], sealedWith(kind, filter))
	if err != nil {
		return "", gateway.ErrCursor
	}
	d := decoder{rest: string(padded)}
	position := d.text()
	if d.err != nil {
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

// sealedWith is the additional data of a cursor.
func sealedWith(kind byte, filter string) []byte {
	sum := sha256.Sum256([]byte(filter))
	return append([]byte{version, kind}, sum[:]...)
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

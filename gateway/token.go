package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
)

// TokenLength is the number of characters of a token. 22 characters of a
// 58-letter alphabet carry 128.9 bits, above the 128 that OWASP ASVS 5.0
// (7.2.3, 11.5.1) asks of a capability.
const TokenLength = 22

// alphabet is Bitcoin's base58: no 0, O, I or l, so that a token read aloud or
// copied from paper survives.
const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// NewToken draws a token uniformly from random, crypto/rand.Reader in
// production. The token is the capability itself: it belongs in the URL that
// is handed out and nowhere else.
func NewToken(random io.Reader) (string, error) {
	// Bytes from 232 up are thrown away: 232 is 4 × 58, and taking them modulo
	// 58 would favour the first letters.
	const fair = 4 * len(alphabet)
	token := make([]byte, 0, TokenLength)
	var drawn [2 * TokenLength]byte
	for len(token) < TokenLength {
		if _, err := io.ReadFull(random, drawn[:]); err != nil {
			return "", fmt.Errorf("draw a token: %w", err)
		}
		for _, b := range drawn {
			if int(b) < fair && len(token) < TokenLength {
				token = append(token, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(token), nil
}

// drawToken is NewToken over the operating system's generator.
func drawToken() (string, error) { return NewToken(rand.Reader) }

// ValidToken tells whether s has the shape of a token: length and alphabet,
// nothing that would need to ask Redis.
func ValidToken(s string) bool {
	if len(s) != TokenLength {
		return false
	}
	for i := range len(s) {
		if !base58[s[i]] {
			return false
		}
	}
	return true
}

// base58 marks the bytes of the alphabet.
var base58 = func() (set [256]bool) { //nolint:gochecknoglobals // a table that never changes
	for i := range len(alphabet) {
		set[alphabet[i]] = true
	}
	return set
}()

// ID names a link everywhere but in its URL: the first 16 bytes of the token's
// SHA-256. It cannot be turned back into the token, so it may be logged, stored
// and shown.
type ID [16]byte

// idLength is the length of an ID's text: 16 bytes in base32 without padding.
const idLength = 26

// idEncoding is RFC 4648 base32 in lower case, without padding.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding) //nolint:gochecknoglobals // never changes

// IDOf returns the ID of the link that token opens.
func IDOf(token string) ID {
	sum := sha256.Sum256([]byte(token))
	return ID(sum[:16])
}

// ParseID reads the text form. It reports false for anything that String would
// not have written, upper case and stray bits included.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != idLength {
		return id, false
	}
	if _, err := idEncoding.Decode(id[:], []byte(s)); err != nil {
		return ID{}, false
	}
	return id, id.String() == s
}

// Append appends what String returns.
func (id ID) Append(b []byte) []byte { return idEncoding.AppendEncode(b, id[:]) }

// String returns the 26 characters of lower-case base32.
func (id ID) String() string { return idEncoding.EncodeToString(id[:]) }

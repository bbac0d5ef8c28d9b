package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"strings"
)

// TokenLength is the number of characters of a token. 22 characters of a
// 58-letter alphabet carry 128.9 bits, above the 128 that OWASP ASVS 5.0
// (7.2.3, 11.5.1) asks of a capability.
const TokenLength = 22

// alphabet is Bitcoin's base58. It has no 0, O, I or l, so that people can read a token
// aloud or copy it from paper.
const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// NewToken draws a token uniformly from random, which is crypto/rand.Reader in production.
// Everyone who has the token can use the link, so the token belongs in the URL and nowhere
// else.
func NewToken(random io.Reader) (string, error) {
	// Bytes from 232 (4 × 58) on are dropped, because modulo 58 they would make the
	// first letters more likely.
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

// drawToken is NewToken with the generator of the operating system.
func drawToken() (string, error) { return NewToken(rand.Reader) }

// ValidToken reports whether s has the length and the alphabet of a token. It makes no
// call to Redis.
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

// ID names a link everywhere except in its URL: the first 16 bytes of the SHA-256 of the
// token. Nobody can compute the token from the ID, so Keyhole logs, stores and shows IDs.
type ID [16]byte

// idLength is the length of an ID's text: 16 bytes in base32 without padding.
const idLength = 26

// idEncoding is RFC 4648 base32 in lower case, without padding.
//
//nolint:gochecknoglobals // A constant.
var idEncoding = base32.NewEncoding(idAlphabet).WithPadding(base32.NoPadding)

// idAlphabet are the characters of an ID's text.
const idAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

// IDOf returns the ID of the link that token opens.
func IDOf(token string) ID {
	sum := sha256.Sum256([]byte(token))
	return ID(sum[:16])
}

// ParseID reads the text of an ID. It returns false for every text that String does not
// write, such as upper case or a last character with unused bits.
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

// IDPrefix is the beginning of an ID's text: at least as long as a reference, and shorter
// than the whole text.
type IDPrefix string

// ParseIDPrefix reads the beginning of an ID's text. It returns false for a whole ID.
func ParseIDPrefix(s string) (IDPrefix, bool) {
	if len(s) < referenceLength || len(s) >= idLength {
		return "", false
	}
	return IDPrefix(s), strings.Trim(s, idAlphabet) == ""
}

// Bytes returns the bytes of the ID that the prefix determines completely.
func (p IDPrefix) Bytes() []byte {
	whole := string(p) + strings.Repeat(idAlphabet[:1], idLength-len(p))
	var id ID
	_, _ = idEncoding.Decode(id[:], []byte(whole)) // Only letters of the alphabet.
	return id[:len(p)*5/8]
}

// Matches reports whether the text of the ID begins with the prefix.
func (p IDPrefix) Matches(id ID) bool { return strings.HasPrefix(id.String(), string(p)) }

// Append appends the text of the ID to b.
func (id ID) Append(b []byte) []byte { return idEncoding.AppendEncode(b, id[:]) }

// String returns the 26 characters of lower-case base32.
func (id ID) String() string { return idEncoding.EncodeToString(id[:]) }

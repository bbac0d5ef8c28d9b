package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Secrets are the secrets of a link with restrictions. They exist only in the permission,
// so they are deleted with it.
type Secrets struct {
	// Key authenticates the nonces and grants of the link.
	Key [16]byte
	// Passphrase is the scheme, salt and hash of the passphrase, as hasher.make returns
	// them; empty: the link has no passphrase.
	Passphrase string
}

// drawSecrets returns the secrets of a new link without a passphrase.
func drawSecrets() Secrets {
	var s Secrets
	_, _ = rand.Read(s.Key[:]) // It never fails.
	return s
}

// The lengths of the parts of nonces and grants, in bytes. A MAC is the first half of an
// HMAC-SHA256 (128 bits), which RFC 2104 section 5 allows.
const (
	macLength   = 16
	nonceLength = 12
	endLength   = 8
)

// mac authenticates text for one purpose of one link.
func (s *Secrets) mac(purpose string, id ID, text []byte) []byte {
	h := hmac.New(sha256.New, s.Key[:])
	h.Write([]byte(purpose))
	h.Write(id[:])
	h.Write(text)
	return h.Sum(nil)[:macLength]
}

// seal returns text with its MAC, in characters that are valid in a form and a cookie.
func (s *Secrets) seal(purpose string, id ID, text []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(text, s.mac(purpose, id, text)...))
}

// open returns the text that seal wrote for the same purpose and link. It returns nil for
// every other input.
func (s *Secrets) open(purpose string, id ID, sealed string, length int) []byte {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) != length+macLength {
		return nil
	}
	text := raw[:length]
	if !hmac.Equal(raw[length:], s.mac(purpose, id, text)) {
		return nil
	}
	return text
}

// The purposes of a MAC. All have the same length, so that a purpose cannot run into the
// ID after it. Links in Redis depend on the values.
const (
	purposeNonce  = "nonce"
	purposeGrant  = "grant"
	purposeClient = "whose"
)

// nonce returns a new nonce for a page. The store spends one click per nonce, so a form
// that is sent twice spends one click.
func (s *Secrets) nonce(id ID) string {
	drawn := make([]byte, nonceLength)
	_, _ = rand.Read(drawn) // It never fails.
	return s.seal(purposeNonce, id, drawn)
}

// readNonce returns the part of a nonce that the store keeps, or an empty string if no
// gateway made the nonce for this link.
func (s *Secrets) readNonce(id ID, nonce string) string {
	return string(s.open(purposeNonce, id, nonce, nonceLength))
}

// grant returns a grant that is valid until end.
func (s *Secrets) grant(id ID, end time.Time) string {
	return s.seal(purposeGrant, id, binary.BigEndian.AppendUint64(nil, uint64(end.UnixMilli())))
}

// granted reports whether a grant belongs to this link and is still valid.
func (s *Secrets) granted(id ID, grant string, now time.Time) bool {
	text := s.open(purposeGrant, id, grant, endLength)
	if text == nil {
		return false
	}
	end := int64(binary.BigEndian.Uint64(text)) //nolint:gosec // grant wrote it.
	return now.Before(time.UnixMilli(end))
}

// clientKey returns the name under which the store counts a client's attempts at the
// passphrase of this link. All addresses of a client network share one name. The name is
// a MAC under the key of the link, so nobody can compute the address from the name after
// the link has ended.
func (s *Secrets) clientKey(id ID, a *Attempt) string {
	text, _ := clientNetwork(a.Client).MarshalBinary() // It never fails.
	return string(s.mac(purposeClient, id, text)[:8])
}

package gateway

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Secrets is what a link with restrictions keeps in its permission and nowhere
// else: it goes with it.
type Secrets struct {
	// Key is what its nonces and grants are made with.
	Key [16]byte
	// Passphrase is what a passphrase is compared with, as hashPassphrase made it;
	// empty: none is asked for.
	Passphrase string
}

// drawSecrets makes the secrets of a new link but for its passphrase.
func drawSecrets() Secrets {
	var s Secrets
	_, _ = rand.Read(s.Key[:]) // It never fails.
	return s
}

// The lengths of what nonces and grants are made of, in bytes. A MAC is the first
// half of an HMAC-SHA256, which RFC 2104 section 5 allows: 128 bits.
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

// seal writes text with its MAC, in characters that a form and a cookie take.
func (s *Secrets) seal(purpose string, id ID, text []byte) string {
	return base64.RawURLEncoding.EncodeToString(append(text, s.mac(purpose, id, text)...))
}

// open returns the text that seal wrote for the same purpose and link, nil of
// anything else.
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

// The purposes of a MAC, of one length so that none runs into what follows.
const (
	purposeNonce  = "nonce"
	purposeGrant  = "grant"
	purposeClient = "whose"
)

// nonce makes one for a page: a form that is sent twice spends one click.
func (s *Secrets) nonce(id ID) string {
	drawn := make([]byte, nonceLength)
	_, _ = rand.Read(drawn) // It never fails.
	return s.seal(purposeNonce, id, drawn)
}

// readNonce returns what the store keeps of a nonce, empty where no gateway made
// it for this link.
func (s *Secrets) readNonce(id ID, nonce string) string {
	return string(s.open(purposeNonce, id, nonce, nonceLength))
}

// grant makes one that is good until end.
func (s *Secrets) grant(id ID, end time.Time) string {
	return s.seal(purposeGrant, id, binary.BigEndian.AppendUint64(nil, uint64(end.UnixMilli())))
}

// granted tells whether a grant is this link's and still good.
func (s *Secrets) granted(id ID, grant string, now time.Time) bool {
	text := s.open(purposeGrant, id, grant, endLength)
	return text != nil && now.Before(time.UnixMilli(int64(binary.BigEndian.Uint64(text)))) //nolint:gosec // What grant wrote.
}

// whose names a client among the tries of this link's passphrase, by what misses
// are counted by: the name says nothing of the address once the link has ended.
func (s *Secrets) clientKey(id ID, a *Attempt) string {
	text, _ := clientNetwork(a.Client).MarshalBinary() // It never fails.
	return string(s.mac(purposeClient, id, text)[:8])
}

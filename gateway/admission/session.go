package admission

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"keyhole/gateway"
)

// Session is a session of the console: an operator who has signed in.
type Session struct {
	// ID is the secret that the browser sends in its cookie. It must never be logged.
	ID    string
	Actor *gateway.Actor
	// StartedAt is the time of the sign-in, and EndsAt the time at which the session ends
	// at the latest, both by the clock of the store.
	StartedAt, EndsAt time.Time
	ByProvider        bool  // the operator signed in at the identity provider
	Quota             Quota // of the operator, after this request

	seed []byte
}

// Secret returns 32 bytes for one purpose, such as making a form safe to repeat. The
// session always returns the same bytes for a purpose, also after it was renewed at the
// identity provider. Nothing stores them.
func (s *Session) Secret(purpose string) []byte { return derive(s.seed, "console/"+purpose) }

// LogValue implements slog.LogValuer. It omits the ID.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String names the operator of the session. It omits the ID.
func (s *Session) String() string { return "session of " + s.Actor.Name }

// method returns how the operator signed in.
func (s *Session) method() string {
	if s.ByProvider {
		return gateway.SignInByOIDC
	}
	return gateway.SignInByKey
}

// sessionOf returns the session of an operator.
func (s *Sessions) sessionOf(id secret, rec *sessionRecord, actor *gateway.Actor, startedAt time.Time) *Session {
	return &Session{
		ID: id.String(), Actor: actor, ByProvider: len(rec.Claims) > 0, seed: rec.Seed,
		StartedAt: startedAt, EndsAt: startedAt.Add(s.limits.Load().Max),
	}
}

// sessionRecord is what the store has of a session, encrypted. Either Key or Claims is set.
type sessionRecord struct {
	// Key is the SHA-256 of the operator key. Another key of the same name does not
	// continue the session.
	Key []byte `json:"key,omitempty"`
	// Claims are those of the ID token. All of them are kept, because the grants of a later
	// configuration may depend on any of them.
	Claims json.RawMessage `json:"claims,omitempty"`
	// Seed is the source of Session.Secret. A renewed session keeps it.
	Seed []byte `json:"seed"`
}

// secret is a random value of 256 bits that only one browser has. The store has its hash,
// and values that are encrypted with a key derived from it. A dump of the store therefore
// neither admits anybody nor tells who has signed in.
type secret [32]byte

// newSecret draws a secret.
func newSecret() (s secret) {
	_, _ = rand.Read(s[:]) // It never fails.
	return s
}

// parseSecret reads the text of a secret, as String writes it.
func parseSecret(text string) (s secret, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != len(s) {
		return s, false
	}
	return secret(raw), true
}

// String returns the secret in characters that are valid in a cookie.
func (s secret) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// LogValue implements slog.LogValuer. It hides the secret.
func (secret) LogValue() slog.Value { return slog.StringValue("secret") }

// hash returns the name of the secret in the store.
func (s secret) hash() gateway.SessionHash { return sha256.Sum256(s[:]) }

// The purposes of the keys that encrypt values in the store. Each has the version of the
// layout of its value. A value of another version cannot be decrypted, so it is refused.
const (
	purposeSession = "session/1"
	purposeSignIn  = "sign-in/1"
)

// derive returns 32 bytes that only the holder of a seed can compute (HKDF with SHA-256,
// RFC 5869).
func derive(seed []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, seed, nil, "keyhole/"+purpose, sha256.Size)
	if err != nil {
		panic(err) // Only for a length above 255 hashes.
	}
	return key
}

// aead returns the cipher for one purpose.
func (s secret) aead(purpose string) cipher.AEAD {
	block, err := aes.NewCipher(derive(s[:], purpose))
	if err != nil {
		panic(err) // Only for a key of another length.
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // Only for a cipher with another block size.
	}
	return aead
}

// seal encrypts a value for the store.
func (s secret) seal(purpose string, value any) []byte {
	plain, err := json.Marshal(value)
	if err != nil {
		panic(err) // The values are structs of bytes, texts and times.
	}
	return s.aead(purpose).Seal(nil, nil, plain, nil) //nolint:gosec // This AEAD draws its own nonce.
}

// errSealed means that a value in the store is damaged or of another version.
var errSealed = errors.New("the value is damaged, or belongs to another version")

// open decrypts what seal encrypted.
func (s secret) open(purpose string, sealed []byte, value any) error {
	plain, err := s.aead(purpose).Open(nil, nil, sealed, nil)
	if err != nil {
		return errSealed
	}
	if err := json.Unmarshal(plain, value); err != nil {
		return fmt.Errorf("%w: %w", errSealed, err)
	}
	return nil
}

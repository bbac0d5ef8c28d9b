package acme

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// secretBytes is the length of the secret that all gateways share.
const secretBytes = 32

// sealer encrypts values for the Storage with AES-256-GCM. The name of a value is
// authenticated too, so that write access to the Storage does not suffice to exchange two
// values.
type sealer struct{ aead cipher.AEAD }

// newSealer returns a sealer whose key is derived from the shared secret (HKDF, RFC 5869).
func newSealer(secret []byte) (*sealer, error) {
	if len(secret) != secretBytes {
		return nil, fmt.Errorf("the secret has %d bytes, not %d", len(secret), secretBytes)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "keyhole certificates", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for certificates: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare the key for certificates: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("prepare the key for certificates: %w", err)
	}
	return &sealer{aead}, nil
}

// seal encrypts a value under its name.
func (s *sealer) seal(name string, value []byte) []byte {
	return s.aead.Seal(nil, nil, value, []byte(name)) //nolint:gosec // The AEAD draws the nonce itself.
}

// errSealed means that a stored value was encrypted with another secret, or changed.
var errSealed = errors.New("the stored value cannot be decrypted: is secret_file the same on all gateways?")

// open decrypts what seal has encrypted under the same name.
func (s *sealer) open(name string, sealed []byte) ([]byte, error) {
	value, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, errSealed
	}
	return value, nil
}

// newHolder returns a name for the holder of a lease.
func newHolder() string { return rand.Text() }

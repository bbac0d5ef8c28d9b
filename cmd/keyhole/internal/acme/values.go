package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Storage is shared by all gateways. Its values are encrypted.
type Storage interface {
	// ReadACME returns a value, nil if there is none.
	ReadACME(ctx context.Context, name string) ([]byte, error)
	// WriteACME stores a value for life.
	WriteACME(ctx context.Context, name string, value []byte, life time.Duration) error
	// TakeACMELease takes or extends a lease, and tells whether holder has it.
	TakeACMELease(ctx context.Context, name, holder string, life time.Duration) (bool, error)
	// DropACMELease ends a lease if holder has it.
	DropACMELease(ctx context.Context, name, holder string) error
}

// values encrypts what goes to the Storage.
type values struct {
	storage Storage
	sealer  *sealer
}

// read returns a value, nil if there is none.
func (v *values) read(ctx context.Context, name string) ([]byte, error) {
	sealed, err := v.storage.ReadACME(ctx, name)
	if sealed == nil || err != nil {
		return nil, err
	}
	return v.sealer.open(name, sealed)
}

// write stores a value.
func (v *values) write(ctx context.Context, name string, value []byte, life time.Duration) error {
	return v.storage.WriteACME(ctx, name, v.sealer.seal(name, value), life)
}

// certificate is a chain with its private key, as the Storage holds it.
type certificate struct {
	Chain [][]byte `json:"chain"` // DER, the leaf first
	Key   []byte   `json:"key"`   // PKCS #8
}

// newCertificate returns the stored form of a chain.
func newCertificate(chain [][]byte, key crypto.PrivateKey) (*certificate, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return &certificate{chain, der}, nil
}

// parse returns the form for handshakes.
func (c *certificate) parse() (*tls.Certificate, error) {
	if len(c.Chain) == 0 {
		return nil, fmt.Errorf("a stored certificate is empty")
	}
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("parse a stored certificate: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("parse a stored private key: %w", err)
	}
	signer, _ := key.(crypto.Signer)
	if signer == nil {
		return nil, errors.New("a stored private key cannot sign")
	}
	// All kinds of public keys have Equal.
	public, _ := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if public == nil || !public.Equal(leaf.PublicKey) {
		return nil, errors.New("a certificate does not belong to its private key")
	}
	return &tls.Certificate{Certificate: c.Chain, PrivateKey: key, Leaf: leaf}, nil
}

// decodeCertificate reads the stored form.
func decodeCertificate(text []byte) (*tls.Certificate, error) {
	var c certificate
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("decode a stored certificate: %w", err)
	}
	return c.parse()
}

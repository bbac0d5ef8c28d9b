package gateway

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"time"
)

// maxUndone is how long after the first try a link that is not there is still made.
// Later it may have been made, revoked and forgotten: then its token must stay dead.
// No configuration forgets a link within an hour.
const maxUndone = 30 * time.Minute

// Retry makes an issue safe to repeat: whoever repeats it under the same key gets
// the link that the first one made, or was about to make. What is kept for that
// holds the token, so it is sealed under what the one who asks alone knows.
type Retry struct {
	name   string // under which it is kept
	seal   cipher.AEAD
	digest [sha256.Size]byte // of the request
}

// NewRetry returns what makes request, in any form that is always the same, safe to
// repeat. The operator key must be the one that was presented.
func NewRetry(operatorKey, idempotencyKey string, request []byte) (*Retry, error) {
	// RFC 5869: each purpose has an info of its own.
	derive := func(purpose string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(operatorKey), nil, "keyhole retry "+purpose+"\x00"+idempotencyKey, length)
	}
	name, err := derive("name", 16)
	if err != nil {
		return nil, fmt.Errorf("derive a retry's name: %w", err)
	}
	key, err := derive("seal", 32)
	if err != nil {
		return nil, fmt.Errorf("derive a retry's key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal a retry: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal a retry: %w", err)
	}
	return &Retry{
		name: base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(name),
		seal: seal, digest: sha256.Sum256(request),
	}, nil
}

// pack seals the token with the request's digest.
func (r *Retry) pack(token string) []byte {
	return r.seal.Seal(nil, nil, append(r.digest[:], token...), []byte(r.name)) //nolint:gosec // It draws its nonce itself.
}

// unpack returns the token that was packed for the same request.
func (r *Retry) unpack(sealed []byte) (string, error) {
	plain, err := r.seal.Open(nil, nil, sealed, []byte(r.name))
	if err != nil || len(plain) < sha256.Size || !ValidToken(string(plain[sha256.Size:])) {
		return "", storeError(fmt.Errorf("%w: what is kept for a retry: %w", ErrUnavailable, errors.Join(ErrRecord, err)))
	}
	if [sha256.Size]byte(plain) != r.digest {
		return "", Errorf(CodeIdempotencyConflict, "another request was made under that Idempotency-Key; give each request a key of its own")
	}
	return string(plain[sha256.Size:]), nil
}

// issuedBefore returns the link that an earlier try has made, with an empty token
// if there is none: then it is still to be made.
func (s *Service) issuedBefore(ctx context.Context, retry *Retry, storage *Storage) (Issued, error) {
	if retry == nil {
		return Issued{}, nil
	}
	sealed, age, err := s.retries.Reserved(ctx, retry.name)
	if errors.Is(err, ErrNotFound) {
		return Issued{}, nil
	}
	if err != nil {
		return Issued{}, storeError(err)
	}
	token, err := retry.unpack(sealed)
	if err != nil {
		return Issued{}, err
	}
	issued, err := s.issuedAs(ctx, token, storage)
	if !errors.Is(err, ErrNotFound) {
		return issued, err
	}
	if age > maxUndone {
		return Issued{}, Errorf(CodeIdempotencyConflict, "the link of that Idempotency-Key is not known any more; ask under another one")
	}
	return Issued{}, nil
}

// issuedAs returns the link of a token that was issued before, as certain to stay
// as one that is issued now.
func (s *Service) issuedAs(ctx context.Context, token string, storage *Storage) (Issued, error) {
	link, err := s.retries.Confirm(ctx, IDOf(token))
	if err != nil {
		return Issued{}, storeError(err)
	}
	link.Warnings, link.Notes = s.warnings(&link, storage, link.ExpiresAt.Sub(link.CreatedAt)), notes(&link)
	return Issued{Link: link, Token: token}, nil
}

// tokenFor draws the token of a new link. With a retry it is first put where the
// next try finds it, or is the one that another try has put there.
func (s *Service) tokenFor(ctx context.Context, retry *Retry) (string, error) {
	token, err := drawToken()
	if err != nil || retry == nil {
		return token, err
	}
	sealed, err := s.retries.Reserve(ctx, retry.name, retry.pack(token))
	if err != nil {
		return "", storeError(err)
	}
	return retry.unpack(sealed)
}

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

// maxReissueAge is the age of a reservation up to which a repeat creates the link if the
// link does not exist. After a longer time, the link may have been created and revoked,
// and its retention may be over; then its token must stay invalid. Every configuration
// keeps the record of a link for more than an hour.
const maxReissueAge = 30 * time.Minute

// Idempotency makes an issue safe to repeat: a repeat with the same idempotency key
// returns the link that the first request created or was about to create. The reservation
// in the store holds the token. The token is encrypted under a key that is derived from
// the operator key, which only the client has.
type Idempotency struct {
	name   string            // of the reservation
	seal   cipher.AEAD       // encrypts the token
	digest [sha256.Size]byte // of the request
	// batch reserves one seed for all links of a batch; nil: the request is for one link.
	// index is the link's position in the batch.
	batch *batchTokens
	index int
}

// NewIdempotency returns the Idempotency of a request. operatorKey is the key or token
// that the client presented. request is an encoding of the request in which equal
// requests have equal bytes.
func NewIdempotency(operatorKey, idempotencyKey string, request []byte) (*Idempotency, error) {
	// The info of HKDF (RFC 5869) separates the keys by purpose.
	derive := func(purpose string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(operatorKey), nil, "keyhole retry "+purpose+"\x00"+idempotencyKey, length)
	}
	name, err := derive("name", 16)
	if err != nil {
		return nil, fmt.Errorf("derive the name of a reservation: %w", err)
	}
	key, err := derive("seal", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a reservation: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of a reservation: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of a reservation: %w", err)
	}
	return &Idempotency{
		name: base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(name),
		seal: seal, digest: sha256.Sum256(request),
	}, nil
}

// pack encrypts the token and the digest of the request.
func (r *Idempotency) pack(token string) []byte {
	//nolint:gosec // This AEAD draws its own nonce.
	return r.seal.Seal(nil, nil, append(r.digest[:], token...), []byte(r.name))
}

// unpack returns the token of a reservation that pack made for the same request.
func (r *Idempotency) unpack(sealed []byte) (string, error) {
	plain, err := r.seal.Open(nil, nil, sealed, []byte(r.name))
	if err != nil || len(plain) < sha256.Size || !ValidToken(string(plain[sha256.Size:])) {
		return "", storeError(fmt.Errorf("%w: reservation of a token: %w", ErrUnavailable, errors.Join(ErrRecord, err)))
	}
	if [sha256.Size]byte(plain) != r.digest {
		return "", Errorf(CodeIdempotencyConflict,
			"this Idempotency-Key was used for a different request; use a new key for each request")
	}
	return string(plain[sha256.Size:]), nil
}

// reissue returns the link that an earlier request created. An empty token means that the
// caller must create the link.
func (s *Service) reissue(ctx context.Context, idempotency *Idempotency, storage *Storage) (Issued, error) {
	if idempotency == nil {
		return Issued{}, nil
	}
	token, age, err := s.reserved(ctx, idempotency)
	if err != nil || token == "" {
		return Issued{}, err
	}
	issued, err := s.issuedAs(ctx, token, storage)
	if !errors.Is(err, ErrNotFound) {
		return issued, err
	}
	if age > maxReissueAge {
		return Issued{}, Errorf(CodeIdempotencyConflict,
			"the link of this Idempotency-Key no longer exists; use a new key to issue another")
	}
	return Issued{}, nil
}

// reserved returns the token that an earlier request reserved, and the age of the
// reservation. An empty token means that there is no reservation.
func (s *Service) reserved(ctx context.Context, idempotency *Idempotency) (string, time.Duration, error) {
	if idempotency.batch != nil {
		return idempotency.batch.reserved(idempotency.index)
	}
	sealed, age, err := s.reservations.Reserved(ctx, idempotency.name)
	if errors.Is(err, ErrNotFound) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, storeError(err)
	}
	token, err := idempotency.unpack(sealed)
	return token, age, err
}

// issuedAs returns the link of a token that was issued before. The link is confirmed
// like one that is issued now.
func (s *Service) issuedAs(ctx context.Context, token string, storage *Storage) (Issued, error) {
	link, err := s.reservations.Confirm(ctx, IDOf(token))
	if err != nil {
		return Issued{}, storeError(err)
	}
	link.Warnings, link.Notes = s.warnings(&link, storage, link.ExpiresAt.Sub(link.CreatedAt)), notes(&link)
	return Issued{Link: link, Token: token}, nil
}

// tokenFor draws the token of a new link. With an Idempotency-Key it reserves the token
// first, so that a repeat finds the token. If another request with the key has reserved a
// token, tokenFor returns that token.
func (s *Service) tokenFor(ctx context.Context, idempotency *Idempotency) (string, error) {
	if idempotency != nil && idempotency.batch != nil {
		return idempotency.batch.draw(idempotency.index)
	}
	token, err := drawToken()
	if err != nil || idempotency == nil {
		return token, err
	}
	sealed, err := s.reservations.Reserve(ctx, idempotency.name, idempotency.pack(token))
	if err != nil {
		return "", storeError(err)
	}
	return idempotency.unpack(sealed)
}

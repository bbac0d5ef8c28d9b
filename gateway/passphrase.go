package gateway

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Argon2id as OWASP's Password Storage Cheat Sheet asks for at least.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltLength   = 16
	hashLength   = 32
	// argonScheme is the first byte of what is kept: these parameters. Others get
	// another, because records outlive releases.
	argonScheme = "\x01"
)

// maxHashWait is how long a passphrase waits to be hashed.
const maxHashWait = 3 * time.Second

// errBusy means that too many passphrases were waiting to be hashed.
var errBusy = errors.New("too many passphrases are being hashed")

// hasher hashes passphrases, a few at once: each takes 19 MiB.
type hasher struct {
	slots chan struct{}
	// hash is argon2.IDKey, which tests count.
	hash func(passphrase, salt []byte, time, memory uint32, threads uint8, length uint32) []byte
}

// newHasher makes a hasher that hashes up to parallel passphrases at once.
func newHasher(parallel int) *hasher {
	return &hasher{slots: make(chan struct{}, parallel), hash: argon2.IDKey}
}

// sum hashes one passphrase, when it is its turn.
func (h *hasher) sum(ctx context.Context, passphrase string, salt []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxHashWait, errBusy)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-h.slots }()
	return h.hash([]byte(passphrase), salt, argonTime, argonMemory, argonThreads, hashLength), nil
}

// make returns what a passphrase is later compared with: scheme, salt and hash.
func (h *hasher) make(ctx context.Context, passphrase string) (string, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // It never fails.
	sum, err := h.sum(ctx, passphrase, salt)
	if err != nil {
		return "", err
	}
	return argonScheme + string(salt) + string(sum), nil
}

// matches tells whether passphrase is the one that kept was made of. What is kept
// in a way that this version does not know is ErrRecord.
func (h *hasher) matches(ctx context.Context, passphrase, kept string) (bool, error) {
	kept, ok := strings.CutPrefix(kept, argonScheme)
	if !ok || len(kept) != saltLength+hashLength {
		return false, ErrRecord
	}
	sum, err := h.sum(ctx, passphrase, []byte(kept[:saltLength]))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, []byte(kept[saltLength:])) == 1, nil
}

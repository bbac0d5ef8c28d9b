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

// The parameters of Argon2id: the minimum of OWASP's Password Storage Cheat Sheet.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltLength   = 16
	hashLength   = 32
	// argonScheme is the first byte of a stored passphrase and stands for these
	// parameters. Other parameters get another byte, because records outlive releases.
	argonScheme = "\x01"
)

// maxHashWait is the maximum time that a passphrase waits before it is hashed.
const maxHashWait = 3 * time.Second

// errBusy means that a passphrase has waited for maxHashWait.
var errBusy = errors.New("too many passphrases are being hashed")

// hasher hashes a limited number of passphrases at once, because each needs 19 MiB.
type hasher struct {
	slots chan struct{}
	// hash is argon2.IDKey. Tests replace it to count the calls.
	hash func(passphrase, salt []byte, time, memory uint32, threads uint8, length uint32) []byte
}

// newHasher returns a hasher that hashes up to parallel passphrases at once.
func newHasher(parallel int) *hasher {
	return &hasher{slots: make(chan struct{}, parallel), hash: argon2.IDKey}
}

// sum waits for its turn and hashes one passphrase.
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

// make returns the scheme, salt and hash of a passphrase, for matches.
func (h *hasher) make(ctx context.Context, passphrase string) (string, error) {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // It never fails.
	sum, err := h.sum(ctx, passphrase, salt)
	if err != nil {
		return "", err
	}
	return argonScheme + string(salt) + string(sum), nil
}

// matches reports whether make returned stored for the same passphrase. It returns
// ErrRecord if stored has an unknown scheme.
func (h *hasher) matches(ctx context.Context, passphrase, stored string) (bool, error) {
	stored, ok := strings.CutPrefix(stored, argonScheme)
	if !ok || len(stored) != saltLength+hashLength {
		return false, ErrRecord
	}
	sum, err := h.sum(ctx, passphrase, []byte(stored[:saltLength]))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, []byte(stored[saltLength:])) == 1, nil
}

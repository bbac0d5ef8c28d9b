package gateway

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
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

// AttemptsUnknown is the Answer.AttemptsLeft of a form whose passphrase no link can have.
const AttemptsUnknown = -1

// unlock checks the passphrase of a form, if the link has a passphrase. It reserves an
// attempt before it hashes the passphrase. It releases the attempt if the passphrase is
// right or the comparison failed. It returns the Outcome, Wait and AttemptsLeft of a
// refusal. An empty Outcome admits the click.
func (s *Service) unlock(ctx context.Context, a *Attempt, p *Permission) (Answer, error) {
	stored, unavailable := p.Secrets.Passphrase, Answer{Outcome: OutcomeUnavailable}
	if stored == "" {
		return Answer{}, nil
	}
	if a.Form.Passphrase == "" || len(a.Form.Passphrase) > maxPassphrase { // No link can have this passphrase.
		return Answer{Outcome: OutcomeWrongPassphrase, AttemptsLeft: AttemptsUnknown}, nil
	}
	attempt, err := s.clicks.ReserveAttempt(ctx, a.ID, p.Secrets.clientKey(a.ID, a))
	if err != nil {
		return unavailable, fmt.Errorf("reserve an attempt at the passphrase: %w", err)
	}
	if attempt.Reserved == "" {
		return Answer{Outcome: OutcomeRateLimited, Wait: attempt.Wait}, nil
	}
	right, err := s.hasher.matches(ctx, a.Form.Passphrase, stored)
	if err == nil && !right {
		return Answer{Outcome: OutcomeWrongPassphrase, AttemptsLeft: attempt.Left}, nil
	}
	if err := errors.Join(err, s.clicks.ReleaseAttempt(ctx, a.ID, attempt)); err != nil {
		return unavailable, fmt.Errorf("compare the passphrase: %w", err)
	}
	return Answer{}, nil
}

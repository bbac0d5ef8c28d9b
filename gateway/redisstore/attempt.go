package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// The limits of wrong passphrases within attemptsWindow, for one link and for one client
// of that link. Above attemptsPerLink, a client without a failed attempt still gets one,
// but all such clients together get only one attempt per attemptsPause. Otherwise two
// clients could lock the link for all others. A link therefore takes at most 25 attempts
// in 15 minutes, from any number of clients.
const (
	attemptsWindow    = 15 * time.Minute
	attemptsPerLink   = 10
	attemptsPerClient = 5
	attemptsPause     = time.Minute
)

// The first argument of lua/attempt.lua.
const (
	attemptReserve = "reserve"
	attemptRelease = "release"
)

// ReserveAttempt implements gateway.ClickStore: it reserves an attempt at a link's passphrase.
func (s *Store) ReserveAttempt(
	ctx context.Context, id gateway.ID, clientKey string,
) (_ gateway.PassphraseAttempt, err error) {
	defer s.observe(callReserveAttempt, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return gateway.PassphraseAttempt{}, err
	}
	v, err := run(ctx, s.client.clicks, s.scripts.attempt, false, []string{s.keys.attempts(id)},
		attemptReserve, clientKey, attemptsWindow.Milliseconds(), attemptsPerLink, attemptsPerClient,
		attemptsPause.Milliseconds())
	if err != nil {
		return gateway.PassphraseAttempt{}, unavailable("reserve an attempt", err)
	}
	r := replyOf(v)
	attempt := gateway.PassphraseAttempt{}
	switch r.number() {
	case 0:
		attempt.Wait = time.Duration(r.number()) * time.Millisecond
	case 1:
		attempt.Reserved, attempt.Left = r.text(), int(r.number())
	default:
		return gateway.PassphraseAttempt{}, unavailable("reserve an attempt", gateway.ErrRecord)
	}
	if r.err != nil {
		return gateway.PassphraseAttempt{}, unavailable("reserve an attempt", r.err)
	}
	return attempt, nil
}

// ReleaseAttempt implements gateway.ClickStore: it releases an attempt that must not
// count.
func (s *Store) ReleaseAttempt(ctx context.Context, id gateway.ID, attempt gateway.PassphraseAttempt) (err error) {
	defer s.observe(callReleaseAttempt, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.clicks)
	defer cancel()
	if err != nil {
		return err
	}
	_, err = run(ctx, s.client.clicks, s.scripts.attempt, false, []string{s.keys.attempts(id)},
		attemptRelease, attempt.Reserved)
	if err != nil {
		return unavailable("release an attempt", err)
	}
	return nil
}

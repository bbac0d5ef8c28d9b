package redisstore

import (
	"context"
	"time"

	"keyhole/gateway"
)

// sessionKeys returns the key of a session and the key of the list of its partition.
func (s *Store) sessionKeys(hash gateway.SessionHash) []string {
	return []string{s.keys.session(hash), s.keys.sessions(sessionPartition(hash))}
}

// CreateSession stores a session of the console under the hash of its ID. startedAt is the
// time of the sign-in, by Redis' clock; zero means now. The session ends at the limits.
// CreateSession returns the time of the sign-in. The error is gateway.ErrNotFound if the
// session has ended already, and gateway.ErrUnavailable.
func (s *Store) CreateSession(
	ctx context.Context, hash gateway.SessionHash, value []byte, startedAt time.Time, limits gateway.SessionLimits,
) (_ time.Time, err error) {
	defer s.observe(callCreateSession, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return time.Time{}, err
	}
	started := int64(0)
	if !startedAt.IsZero() {
		started = startedAt.UnixMilli()
	}
	v, err := run(ctx, s.client.rest, s.scripts.createSession, true, s.sessionKeys(hash),
		hash[:], value, started, limits.Idle.Milliseconds(), limits.Max.Milliseconds())
	if err != nil {
		return time.Time{}, unavailable("create a session", err)
	}
	at, ok := v.(int64)
	switch {
	case !ok:
		return time.Time{}, unavailable("create a session", gateway.ErrRecord)
	case at == 0:
		return time.Time{}, gateway.ErrNotFound
	}
	return time.UnixMilli(at), nil
}

// ReadSession returns the session under a hash, if it has not ended at the limits. active
// says that the request is an activity of the operator, which extends the session by
// limits.Idle. The error is gateway.ErrNotFound or gateway.ErrUnavailable.
func (s *Store) ReadSession(
	ctx context.Context, hash gateway.SessionHash, limits gateway.SessionLimits, active bool,
) (_ gateway.StoredSession, err error) {
	defer s.observe(callSession, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.StoredSession{}, err
	}
	touch := 0
	if active {
		touch = 1
	}
	v, err := run(ctx, s.client.rest, s.scripts.readSession, true, s.sessionKeys(hash),
		hash[:], limits.Idle.Milliseconds(), limits.Max.Milliseconds(), touch)
	if err != nil {
		return gateway.StoredSession{}, unavailable("read a session", err)
	}
	r := replyOf(v)
	value, started := r.text(), r.number()
	if r.err != nil {
		return gateway.StoredSession{}, unavailable("read a session", r.err)
	}
	if started == 0 {
		return gateway.StoredSession{}, gateway.ErrNotFound
	}
	return gateway.StoredSession{Value: []byte(value), StartedAt: time.UnixMilli(started)}, nil
}

// EndSession ends the session under a hash, if there is one. With Options.WaitReplicas, it
// waits for the replicas, also if the session has ended before. The error is
// gateway.ErrUnavailable, with gateway.ErrNotConfirmed if a failover may undo the end.
func (s *Store) EndSession(ctx context.Context, hash gateway.SessionHash) (err error) {
	defer s.observe(callEndSession, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return err
	}
	keys := append(s.sessionKeys(hash), s.keys.confirmation(sessionPartition(hash)))
	_, err = s.write(ctx, s.client.rest, s.scripts.endSession, true, keys,
		hash[:], confirmationLife.Milliseconds())
	if err != nil {
		return unavailable("end a session", err)
	}
	return nil
}

// Sessions returns the number of sessions of the console that have not ended. Every
// gateway returns the same number. The error is gateway.ErrUnavailable.
func (s *Store) Sessions(ctx context.Context) (_ int64, err error) {
	defer s.observe(callSessions, time.Now(), &err)
	return s.count(ctx, "count sessions", s.scripts.countSessions, s.keys.sessions)
}

// KeepSignIn stores the secrets of a sign-in at the identity provider under the hash of the
// browser's secret, for life. The error is gateway.ErrUnavailable.
func (s *Store) KeepSignIn(
	ctx context.Context, hash gateway.SessionHash, value []byte, life time.Duration,
) (err error) {
	defer s.observe(callKeepSignIn, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return err
	}
	_, err = run(ctx, s.client.rest, s.scripts.signIn, true, []string{s.keys.signIn(hash)}, value, life.Milliseconds())
	if err != nil {
		return unavailable("keep a sign-in", err)
	}
	return nil
}

// TakeSignIn returns what KeepSignIn stored under a hash, and deletes it. The error is
// gateway.ErrNotFound if it has expired or was taken, and gateway.ErrUnavailable. If the
// reply of Redis is lost, the sign-in is lost too.
func (s *Store) TakeSignIn(ctx context.Context, hash gateway.SessionHash) (_ []byte, err error) {
	defer s.observe(callTakeSignIn, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return nil, err
	}
	v, err := run(ctx, s.client.rest, s.scripts.signIn, false, []string{s.keys.signIn(hash)})
	if err != nil {
		return nil, unavailable("take a sign-in", err)
	}
	value, ok := v.(string)
	switch {
	case !ok:
		return nil, unavailable("take a sign-in", gateway.ErrRecord)
	case value == "":
		return nil, gateway.ErrNotFound
	}
	return []byte(value), nil
}

package gateway

import (
	"crypto/sha256"
	"time"
)

// SessionHash is the SHA-256 of a secret that only a browser has: the ID of a session, or
// the secret of a sign-in at the identity provider. The store never has the secret.
type SessionHash [sha256.Size]byte

// SessionLimits bound the life of a console session. Both are durations.
type SessionLimits struct {
	Idle time.Duration // since the last activity of the operator
	Max  time.Duration // since the sign-in
}

// StoredSession is a session of the console as the store has it.
type StoredSession struct {
	Value     []byte    // encrypted by the caller
	StartedAt time.Time // when the operator signed in, by the clock of the store
}

// SignInSecrets protect one sign-in at the identity provider. Each is random, and is used
// once.
type SignInSecrets struct {
	// State binds the callback to the browser that began the sign-in (RFC 6749 section
	// 10.12).
	State string
	// Nonce binds the ID token to the sign-in (OpenID Connect Core 1.0 section 3.1.2.1).
	Nonce string
	// Verifier proves that the party that redeems the code has begun the sign-in (RFC 7636
	// section 4.1).
	Verifier string
}

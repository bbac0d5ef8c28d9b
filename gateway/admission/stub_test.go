package admission

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"keyhole/gateway"
)

// aToken has the three parts of a JWT.
const aToken = "canary-header.canary-claims.canary-signature"

// stubVerifier returns the same answer for every token, and records the tokens.
type stubVerifier struct {
	actor gateway.Actor
	err   error
	asked []string
}

// Verify implements TokenVerifier.
func (f *stubVerifier) Verify(_ context.Context, token string) (*gateway.Actor, error) {
	f.asked = append(f.asked, token)
	if f.err != nil {
		return nil, f.err
	}
	actor := f.actor
	return &actor, nil
}

// bench is an Authenticator with a log and a clock that tests set.
type bench struct {
	*Authenticator

	log bytes.Buffer
	now time.Time
}

// newBench makes a bench with the keys "ops-key" and "reader-key".
func newBench(t *testing.T, tokens TokenVerifier, perMinute int) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	b.Authenticator = New(Options{
		Keys: []Key{
			{
				Name: "ops", SHA256: sha256.Sum256([]byte("ops-key")), Can: []gateway.Action{gateway.ActionIssue},
				Objects: []gateway.Pattern{"*"}, DisplayName: "Operations",
			},
			{Name: "reader", SHA256: sha256.Sum256([]byte("reader-key")), MaxExpiry: time.Hour},
		},
		Tokens: tokens, RequestsPerMinute: perMinute,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Now: func() time.Time { return b.now },
	})
	return b
}

// admit asks with a credential from an address.
func (b *bench) admit(t *testing.T, credential, peer string) (*gateway.Actor, Quota, error) {
	t.Helper()
	return b.Admit(t.Context(), Request{
		Authorization: []string{"Bearer " + credential}, Peer: netip.MustParseAddr(peer), Address: "recorded",
	})
}

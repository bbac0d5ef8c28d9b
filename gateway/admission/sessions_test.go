package admission

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
)

// A key begins a session, which admits the holder of the key until it is ended.
func TestSignInByKey(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	signedIn, err := b.SignIn(t.Context(), " ops-key\n", from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, active := range []bool{true, false} {
		session, err := b.Resume(t.Context(), signedIn.ID, from("192.0.2.1"), active)
		if err != nil || session.Actor.Name != "ops" || session.Actor.Address != "recorded" || session.ByProvider ||
			!session.EndsAt.Equal(b.bench.now.Add(12*time.Hour)) {
			t.Errorf("got %+v, %v", session, err)
		}
	}
	again, err := b.SignIn(t.Context(), "ops-key", from("192.0.2.1"))
	if err != nil || again.ID == signedIn.ID {
		t.Errorf("another sign-in: the same ID, or %v", err)
	}
	if err := b.End(t.Context(), signedIn.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Resume(t.Context(), signedIn.ID, from("192.0.2.1"), true); !errors.Is(err, ErrNoSession) {
		t.Errorf("an ended session: %v", err)
	}
}

// signIn signs in by the key of ops.
func (b *sessionBench) signIn(t *testing.T) *Session {
	t.Helper()
	session, err := b.SignIn(t.Context(), "ops-key", from("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// ended reports whether no session has the ID.
func (b *sessionBench) ended(t *testing.T, id string) bool {
	t.Helper()
	_, err := b.Resume(t.Context(), id, from("192.0.2.1"), true)
	return errors.Is(err, ErrNoSession)
}

// A wrong key is refused and counted. After 30 within a minute from one address, the answer
// does not tell whether the key was wrong. Tokens are no keys.
func TestSignInByWrongKey(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	b.bench.SetTokens(&stubVerifier{actor: gateway.Actor{Name: "oidc:ann"}})
	var err error
	for _, key := range []string{"", "wrong-canary", aToken, fmt.Sprintf("%x", sha256.Sum256([]byte("ops-key")))} {
		var refused *UnauthorizedError
		if _, err = b.SignIn(t.Context(), key, from("192.0.2.1")); !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	}
	for len(b.failed) <= gateway.MaxKeyFailures {
		_, err = b.SignIn(t.Context(), "wrong-canary", from("192.0.2.1"))
	}
	var limited *gateway.Error
	if !errors.As(err, &limited) || limited.Code != gateway.CodeRateLimited || limited.Wait <= 0 {
		t.Errorf("after %d failures: %v", len(b.failed), err)
	}
	if b.failed[0] != gateway.SignInByKey {
		t.Errorf("counted as %q", b.failed)
	}
	if strings.Contains(b.bench.log.String(), "canary") || !strings.Contains(b.bench.log.String(), "sign-in refused") {
		t.Errorf("the log is %s", b.bench.log.String())
	}
	if _, err := b.SignIn(t.Context(), "wrong", from("192.0.2.2")); codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("another address: %v", err)
	}
	b.signIn(t) // A right key from the address.
}

// An ID that no session has is refused, whatever its form. A chosen ID does not become one.
func TestForgedSessionIDs(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	id := b.signIn(t).ID
	other := newSecret()
	last := strings.IndexByte(base64URL, id[len(id)-1])
	for name, forged := range map[string]string{
		"empty": "", "cut short": id[:len(id)-1], "longer": id + "A", "with padding": id + "=", "another": other.String(),
		"other case": strings.ToUpper(id), "a space": " " + id,
		"the hash":                      base64.RawURLEncoding.EncodeToString(hashOf(t, id)),
		"another text of the same bits": id[:len(id)-1] + string(base64URL[last+1]),
		"very long":                     strings.Repeat("A", 1<<16),
		"a NUL":                         id + "\x00", "two": id + id,
	} {
		if !b.ended(t, forged) {
			t.Errorf("%s: admitted", name)
		}
		if err := b.End(t.Context(), forged); err != nil {
			t.Errorf("%s: end: %v", name, err)
		}
	}
	if b.ended(t, id) {
		t.Error("the session itself has ended")
	}
}

// base64URL is the alphabet of RFC 4648 section 5.
const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// hashOf returns the hash of a session's ID.
func hashOf(t *testing.T, id string) []byte {
	t.Helper()
	secret, ok := parseSecret(id)
	if !ok {
		t.Fatalf("%d characters are no ID", len(id))
	}
	hash := secret.hash()
	return hash[:]
}

// The store gets neither the ID nor the name or key of the operator.
func TestStoreHasNoSecrets(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	session := b.signIn(t)
	id, _ := parseSecret(session.ID)
	sum := sha256.Sum256([]byte("ops-key"))
	for hash, stored := range b.store.sessions {
		for name, secret := range map[string][]byte{
			"the ID": id[:], "the ID as text": []byte(session.ID), "the hash of the key": sum[:], "the seed": session.seed,
			"a field": []byte("seed"), "the secret of a form": session.Secret("form"),
		} {
			if bytes.Contains(stored.Value, secret) || bytes.Equal(hash[:], secret) {
				t.Errorf("the store has %s", name)
			}
		}
	}
	for _, text := range []string{fmt.Sprint(session), fmt.Sprintf("%+v", session), b.bench.log.String()} {
		if strings.Contains(text, session.ID) {
			t.Errorf("%s shows the ID", text)
		}
	}
}

// A damaged value, one of another version or another session, and one without an operator
// admit nobody.
func TestUnreadableSessions(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	id, _ := parseSecret(b.signIn(t).ID)
	whole := b.store.sessions[id.hash()]
	flipped := bytes.Clone(whole.Value)
	flipped[len(flipped)-1] ^= 1
	sum := sha256.Sum256([]byte("ops-key"))
	for name, value := range map[string][]byte{
		"empty": nil, "cut short": whole.Value[:20],
		"without its end": whole.Value[:len(whole.Value)-1], "flipped": flipped,
		"of another session": newSecret().seal(purposeSession, &sessionRecord{Key: sum[:]}),
		"of another version": id.seal("session/2", &sessionRecord{Key: sum[:]}),
		"a sign-in":          id.seal(purposeSignIn, &sessionRecord{Key: sum[:]}),
		"no operator":        id.seal(purposeSession, &sessionRecord{}),
		"half a key":         id.seal(purposeSession, &sessionRecord{Key: sum[:16]}),
		"no object":          id.seal(purposeSession, 7),
		"not encrypted":      []byte(`{"key":"","seed":""}`),
	} {
		b.store.sessions[id.hash()] = gateway.StoredSession{Value: value, StartedAt: whole.StartedAt}
		if !b.ended(t, id.String()) {
			t.Errorf("%s: admitted", name)
		}
	}
	b.store.sessions[id.hash()] = whole
	if b.ended(t, id.String()) {
		t.Error("the session as it was is refused: the test proves nothing")
	}
}

// A session ends with its key. Another key of the same name does not keep it, and the
// session does not come back with the key.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	session := b.signIn(t)
	before, after := Key{Name: "ops", SHA256: sha256.Sum256([]byte("ops-key"))}, Key{
		Name: "ops", SHA256: sha256.Sum256([]byte("next-key")), Can: []gateway.Action{gateway.ActionIssue},
	}
	b.bench.SetKeys([]Key{before, after})
	got, err := b.Resume(t.Context(), session.ID, from("192.0.2.1"), true)
	if err != nil || len(got.Actor.Can) != 0 {
		t.Errorf("with both keys, and fewer rights: %+v, %v", got, err)
	}
	b.bench.SetKeys([]Key{after})
	if !b.ended(t, session.ID) {
		t.Error("without the key: admitted")
	}
	b.bench.SetKeys([]Key{before})
	if !b.ended(t, session.ID) {
		t.Error("the key came back, and the session with it")
	}
}

// A session ends after its idle time and after its longest life. Only activity extends it,
// and the limits in force apply to sessions that exist.
func TestSessionLimits(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	step := func(d time.Duration) { b.bench.now = b.bench.now.Add(d) }
	resumed := func(id string, active bool) bool {
		_, err := b.Resume(t.Context(), id, from("192.0.2.1"), active)
		return err == nil
	}
	idle := b.signIn(t).ID
	step(29 * time.Minute)
	if !resumed(idle, false) {
		t.Error("ended before its idle time")
	}
	step(time.Minute)
	if resumed(idle, false) {
		t.Error("a refresh was activity")
	}
	busy := b.signIn(t).ID
	for range 24 {
		step(29 * time.Minute)
		if !resumed(busy, true) {
			t.Fatal("ended in spite of activity")
		}
	}
	step(25 * time.Minute) // 12 h 1 min
	if resumed(busy, true) {
		t.Error("not ended after its longest life")
	}
	lowered := b.signIn(t).ID
	step(10 * time.Minute)
	b.SetLimits(5*time.Minute, time.Hour)
	if resumed(lowered, true) {
		t.Error("the lower limit does not apply")
	}
}

// Requests of a session count for the rate limit of its operator.
func TestSessionRates(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	b.bench.rates.limit = 2
	session := b.signIn(t)
	if got, err := b.Resume(t.Context(), session.ID, from("192.0.2.1"), true); err != nil || got.Quota.Remaining != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	got, err := b.Resume(t.Context(), session.ID, from("192.0.2.1"), true)
	if codeOf(err) != gateway.CodeRateLimited || got == nil || got.Actor.Name != "ops" {
		t.Errorf("over the limit: %+v, %v", got, err)
	}
	if _, err := b.SignIn(t.Context(), "ops-key", from("192.0.2.1")); codeOf(err) != gateway.CodeRateLimited {
		t.Errorf("another sign-in: %v", err)
	}
}

// A request that makes several links counts once for each.
func TestSessionCharge(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	b.bench.rates.limit = 10
	session := b.signIn(t) // counts once
	if err := b.Charge(session, 9); err != nil {
		t.Fatalf("within the limit: %v", err)
	}
	if err := b.Charge(session, 1); codeOf(err) != gateway.CodeRateLimited {
		t.Errorf("over the limit: %v", err)
	}
	if err := b.Charge(session, 10); codeOf(err) != gateway.CodeInvalid {
		t.Errorf("more than the limit ever allows: %v", err)
	}
}

// Without an answer of the store, nobody is admitted and no end is acknowledged.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	for want, err := range map[gateway.Code]error{
		gateway.CodeUnavailable:  gateway.ErrUnavailable,
		gateway.CodeNotConfirmed: fmt.Errorf("%w: %w", gateway.ErrUnavailable, gateway.ErrNotConfirmed),
	} {
		b := newSessionBench(t, nil)
		id := b.signIn(t).ID
		b.store.err = err
		_, signIn := b.SignIn(t.Context(), "ops-key", from("192.0.2.1"))
		_, resumed := b.Resume(t.Context(), id, from("192.0.2.1"), true)
		for name, got := range map[string]error{"sign in": signIn, "resume": resumed, "end": b.End(t.Context(), id)} {
			if codeOf(got) != want || errors.Is(got, ErrNoSession) {
				t.Errorf("%s: got %v, want %s", name, got, want)
			}
		}
		if len(b.failed) != 0 {
			t.Errorf("counted as wrong keys: %q", b.failed)
		}
	}
}

// A session returns the same secret for a purpose, and no other session and purpose has it.
func TestSessionSecret(t *testing.T) {
	t.Parallel()
	b := newSessionBench(t, nil)
	first, second := b.signIn(t), b.signIn(t)
	again, err := b.Resume(t.Context(), first.ID, from("192.0.2.1"), true)
	if err != nil || !bytes.Equal(again.Secret("form"), first.Secret("form")) || len(first.Secret("form")) != 32 {
		t.Errorf("the secret changed, or %v", err)
	}
	if bytes.Equal(first.Secret("form"), first.Secret("passphrase")) ||
		bytes.Equal(first.Secret("form"), second.Secret("form")) {
		t.Error("two purposes or two sessions have one secret")
	}
}

package admission

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"keyhole/gateway"
)

// codeOf returns the code of a gateway.Error, "" for any other error and for nil.
func codeOf(err error) gateway.Code {
	if known, ok := errors.AsType[*gateway.Error](err); ok {
		return known.Code
	}
	return ""
}

// Each key admits its own holder with the rights of the key.
func TestKeyHolders(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, 0)
	for credential, want := range map[string]gateway.Actor{
		"ops-key": {
			Name: "ops", DisplayName: "Operations", Can: []gateway.Action{gateway.ActionIssue},
			Objects: []gateway.Pattern{"*"}, Address: "recorded",
		},
		"reader-key": {Name: "reader", MaxExpiry: time.Hour, Address: "recorded"},
	} {
		actor, quota, err := b.admit(t, credential, "192.0.2.1")
		if err != nil || !reflect.DeepEqual(*actor, want) || quota != (Quota{}) {
			t.Errorf("%s: got %+v, %+v, %v; want %+v", credential, actor, quota, err, want)
		}
	}
}

// A request without one bearer credential gets a challenge without an error; a wrong key
// gets one with an error. No answer repeats the credential.
func TestUnauthorized(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		headers   []string
		challenge string
	}{
		"no header":   {nil, `Bearer realm="keyhole"`},
		"two headers": {[]string{"Bearer ops-key", "Bearer ops-key"}, `Bearer realm="keyhole"`},
		"basic":       {[]string{"Basic ops-key"}, `Bearer realm="keyhole"`},
		"wrong key": {
			[]string{"Bearer wrong-canary"},
			`Bearer realm="keyhole", error="invalid_token", error_description="unknown operator key"`,
		},
		"the hash of a key": {
			[]string{fmt.Sprintf("Bearer %x", sha256.Sum256([]byte("ops-key")))},
			`Bearer realm="keyhole", error="invalid_token", error_description="unknown operator key"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil, 0)
			actor, _, err := b.Admit(t.Context(), Request{Authorization: tt.headers})
			refused, ok := errors.AsType[*UnauthorizedError](err)
			if actor != nil || !ok || refused.Challenge != tt.challenge || codeOf(err) != gateway.CodeUnauthorized {
				t.Fatalf("got %v, %v", actor, err)
			}
			if strings.Contains(err.Error()+refused.Challenge+b.log.String(), "canary") {
				t.Errorf("the credential is repeated: %v, %s, %s", err, refused.Challenge, b.log.String())
			}
		})
	}
}

// The verifier sees only credentials with three parts that are no key, and its answer
// decides.
func TestTokenHolders(t *testing.T) {
	t.Parallel()
	verifier := &stubVerifier{actor: gateway.Actor{Name: "oidc:ann", Token: true, Grant: "auditors"}}
	b := newBench(t, verifier, 0)
	for _, credential := range []string{"ops-key", "a.b", "a.b.c.d", "plain"} {
		if actor, _, err := b.admit(t, credential, "192.0.2.1"); (err == nil) != (credential == "ops-key") {
			t.Errorf("%s: got %v, %v", credential, actor, err)
		}
	}
	if len(verifier.asked) != 0 {
		t.Errorf("the verifier was asked for %q", verifier.asked)
	}
	actor, _, err := b.admit(t, aToken, "192.0.2.1")
	if err != nil || actor.Name != "oidc:ann" || actor.Grant != "auditors" || actor.Address != "recorded" {
		t.Errorf("a token: got %+v, %v", actor, err)
	}
}

// An unreachable provider is no refusal of the token. Unknown errors of the verifier refuse
// the token. The log gets the cause, never the token.
func TestVerifierErrors(t *testing.T) {
	t.Parallel()
	unavailable := fmt.Errorf("%w: connection refused", gateway.ErrUnavailable)
	for name, tt := range map[string]struct {
		err    error
		code   gateway.Code
		detail string
		logged string
	}{
		"unreachable": {unavailable, gateway.CodeUnavailable, "unreachable", ""},
		"another issuer": {
			fmt.Errorf("%w: %w", unavailable, gateway.ErrIssuer), gateway.CodeUnavailable,
			"operator.oidc.issuer", "",
		},
		"expired": {
			&gateway.TokenError{Reason: gateway.TokenExpired, Err: errors.New("the cause")},
			gateway.CodeUnauthorized, "the token has expired", "reason=expired error=\"the cause\"",
		},
		"unknown": {errors.New("the cause"), gateway.CodeUnauthorized, "not a valid token", "error=\"the cause\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, &stubVerifier{err: tt.err}, 0)
			_, _, err := b.admit(t, aToken, "192.0.2.1")
			known, ok := errors.AsType[*gateway.Error](err)
			if !ok || known.Code != tt.code || !strings.Contains(known.Message, tt.detail) ||
				strings.Contains(known.Message, "cause") {
				t.Errorf("got %v, want %s with %q", err, tt.code, tt.detail)
			}
			if log := b.log.String(); !strings.Contains(log, tt.logged) || strings.Contains(log, "canary") {
				t.Errorf("the log is %q, want %q", log, tt.logged)
			}
		})
	}
}

// One address gets 30 refusals in a minute and then only the limit. A right key from the
// address, and wrong keys from other addresses, are not limited.
func TestFailureLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, 0)
	for i := range gateway.MaxKeyFailures {
		if _, _, err := b.admit(t, "wrong", "192.0.2.1"); codeOf(err) != gateway.CodeUnauthorized {
			t.Fatalf("failure %d: %v", i+1, err)
		}
	}
	_, _, err := b.admit(t, "wrong", "192.0.2.1")
	if known, ok := errors.AsType[*gateway.Error](err); !ok || known.Code != gateway.CodeRateLimited || known.Wait <= 0 {
		t.Errorf("after %d failures: %v", gateway.MaxKeyFailures, err)
	}
	if _, _, err := b.admit(t, "ops-key", "192.0.2.1"); err != nil {
		t.Errorf("a right key from the address: %v", err)
	}
	if _, _, err := b.admit(t, "wrong", "192.0.2.2"); codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("another address: %v", err)
	}
	b.now = b.now.Add(2 * time.Minute)
	if _, _, err := b.admit(t, "wrong", "192.0.2.1"); codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("two minutes later: %v", err)
	}
}

// Tokens that the provider signed are no guesses, however often they come. Everything else
// that claims to be a token counts as a wrong key.
func TestSignedTokensAreNoFailures(t *testing.T) {
	t.Parallel()
	for reason, want := range map[gateway.TokenReason]gateway.Code{
		gateway.TokenExpired: gateway.CodeUnauthorized, gateway.TokenAudience: gateway.CodeUnauthorized,
		gateway.TokenSignature: gateway.CodeRateLimited, gateway.TokenMalformed: gateway.CodeRateLimited,
	} {
		b := newBench(t, &stubVerifier{err: &gateway.TokenError{Reason: reason, Err: errors.New("x")}}, 0)
		var last error
		for range gateway.MaxKeyFailures + 1 {
			_, _, last = b.admit(t, aToken, "192.0.2.1")
		}
		if codeOf(last) != want {
			t.Errorf("%s: the last of many answers is %v, want %s", reason, last, want)
		}
	}
}

// SetKeys and SetTokens take effect with the next request.
func TestReload(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, 0)
	if _, _, err := b.admit(t, aToken, "192.0.2.1"); !strings.Contains(fmt.Sprint(err), "accepts no tokens") {
		t.Errorf("without a provider: %v", err)
	}
	b.SetTokens(&stubVerifier{actor: gateway.Actor{Name: "oidc:ann"}})
	if _, _, err := b.admit(t, aToken, "192.0.2.1"); err != nil {
		t.Errorf("with a provider: %v", err)
	}
	b.SetTokens(nil)
	if _, _, err := b.admit(t, aToken, "192.0.2.1"); codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("the provider was removed: %v", err)
	}
	b.SetKeys([]Key{{Name: "new", SHA256: sha256.Sum256([]byte("new-key"))}})
	if actor, _, err := b.admit(t, "new-key", "192.0.2.1"); err != nil || actor.Name != "new" {
		t.Errorf("a new key: %+v, %v", actor, err)
	}
	if _, _, err := b.admit(t, "ops-key", "192.0.2.1"); codeOf(err) != gateway.CodeUnauthorized {
		t.Errorf("a removed key: %v", err)
	}
}

// Keys are replaced while requests are admitted; each request gets the old keys or the new
// ones. The race detector watches.
func TestReloadWhileAdmitting(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, 0)
	var both sync.WaitGroup
	both.Go(func() {
		for range 200 {
			b.SetKeys([]Key{{Name: "ops", SHA256: sha256.Sum256([]byte("ops-key"))}})
			b.SetTokens(nil)
		}
	})
	both.Go(func() {
		for range 200 {
			if actor, _, err := b.admit(t, "ops-key", "192.0.2.1"); err != nil || actor.Name != "ops" {
				t.Errorf("got %+v, %v", actor, err)
			}
		}
	})
	both.Wait()
}

// A request over the limit is refused together with its operator and quota, so that the
// log can name the operator.
func TestAdmitOverTheRate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, 1)
	if _, quota, err := b.admit(t, "ops-key", "192.0.2.1"); err != nil || quota.Limit != 1 || quota.Remaining != 0 {
		t.Fatalf("the first request: %+v, %v", quota, err)
	}
	actor, quota, err := b.admit(t, "ops-key", "192.0.2.1")
	if codeOf(err) != gateway.CodeRateLimited || actor == nil || actor.Name != "ops" || quota.Limit != 1 {
		t.Errorf("the second request: %+v, %+v, %v", actor, quota, err)
	}
	if _, quota, err := b.admit(t, "wrong", "192.0.2.1"); codeOf(err) != gateway.CodeUnauthorized || quota != (Quota{}) {
		t.Errorf("a wrong key: %+v, %v", quota, err)
	}
}

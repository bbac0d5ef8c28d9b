package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"keyhole/gateway"
)

// stubTokens gives every token the same answer.
type stubTokens struct {
	actor gateway.Actor
	err   error
}

// Verify implements admission.TokenVerifier.
func (f stubTokens) Verify(context.Context, string) (*gateway.Actor, error) {
	actor := f.actor
	return &actor, f.err
}

const aToken = "canary-header.canary-claims.canary-signature"

// The answer and the challenge tell the holder of a token why it is refused.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	because := func(reason gateway.TokenReason) error {
		return &gateway.TokenError{Reason: reason, Err: errors.New("x")}
	}
	away := fmt.Errorf("%w: the issuer is silent", gateway.ErrUnavailable)
	for name, tt := range map[string]struct {
		err    error
		status int
		detail string
	}{
		"expired":            {because(gateway.TokenExpired), 401, "the token has expired"},
		"too early":          {because(gateway.TokenNotYet), 401, "the token is not valid yet"},
		"for another":        {because(gateway.TokenAudience), 401, "another audience"},
		"of another client":  {because(gateway.TokenClient), 401, "a client that this service does not accept"},
		"of another issuer":  {because(gateway.TokenIssuer), 401, "another issuer"},
		"not signed":         {because(gateway.TokenSignature), 401, "not signed by a key"},
		"of a logout":        {because(gateway.TokenKind), 401, "neither an access token nor an ID token"},
		"of nobody":          {because(gateway.TokenNoName), 401, "does not name its holder"},
		"no token":           {because(gateway.TokenMalformed), 401, "not a valid token"},
		"for another reason": {errors.New("x"), 401, "not a valid token"},
		"away":               {away, 503, "unreachable; try again"},
		"another provider":   {fmt.Errorf("%w: %w", away, gateway.ErrIssuer), 503, "correct the configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.operators.SetTokens(stubTokens{err: tt.err})
			a := ask(b.api.Operator(), "GET", "/api/v1/links", "", "Authorization", "Bearer "+aToken)
			if a.status != tt.status || !strings.Contains(a.problem(t).Detail, tt.detail) {
				t.Errorf("got %d %s, want %d with %q", a.status, a.body, tt.status, tt.detail)
			}
			want := ""
			if tt.status == 401 {
				want = `Bearer realm="keyhole"` + `, error="invalid_token", error_description="` + a.problem(t).Detail + `"`
			}
			if got := a.header.Get("WWW-Authenticate"); got != want {
				t.Errorf("the challenge is %q, want %q", got, want)
			}
			if strings.Contains(a.body+b.log.String(), "canary") {
				t.Errorf("the token is in the answer or in the log: %s %s", a.body, b.log)
			}
		})
	}
}

// A holder of an expired token gets the reason each time. A token without a valid signature
// may be a guess and counts as a failure.
func TestExpiredTokensAreNoFailures(t *testing.T) {
	t.Parallel()
	for reason, want := range map[gateway.TokenReason]int{gateway.TokenExpired: 401, gateway.TokenSignature: 429} {
		b := newBench(t, nil)
		b.operators.SetTokens(stubTokens{err: &gateway.TokenError{Reason: reason, Err: errors.New("x")}})
		operator := b.api.Operator()
		var last answer
		for range gateway.MaxKeyFailures + 1 {
			last = ask(operator, "GET", "/api/v1/links", "", "Authorization", "Bearer "+aToken)
		}
		if last.status != want {
			t.Errorf("%s: the last of many answers is %d, want %d", reason, last.status, want)
		}
	}
}

// Without a provider, a token gets another answer than a wrong key.
func TestTokenWithoutAProvider(t *testing.T) {
	t.Parallel()
	a := ask(newBench(t, nil).api.Operator(), "GET", "/api/v1/links", "", "Authorization", "Bearer "+aToken)
	if a.status != 401 || !strings.Contains(a.problem(t).Detail, "accepts no tokens") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// The refusal of an action names the grant of the token, not the can of a key.
func TestForbiddenTokens(t *testing.T) {
	t.Parallel()
	auditor := gateway.Actor{Name: "oidc:bob", Token: true, Grant: "auditors", Can: []gateway.Action{gateway.ActionBrowse}}
	for name, tt := range map[string]struct {
		actor gateway.Actor
		text  string
	}{
		"no grant":      {gateway.Actor{Name: "oidc:b", Token: true}, "this token matches no grant of operator.oidc.grants"},
		"another grant": {auditor, `the grant auditors of this token may not read; it needs "read" in its can`},
	} {
		b := newBench(t, nil)
		b.operators.SetTokens(stubTokens{actor: tt.actor})
		a := ask(b.api.Operator(), "GET", "/api/v1/links", "", "Authorization", "Bearer "+aToken)
		if p := a.problem(t); a.status != 403 || p.Code != "forbidden" || !strings.Contains(p.Detail, tt.text) {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
}

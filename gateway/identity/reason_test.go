package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
	"keyhole/gateway/identity/issuertest"
)

// reasonOf returns the reason of a TokenError, or "" for another error.
func reasonOf(err error) gateway.TokenReason {
	var refused *gateway.TokenError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// Each refused token has a reason that tells the client what to change.
func TestReasons(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p, c := f.provider, f.clock
	now := c.now()
	with := func(over map[string]any) string {
		return f.token(t, over)
	}
	parts := strings.Split(with(nil), ".")
	for name, tt := range map[string]struct {
		token string
		want  gateway.TokenReason
	}{
		"expired":            {with(map[string]any{"exp": now.Add(-time.Second).Unix()}), gateway.TokenExpired},
		"expired, by a part": {with(map[string]any{"exp": float64(now.UnixMilli()-1) / 1000}), gateway.TokenExpired},
		"another audience":   {with(map[string]any{"aud": []string{"other", "third"}}), gateway.TokenAudience},
		"no audience":        {with(map[string]any{"aud": nil}), gateway.TokenAudience},
		"a number for one":   {with(map[string]any{"aud": 7}), gateway.TokenAudience},
		"not valid yet":      {with(map[string]any{"nbf": now.Add(time.Hour).Unix()}), gateway.TokenNotYet},
		"another issuer":     {with(map[string]any{"iss": "https://evil.example"}), gateway.TokenIssuer},
		"no issuer":          {with(map[string]any{"iss": nil}), gateway.TokenIssuer},
		"the issuer, but /":  {with(map[string]any{"iss": f.issuer.URL + "/"}), gateway.TokenIssuer},
		"a stranger's key": {
			issuertest.Sign(t, jose.RS256, stranger, "r", f.issuer.Claims(now, nil)), gateway.TokenSignature,
		},
		"an expired one of a stranger": {
			issuertest.Sign(t, jose.RS256, stranger, "r", f.issuer.Claims(now, map[string]any{"exp": 1})),
			gateway.TokenSignature,
		},
		"of a logout": {
			issuertest.SignAs(t, "logout+jwt", jose.RS256, f.key, "r", f.issuer.Claims(now, nil)), gateway.TokenKind,
		},
		"of nobody":        {with(map[string]any{"sub": nil}), gateway.TokenNoName},
		"without an end":   {with(map[string]any{"exp": nil}), gateway.TokenMalformed},
		"an end in words":  {with(map[string]any{"exp": "tomorrow"}), gateway.TokenMalformed},
		"a start in words": {with(map[string]any{"nbf": "today"}), gateway.TokenMalformed},
		"no token":         {"a.b.c", gateway.TokenMalformed},
		"no signature":     {parts[0] + "." + parts[1] + ".", gateway.TokenSignature},
		"no claims":        {issuertest.Sign(t, jose.RS256, f.key, "r", nil), gateway.TokenIssuer},
	} {
		_, err := p.Verify(t.Context(), tt.token)
		if got := reasonOf(err); got != tt.want || !errors.Is(err, ErrToken) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
		for _, part := range strings.Split(tt.token, ".") {
			if len(part) > 8 && strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error has a part of the token: %v", name, err)
			}
		}
	}
	for name, over := range map[string]map[string]any{
		"ends now":         {"exp": now.Unix()},
		"ends by a text":   {"exp": "33000000000"},
		"begins soon":      {"nbf": now.Add(nbfLeeway).Unix()},
		"begins at a part": {"nbf": float64(now.UnixMilli()-1) / 1000},
	} {
		if _, err := p.Verify(t.Context(), with(over)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A slash at the end of the configured issuer makes no difference. Tokens must name the
// issuer exactly as its discovery document does.
func TestIssuerSlash(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ configured, own, token, want string }{
		"the provider has one":           {"", "/", "/", ""},
		"the configuration has one":      {"/", "", "", ""},
		"both":                           {"/", "/", "/", ""},
		"the token has none":             {"", "/", "", "other_issuer"},
		"the token has one":              {"/", "", "/", "other_issuer"},
		"the token has two":              {"/", "/", "//", "other_issuer"},
		"the provider is another":        {"", "/realms/other", "", "away"},
		"the provider's token, of other": {"", "/realms/other", "/realms/other", "other_issuer"},
	} {
		i := issuertest.Start(t)
		key := i.AddRSA(t, "r")
		own := i.URL + tt.own
		i.Name.Store(&own)
		p, c := newProviderOf(i.URL + tt.configured)
		claims := i.Claims(c.now(), map[string]any{"iss": i.URL + tt.token})
		_, err := p.Verify(t.Context(), issuertest.Sign(t, jose.RS256, key, "r", claims))
		got := string(reasonOf(err))
		if errors.Is(err, gateway.ErrUnavailable) && errors.Is(err, gateway.ErrIssuer) && strings.Contains(err.Error(), own) {
			got = "away"
		}
		if got != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// A grant finds a claim by its path, whose names may contain dots, and finds one scope in
// a text with several scopes.
func TestClaims(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	app := map[string]any{"my.app": map[string]any{"roles": []string{"x"}}}
	access := map[string]any{"resource_access": app}
	for name, tt := range map[string]struct {
		claim  []string
		claims map[string]any
		want   bool
	}{
		"dots in an object":      {[]string{"resource_access", "my.app", "roles"}, access, true},
		"dots, as they come":     {[]string{"resource_access", "my", "app", "roles"}, access, false},
		"dots at the end":        {[]string{"a", "b", "c"}, map[string]any{"a": map[string]any{"b.c": "x"}}, true},
		"one whole name":         {[]string{"https://e.example/x"}, map[string]any{"https://e.example/x": "x"}, true},
		"scope":                  {[]string{"scope"}, map[string]any{"scope": "openid x email"}, true},
		"scp":                    {[]string{"scp"}, map[string]any{"scp": "x"}, true},
		"scp, a list":            {[]string{"scp"}, map[string]any{"scp": []string{"openid", "x"}}, true},
		"scope, a part of one":   {[]string{"scope"}, map[string]any{"scope": "openid xy"}, false},
		"another text of words":  {[]string{"groups"}, map[string]any{"groups": "openid x"}, false},
		"scope within an object": {[]string{"a", "scope"}, map[string]any{"a": map[string]any{"scope": "openid x"}}, false},
	} {
		p, _ := newProvider(f.issuer)
		p.o.Grants = []Grant{{Name: "g", Claim: tt.claim, Value: "x", Can: []gateway.Action{gateway.ActionRead}}}
		over := map[string]any{"groups": nil}
		for claim, value := range tt.claims {
			over[claim] = value
		}
		actor, err := p.Verify(t.Context(), f.token(t, over))
		if err != nil || (len(actor.Can) == 1) != tt.want || (actor.Grant == "g") != tt.want || !actor.Token {
			t.Errorf("%s: got %+v, %v; want it to be found: %v", name, actor, err, tt.want)
		}
	}
}

// TestValuesOf finds the values of a claim: by its whole name before a path into objects.
func TestValuesOf(t *testing.T) {
	t.Parallel()
	claims := map[string]any{
		"a.b": "whole", "a": map[string]any{"b": "inside", "c": []any{"x", 7, "y"}, "d.e": "dotted"},
		"scope": "read write", "n": 7,
	}
	for path, want := range map[string]string{
		"a.b": "whole", "a.c": "x y", "a.d.e": "dotted", "scope": "read write read write", "n": "", "a.z": "", "z.b": "",
		"a": "", "n.b": "",
	} {
		if got := strings.Join(valuesOf(claims, strings.Split(path, ".")), " "); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// A token may have been issued to any client, unless the configuration names some.
func TestAuthorizedParties(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	several := []string{"keyhole", "cli"}
	for name, tt := range map[string]struct {
		parties []string
		over    map[string]any
		want    gateway.TokenReason
	}{
		"any":                       {nil, map[string]any{"azp": "other"}, ""},
		"the client itself":         {[]string{"cli"}, map[string]any{"azp": "cli"}, ""},
		"another":                   {[]string{"cli"}, map[string]any{"azp": "other"}, gateway.TokenClient},
		"another, for several":      {[]string{"cli"}, map[string]any{"azp": "other", "aud": several}, gateway.TokenClient},
		"as RFC 9068 has it":        {[]string{"cli"}, map[string]any{"client_id": "cli"}, ""},
		"another, as RFC 9068":      {[]string{"cli"}, map[string]any{"client_id": "other"}, gateway.TokenClient},
		"azp before client_id":      {[]string{"cli"}, map[string]any{"client_id": "cli", "azp": "x"}, gateway.TokenClient},
		"azp that is no text":       {[]string{"cli"}, map[string]any{"client_id": "cli", "azp": 7}, gateway.TokenClient},
		"nothing, for one audience": {[]string{"keyhole"}, nil, ""},
		"nothing, and not accepted": {[]string{"cli"}, nil, gateway.TokenClient},
		"nothing, for several":      {[]string{"keyhole"}, map[string]any{"aud": several}, gateway.TokenClient},
	} {
		p, _ := newProvider(f.issuer)
		p.o.AuthorizedParties = tt.parties
		_, err := p.Verify(t.Context(), f.token(t, tt.over))
		if got := reasonOf(err); got != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

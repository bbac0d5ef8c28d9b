package admission

import (
	"regexp"
	"strings"
	"testing"

	"keyhole/gateway"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer k": "k", "bearer k": "k", "BEARER k": "k", "Bearer   k": "k", "Bearer k, Bearer l": "k, Bearer l",
		"": "", "Bearer": "", "Bearer ": "", "Bearer    ": "", "Bearer\tk": "", "Basic k": "", "k": "", " Bearer k": "",
	} {
		got, ok := Bearer([]string{header})
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v, want %q", header, got, ok, want)
		}
	}
	for _, headers := range [][]string{nil, {}, {"Bearer k", "Bearer k"}, {"Bearer k", ""}} {
		if got, ok := Bearer(headers); ok {
			t.Errorf("%q: got %q", headers, got)
		}
	}
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer k", "Bearer", "bearer  a b", "Basic k", "\x00", "Bearer \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		credential, ok := Bearer([]string{header})
		if ok && (credential == "" || !strings.HasSuffix(header, credential) || !strings.EqualFold(header[:7], "Bearer ")) {
			t.Errorf("%q: got %q", header, credential)
		}
	})
}

// The details of refused tokens fit between the quotes of a header, RFC 6750 section 3, and
// each reason has its own.
func TestTokenDetailsFitIntoAHeader(t *testing.T) {
	t.Parallel()
	fits := regexp.MustCompile(`^[\x20\x21\x23-\x5b\x5d-\x7e]+$`)
	seen := map[string]bool{}
	for _, reason := range []gateway.TokenReason{
		gateway.TokenMalformed, gateway.TokenKind, gateway.TokenIssuer, gateway.TokenSignature, gateway.TokenExpired,
		gateway.TokenNotYet, gateway.TokenAudience, gateway.TokenClient, gateway.TokenNoName,
	} {
		text := tokenDetail(reason)
		if !fits.MatchString(text) || seen[text] {
			t.Errorf("%s: %q does not fit, or is another's too", reason, text)
		}
		seen[text] = true
	}
}

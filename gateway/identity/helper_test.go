package identity

import (
	"crypto/rsa"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyhole/gateway"
	"keyhole/gateway/identity/issuertest"
)

// clock is a clock that the test sets.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.Load()) }
func (c *clock) advance(d time.Duration) { c.Add(int64(d)) }

// newProvider returns a provider that trusts the issuer, with a clock of its own.
func newProvider(i *issuertest.Issuer) (*Provider, *clock) { return newProviderOf(i.URL) }

// newProviderOf returns a provider that trusts the issuer with that name.
func newProviderOf(name string) (*Provider, *clock) {
	c := &clock{}
	c.Store(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return New(Options{
		Issuer: name, Audience: issuertest.Audience, NameClaim: "sub", Now: c.now,
		Grants: []Grant{
			{
				Name: "sharers", DisplayName: "Finance", Claim: []string{"groups"}, Value: "sharers",
				Can: []gateway.Action{gateway.ActionIssue}, Objects: []gateway.Pattern{"reports/*"}, MaxExpiry: time.Hour,
			},
			{
				Name: "auditors", Claim: []string{"realm_access", "roles"}, Value: "auditor",
				Can: []gateway.Action{gateway.ActionRead}, Objects: []gateway.Pattern{"*"},
			},
			{
				Name: "dotted", Claim: []string{"https://example", "com/role"}, Value: "x",
				Can: []gateway.Action{gateway.ActionBrowse}, Objects: []gateway.Pattern{"*"},
			},
		},
	}), c
}

// fixture is an issuer with one RSA key, whose ID is r, and a provider that trusts it.
type fixture struct {
	issuer   *issuertest.Issuer
	key      *rsa.PrivateKey
	provider *Provider
	clock    *clock
}

// newFixture starts an issuer that ends with the test.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	i := issuertest.Start(t)
	f := &fixture{issuer: i, key: i.AddRSA(t, "r")}
	f.provider, f.clock = newProvider(i)
	return f
}

// token returns a token that the issuer has signed, with the claims in over replaced.
func (f *fixture) token(t *testing.T, over map[string]any) string {
	t.Helper()
	return issuertest.Sign(t, jose.RS256, f.key, "r", f.issuer.Claims(f.clock.now(), over))
}

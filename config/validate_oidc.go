package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// oidc checks whose tokens admit operators.
func (k *checker) oidc(c *Config) {
	o := c.Operator.OIDC
	if o.Issuer == "" {
		if o.Audience != "" || o.CAFile != "" || len(o.Grants) > 0 {
			k.problem("operator.oidc.issuer", "is missing: without it no token admits anybody")
		}
		return
	}
	if why := issuerProblem(o.Issuer); why != "" {
		k.problem("operator.oidc.issuer", "%s", why)
	}
	if o.Audience == "" {
		k.problem("operator.oidc.audience", "is missing: say what the provider calls this service, or a token for any other would do")
	}
	if o.NameClaim == "" {
		k.problem("operator.oidc.name_claim", "is empty: name the claim that operators are called by, such as sub")
	}
	if len(o.Grants) == 0 {
		k.problem("operator.oidc.grants", "is missing: without one a token allows nothing")
	}
	names := map[string]int{}
	for i, g := range o.Grants {
		path := fmt.Sprintf("operator.oidc.grants[%d]", i)
		switch j, twice := names[g.Name]; {
		case !ValidKeyName(g.Name):
			k.problem(path+".name", "must be 1 to 63 letters, digits, dots, underscores or hyphens")
		case twice:
			k.problem(path+".name", "is the name of operator.oidc.grants[%d] too", j)
		default:
			names[g.Name] = i
		}
		if g.Claim == "" {
			k.problem(path+".claim", "is missing: name the claim, such as groups")
		}
		if g.Value == "" {
			k.problem(path+".value", "is missing: say what the claim must be, or have")
		}
		k.scope(path, g.Can, g.Objects, g.MaxExpiry)
		k.patterns(c, path+".objects", g.Objects)
	}
}

// issuerProblem says why a text names no issuer, or nothing. It is compared with
// what tokens say, so nothing of it is brought into another form.
func issuerProblem(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "", strings.ContainsAny(issuer, " \r\n\t?#"):
		return "must be a URL with a host and at most a path, as the provider's tokens have it"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "must begin with https://"
	}
	if addr, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && addr.IsLoopback() {
		return ""
	}
	return "must begin with https://: over http whoever is on the way makes the keys"
}

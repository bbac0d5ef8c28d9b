package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// oidc checks the provider and the permissions of its tokens.
func (k *checker) oidc(c *Config) {
	o := c.Operator.OIDC
	if o.Issuer == "" {
		if o.Audience != "" || len(o.AuthorizedParties) > 0 || o.CAFile != "" || len(o.Grants) > 0 || o.ClientID != "" {
			k.problem("operator.oidc.issuer", "is missing: without it no token is accepted")
		}
		return
	}
	if why := issuerProblem(o.Issuer); why != "" {
		k.problem("operator.oidc.issuer", "%s", why)
	}
	if o.Audience == "" {
		k.problem("operator.oidc.audience", "is missing: set the provider's name for this service, so that tokens for "+
			"other services are refused")
	}
	for i, party := range o.AuthorizedParties {
		path := fmt.Sprintf("operator.oidc.authorized_parties[%d]", i)
		switch {
		case party == "":
			k.problem(path, "is empty: set the ID of a client of the provider")
		case slices.Index(o.AuthorizedParties, party) < i:
			k.problem(path, "is listed twice")
		}
	}
	if o.NameClaim == "" {
		k.problem("operator.oidc.name_claim", "is empty: set the claim with the operator's name, such as sub")
	}
	if len(o.Grants) == 0 {
		k.problem("operator.oidc.grants", "is missing: without a grant, a token may do nothing")
	}
	k.oidcClient(o)
	names := map[string]int{}
	for i, g := range o.Grants {
		path := fmt.Sprintf("operator.oidc.grants[%d]", i)
		switch j, twice := names[g.Name]; {
		case !ValidKeyName(g.Name):
			k.problem(path+".name", "must be 1 to 63 letters, digits, dots, underscores or hyphens")
		case twice:
			k.problem(path+".name", "is also the name of operator.oidc.grants[%d]", j)
		default:
			names[g.Name] = i
		}
		if _, err := ClaimPath(g.Claim); err != nil {
			k.problem(path+".claim", "%s", err)
		}
		if g.Value == "" {
			k.problem(path+".value", "is missing: set the text that the claim must be equal to or contain")
		}
		k.displayName(path, g.DisplayName)
		k.scope(path, g.Can, g.Objects, g.MaxExpiry)
		k.patterns(c, path+".objects", g.Objects)
	}
}

// oidcClient checks the client that signs operators in to the console.
func (k *checker) oidcClient(o OIDC) {
	hasSecret := o.ClientSecretFile != "" || o.ClientSecret.Reveal() != ""
	k.together("operator.oidc", "client_id", "client_secret_file", o.ClientID != "", hasSecret)
	if hasControl(o.ClientID) {
		k.problem("operator.oidc.client_id", "contains a line break or another control character")
	}
}

// ClaimPath returns the names of the objects that contain a claim, the outermost first,
// and last the name of the claim. Dots separate the names. A name that contains dots is in
// double quotes; a backslash there escapes a quote or a backslash.
func ClaimPath(claim string) ([]string, error) {
	var names []string
	for rest := claim; ; {
		name, after, err := claimName(rest)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if after == "" {
			return names, nil
		}
		rest = after[1:]
	}
}

// claimName returns the first name of a path and the rest, which begins with a dot or is
// empty.
func claimName(path string) (name, rest string, err error) {
	if path == "" {
		return "", "", errors.New("is missing: name the claim, such as groups")
	}
	if path[0] != '"' {
		end := strings.IndexByte(path, '.')
		if end < 0 {
			end = len(path)
		}
		if end == 0 || strings.Contains(path[:end], `"`) {
			return "", "", errors.New(`must be names joined by dots, such as resource_access."my.app".roles`)
		}
		return path[:end], path[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '"' || path[i+1] == '\\'):
			i++
			b.WriteByte(path[i])
		case c != '"':
			b.WriteByte(c)
		case b.Len() == 0 || i+1 < len(path) && path[i+1] != '.':
			return "", "", errors.New(`must be names joined by dots, such as resource_access."my.app".roles`)
		default:
			return b.String(), path[i+1:], nil
		}
	}
	return "", "", errors.New("has an opening quote (\") without a closing one")
}

// issuerProblem returns why a text cannot be an issuer, or "". The issuer has no normal
// form as normalURL gives it, because it is compared with the text in tokens, byte for byte
// (OpenID Connect Core section 3.1.3.7). It may have a path.
func issuerProblem(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "",
		strings.ContainsAny(issuer, " \r\n\t?#"):
		return "must be a URL with a host and at most a path, exactly as in the provider's tokens"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "must begin with https://"
	}
	if addr, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "localhost" || err == nil && addr.IsLoopback() {
		return ""
	}
	return "must begin with https://: over http anyone on the network could replace the provider's keys"
}

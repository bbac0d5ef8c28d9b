package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

var (
	keyName   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)
	sha256Hex = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

// sha256OfNothing is the hash of an empty text. A script that hashes an unset variable
// prints it.
const sha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// ValidKeyName reports whether name is allowed for an operator key: 1 to 63 letters,
// digits, dots, underscores or hyphens.
func ValidKeyName(name string) bool { return keyName.MatchString(name) }

func (k *checker) public(p Public) {
	switch normal, err := normalURL(p.URL); {
	case p.URL == "":
		k.problem("public.url", "is missing: set the beginning of every link, such as https://dl.example.com")
	case err != nil:
		k.problem("public.url", "%s", err)
	case clearText(normal):
		k.warn(WarnHTTPPublicURL, "public.url", "links are sent unencrypted over http, and anyone who can read the "+
			"traffic can use them; use https")
	}
	k.trustedProxies("public.trusted_proxies", p.TrustedProxies)
	if p.MaxConnections < minConnections || p.MaxConnections > maxConnections {
		k.problem("public.max_connections", "must be %d to %d, not %d", minConnections, maxConnections, p.MaxConnections)
	}
	k.between("public.idle_timeout", p.IdleTimeout, time.Second, time.Hour)
	k.together("public.tls", "cert_file", "key_file", p.TLS.CertFile != "", p.TLS.KeyFile != "")
	k.acme(p)
}

// The limits of public.max_connections. With fewer than 10 connections, a tenth of them
// would be none.
const (
	minConnections = 10
	maxConnections = 1_000_000
)

// trustedProxies checks the proxies in front of one listener.
func (k *checker) trustedProxies(path string, listed []string) {
	seen := map[netip.Prefix]bool{}
	var proxies []netip.Prefix
	for i, s := range listed {
		path := fmt.Sprintf("%s[%d]", path, i)
		n, err := parseProxy(s)
		switch {
		case err != nil:
			k.problem(path, "%s", err)
		case seen[n]:
			k.problem(path, "%s is listed twice", quote(s))
		default:
			proxies = append(proxies, n)
		}
		seen[n] = true
	}
	k.proxyCoverage(path, proxies)
}

// parseProxy reads an address or a network of proxies. It refuses networks that are wider
// than every private network, because recipients in such a network could forge the
// address that Keyhole limits, accepts and records.
func parseProxy(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, errors.New("must not have a zone")
		}
		if a.IsUnspecified() {
			return netip.Prefix{}, fmt.Errorf("%s cannot be the address of a proxy", quote(s))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("must be an address or a network such as 10.0.0.0/8")
	}
	if a := n.Addr(); a.Is4In6() && n.Bits() >= 96 {
		n = netip.PrefixFrom(a.Unmap(), n.Bits()-96)
	}
	widest := 8
	if n.Addr().Is6() {
		widest = 7 // fc00::/7, the private networks of RFC 4193
	}
	if n.Bits() < widest {
		return netip.Prefix{}, fmt.Errorf("%s is too wide: list only your proxies, as networks of /%d or narrower",
			quote(s), widest)
	}
	if n != n.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s is an address inside a network; write the network as %s", quote(s), n.Masked())
	}
	return n, nil
}

// maxRequestsPerMinute is above the number of requests that one gateway can answer.
const maxRequestsPerMinute = 1_000_000

func (k *checker) operator(c *Config) {
	o := c.Operator
	if normal, err := normalURL(o.URL); err != nil {
		k.problem("operator.url", "%s", err)
	} else if clearText(normal) {
		k.warn(WarnHTTPOperatorURL, "operator.url", "operator keys are sent unencrypted over http; use https")
	}
	k.trustedProxies("operator.trusted_proxies", o.TrustedProxies)
	k.together("operator.tls", "cert_file", "key_file", o.TLS.CertFile != "", o.TLS.KeyFile != "")
	k.oidc(c)
	if o.RequestsPerMinute < 0 || o.RequestsPerMinute > maxRequestsPerMinute {
		k.problem("operator.requests_per_minute", "must be 1 to %d, or 0 for no limit, not %d", maxRequestsPerMinute,
			o.RequestsPerMinute)
	}
	if len(o.Keys) == 0 && o.OIDC.Issuer == "" {
		k.warn(WarnNoOperatorKeys, "operator.keys", "no operator can use the API; create a key with `keyhole key new`")
	}
	first := map[string]int{}
	for i, key := range o.Keys {
		path := fmt.Sprintf("operator.keys[%d]", i)
		k.operatorKey(path, key)
		hash := strings.ToLower(key.SHA256)
		if j, twice := first[hash]; twice && hash != "" {
			k.problem(path+".sha256", "is also the key of operator.keys[%d]; create another with `keyhole key new`", j)
		} else {
			first[hash] = i
		}
		k.patterns(c, path+".objects", key.Objects)
	}
}

// CheckOperatorKey returns the Problems of an entry of operator.keys, or nil. Their paths
// are the keys of the entry, such as can[0].
func CheckOperatorKey(key OperatorKey) error {
	k := &checker{}
	k.operatorKey("", key)
	k.patterns(&Config{}, ".objects", key.Objects)
	if len(k.problems) == 0 {
		return nil
	}
	for i := range k.problems {
		k.problems[i].Path = strings.TrimPrefix(k.problems[i].Path, ".")
	}
	return k.problems
}

func (k *checker) operatorKey(path string, key OperatorKey) {
	switch {
	case key.Name == "":
		k.problem(path+".name", "is missing: set the name of the key's owner")
	case !ValidKeyName(key.Name):
		k.problem(path+".name", "must be 1 to 63 letters, digits, dots, underscores or hyphens")
	}
	switch {
	case key.SHA256 == "":
		k.problem(path+".sha256", "is missing: `keyhole key new` prints it")
	case !sha256Hex.MatchString(key.SHA256):
		// The message does not show the value, because it may be the key itself by
		// mistake.
		k.problem(path+".sha256", "must be 64 hexadecimal digits, the SHA-256 of the key, as `keyhole key new` prints it")
	case strings.EqualFold(key.SHA256, sha256OfNothing):
		k.problem(path+".sha256", "is the SHA-256 of an empty key")
	}
	k.displayName(path, key.DisplayName)
	k.scope(path, key.Can, key.Objects, key.MaxExpiry)
}

// maxDisplayName is the longest display name in characters.
const maxDisplayName = 80

// displayName checks the name of a key's or grant's holder for recipients. A name that
// changes the reading direction could make one sender look like another. Of the invisible
// characters in Unicode's class Cf, only the two joiners are allowed, which Persian and
// Hindi need.
func (k *checker) displayName(path, name string) {
	at := path + ".display_name"
	refused := func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) ||
			r != '\u200c' && r != '\u200d' && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
	}
	switch n := utf8.RuneCountInString(name); {
	case n > maxDisplayName:
		k.problem(at, "has %d characters; the limit is %d", n, maxDisplayName)
	case strings.ContainsFunc(name, refused):
		k.problem(at, "must not have control characters or characters that change the reading direction")
	case name != "" && strings.Trim(name, " \u00a0\u200c\u200d") == "":
		k.problem(at, "must have a visible character; omit it for no display name")
	}
}

// scope checks the permissions of a key or a grant.
func (k *checker) scope(path string, actions, objects []string, maxExpiry time.Duration) {
	if len(actions) == 0 {
		k.problem(path+".can", "is missing: set at least one of issue, read, revoke, browse")
	}
	for i, can := range actions {
		at := fmt.Sprintf("%s.can[%d]", path, i)
		if k.oneOf(at, can, "issue", "read", "revoke", "browse") && slices.Index(actions, can) < i {
			k.problem(at, "%s is listed twice", can)
		}
	}
	if len(objects) == 0 {
		k.problem(path+".objects", "is empty, which allows no object: list patterns, or omit it to allow all objects")
	}
	if maxExpiry != 0 && maxExpiry < time.Second {
		k.problem(path+".max_expiry", "must be at least 1s, or 0s for no limit, not %s", durationText(maxExpiry))
	}
}

// listeners refuses invalid addresses, and two listeners with the same address.
func (k *checker) listeners(c *Config) {
	type listener struct{ path, host, port string }
	var valid []listener
	for _, l := range []struct{ path, address string }{
		{"public.listen", c.Public.Listen},
		{"operator.listen", c.Operator.Listen},
		{"metrics.listen", c.Metrics.Listen},
		{"public.redirect_listen", c.Public.RedirectListen},
	} {
		if l.address == "" && (l.path == "metrics.listen" || l.path == "public.redirect_listen") {
			continue
		}
		host, port, err := splitAddress(l.address, 0)
		if err == nil && host != "" && !validHost(host) {
			err = errHost
		}
		if err != nil {
			k.problem(l.path, "%s", err)
			continue
		}
		for _, other := range valid {
			if port == other.port && port != "0" && sameHost(host, other.host) {
				k.problem(l.path, "uses the same port as %s; give each its own port", other.path)
				break
			}
		}
		valid = append(valid, listener{l.path, host, port})
	}
}

// splitAddress splits host:port. It returns the port without leading zeros, so that two
// ports can be compared, and refuses a port below least.
func splitAddress(address string, least int) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", errors.New("must be host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || int(n) < least {
		return "", "", fmt.Errorf("must have a port between %d and 65535", least)
	}
	return host, strconv.FormatUint(n, 10), nil
}

// sameHost reports whether two listeners on one port would conflict: they have the same
// address, or one of them listens on every address, including the address of the other.
func sameHost(a, b string) bool {
	x, errX := listenAddr(a)
	y, errY := listenAddr(b)
	if errX != nil || errY != nil {
		return strings.EqualFold(a, b)
	}
	if x == y {
		return true
	}
	// The unspecified IPv6 address includes all IPv4 addresses.
	return x == netip.IPv6Unspecified() || y == netip.IPv6Unspecified() ||
		x == netip.IPv4Unspecified() && y.Is4() || y == netip.IPv4Unspecified() && x.Is4()
}

// listenAddr returns the address of a listener's host; no host means every interface.
func listenAddr(host string) (netip.Addr, error) {
	switch strings.ToLower(host) {
	case "":
		return netip.IPv6Unspecified(), nil
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, errors.New("a name")
	}
	return a.Unmap(), nil
}

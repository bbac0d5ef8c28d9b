package config

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// hostName matches host names. Unlike RFC 1123 it allows underscores, because names in
// container networks have them.
var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// normalise sets defaults that depend on other keys and brings values into one form. It
// leaves invalid values unchanged, and validate refuses them.
func (c *Config) normalise(stated func(path string) bool) {
	c.Public.URL = normalOr(c.Public.URL)
	c.Operator.URL = normalOr(c.Operator.URL)
	for i, host := range c.Operator.Hosts {
		if normal, err := normalConsoleHost(host); err == nil {
			c.Operator.Hosts[i] = normal
		}
	}
	for i, domain := range c.Public.TLS.ACME.Domains {
		if normal, err := normalHost(domain); err == nil {
			c.Public.TLS.ACME.Domains[i] = normal
		}
	}
	for i := range c.Storage {
		s := &c.Storage[i]
		s.Endpoint = normalOr(s.Endpoint)
		s.PublicEndpoint = normalOr(s.PublicEndpoint)
		if s.PublicEndpoint == "" {
			s.PublicEndpoint = s.Endpoint
		}
		if s.Region == "" && s.Endpoint != "" {
			// S3 servers other than AWS usually accept this region.
			s.Region = "us-east-1"
		}
	}
	// The default address is not that of a Redis which the service starts itself.
	if c.Redis.Mode == RedisLocal && !stated("redis.addresses") &&
		slices.Equal(c.Redis.Addresses, Default().Redis.Addresses) {
		c.Redis.Addresses = nil
	}
	for i := range c.Operator.Keys {
		c.Operator.Keys[i].SHA256 = strings.ToLower(c.Operator.Keys[i].SHA256)
	}
	c.Pages.AccentColor = strings.ToLower(c.Pages.AccentColor)
	if !within(c.Policy.MaxExpiry, minMaxExpiry, maxMaxExpiry) {
		return
	}
	// Defaults are shortened to the limit; validate refuses only values that were set.
	for _, limited := range c.Policy.caps() {
		if !stated(limited.path) {
			*limited.value = min(*limited.value, c.Policy.MaxExpiry)
		}
	}
	for _, preset := range c.Policy.presets() {
		if longest := min(preset.limit, c.Policy.MaxExpiry); !stated(preset.path) && longest >= minLife {
			*preset.value = min(*preset.value, longest)
		}
	}
}

// normalOr returns the normal form of a URL, or the URL itself if it is invalid.
func normalOr(raw string) string {
	if n, err := normalURL(raw); err == nil {
		return n
	}
	return raw
}

// normalURL returns the normal form of a base URL, in which it is compared, shown and
// signed: scheme and host in lower case, an international name in ASCII, no slash at the
// end, and no port that the scheme implies, because S3 clients leave that port out of the
// signed host. The error does not contain the URL, which may have a password. An empty
// URL stays empty.
//
// The signer checks the endpoint again with stricter rules, because other programs may use
// it without this package. This package repairs what has one meaning, such as port 0443,
// and each of its errors is about one mistake of the operator.
func normalURL(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	if hasControl(raw) {
		return "", errors.New("contains a line break or another control character")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil && !strings.Contains(raw, "://"), err == nil && u.Opaque != "", err == nil && u.Scheme == "":
		return "", errors.New("must begin with https:// or http://")
	case err != nil:
		return "", errors.New("is not a URL such as https://dl.example.com")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("must begin with https:// or http://")
	case u.User != nil:
		return "", errors.New("must not contain a user or a password")
	case u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("must not have a query (?)")
	case strings.Contains(raw, "#"):
		return "", errors.New("must not have a fragment (#)")
	case u.EscapedPath() != "" && u.EscapedPath() != "/":
		return "", errors.New("must not have a path")
	}
	host, err := normalHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port, err := normalPort(u.Scheme, u.Port())
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + host + port, nil
}

// errHost reports an invalid host. It does not contain the host, which may be a password.
var errHost = errors.New("has an invalid host: it must be a name or an IP address")

// normalHost returns the normal form of a host, with brackets around an IPv6 address.
func normalHost(host string) (string, error) {
	if host == "" {
		return "", errors.New("has no host")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return "", errors.New("must not have a zone in its address")
		}
		if a.Is6() {
			return "[" + a.String() + "]", nil
		}
		return a.String(), nil
	}
	// The profile for DNS lookups, except that it allows underscores.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))
	ascii, err := profile.ToASCII(host)
	if err != nil || !validHost(ascii) {
		return "", errHost
	}
	return ascii, nil
}

// validHost reports whether host is an address or a name. A name that ends in a number is
// invalid, because some resolvers read it as an address (127.1).
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	lower := strings.ToLower(host)
	last := lower[strings.LastIndexByte(lower, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil {
		return false
	}
	return hostName.MatchString(lower) && len(host) <= 253
}

// normalPort returns the port of a URL with its colon, or "" if the scheme implies it.
func normalPort(scheme, port string) (string, error) {
	if port == "" {
		return "", nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return "", errors.New("must have a port between 1 and 65535")
	}
	if scheme == "https" && n == 443 || scheme == "http" && n == 80 {
		return "", nil
	}
	return ":" + strconv.Itoa(n), nil
}

// clearText reports whether a URL in normal form is plain http to another machine.
func clearText(normal string) bool {
	u, err := url.Parse(normal)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil {
		return !a.Unmap().IsLoopback()
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost")
}

// hostIsAddress reports whether the host of a URL in normal form is an IP address.
func hostIsAddress(normal string) bool {
	u, err := url.Parse(normal)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil
}

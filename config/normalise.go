package config

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Underscores are no part of a host name by RFC 1123, but of names that
// container networks give.
var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// normalise fills in what depends on other keys and writes values in one form.
// What cannot be brought into it is left for validate to refuse.
func (c *Config) normalise(stated func(path string) bool) {
	c.Public.URL = normalOr(c.Public.URL)
	c.Operator.URL = normalOr(c.Operator.URL)
	for i := range c.Storage {
		s := &c.Storage[i]
		s.Endpoint = normalOr(s.Endpoint)
		s.PublicEndpoint = normalOr(s.PublicEndpoint)
		if s.PublicEndpoint == "" {
			s.PublicEndpoint = s.Endpoint
		}
		if s.Region == "" && s.Endpoint != "" {
			// What servers other than AWS take for granted.
			s.Region = "us-east-1"
		}
	}
	for i := range c.Operator.Keys {
		c.Operator.Keys[i].SHA256 = strings.ToLower(c.Operator.Keys[i].SHA256)
	}
	if !within(c.Policy.MaxExpiry, minMaxExpiry, maxMaxExpiry) {
		return
	}
	// Only what was asked for is refused; a default gives way to the cap.
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

func normalOr(raw string) string {
	if n, err := normalURL(raw); err == nil {
		return n
	}
	return raw
}

// normalURL brings a base URL into the one form in which it is compared, shown
// and signed: scheme and host in lower case, an international name in ASCII, no
// port that the scheme implies, because S3 clients leave it out of the signed
// host, and no slash at the end. The error does not repeat the URL, which may
// hold a password. "" is "".
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

// errHost means that a host is none. It is not repeated: it may be a password.
var errHost = errors.New("has a host that is neither a name nor an address")

// normalHost is a host as it stands in a URL.
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
	// The profile for looking names up, but with underscores.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))
	ascii, err := profile.ToASCII(host)
	if err != nil || !validHost(ascii) {
		return "", errHost
	}
	return ascii, nil
}

// validHost tells whether host is an address or a name. Names that end in a
// number are neither: some resolvers read them as addresses (127.1).
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

// clearText tells whether a URL in normal form is plain http to another machine.
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

// hostIsAddress tells whether the host of a URL in normal form is an IP address.
func hostIsAddress(normal string) bool {
	u, err := url.Parse(normal)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err == nil
}

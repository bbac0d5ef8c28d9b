package config

import (
	"cmp"
	"net"
	"net/netip"
	"time"
)

// Default is the configuration that an empty file stands for. It is not
// complete: public.url and a storage have no default.
func Default() *Config {
	return &Config{
		Public:   Public{Listen: ":8080"},
		Operator: Operator{Listen: "127.0.0.1:8081", RequestsPerMinute: 120_000, OIDC: OIDC{NameClaim: "sub"}},
		Redis: Redis{
			Mode:      "single",
			Addresses: []string{"127.0.0.1:6379"},
			Prefix:    "keyhole",
			Timeout:   500 * time.Millisecond,
		},
		Redirect: Redirect{
			Lifetime:      30 * time.Second,
			MediaLifetime: 30 * time.Second,
			ResumeWindow:  10 * time.Minute,
			ObjectCheck:   5 * time.Second,
		},
		Policy: Policy{
			MaxExpiry: 168 * time.Hour,
			Caps:      Caps{Sensitive: 24 * time.Hour, NotStated: 24 * time.Hour, NotSensitive: 168 * time.Hour},
			Retention: 720 * time.Hour,
			Presets: Presets{
				Handoff:         15 * time.Minute,
				Troubleshooting: time.Hour,
				Business:        24 * time.Hour,
				Extended:        168 * time.Hour,
			},
			SensitiveObjects: []string{"*/invoices/*"},
		},
		Audit: Audit{ClientAddress: "full", MaxEntries: 1_000_000},
		Log:   Log{Level: "info", Format: "json"},
	}
}

// DefaultStorage is an entry of storage before its own keys are read.
func DefaultStorage() Storage {
	return Storage{Timeout: 3 * time.Second}
}

// DefaultOperatorKey is an entry of operator.keys before its own keys are read.
func DefaultOperatorKey() OperatorKey {
	return OperatorKey{Objects: []string{"*"}}
}

// DefaultOIDCGrant is an entry of operator.oidc.grants before its own keys are read.
func DefaultOIDCGrant() OIDCGrant {
	return OIDCGrant{Objects: []string{"*"}}
}

// BaseURL is how operators reach the service: url where it is set, otherwise
// made from the address that the listener got, which is known only after
// listening where the configured port is 0. An address that stands for every
// interface becomes loopback, because it cannot be dialled.
func (o Operator) BaseURL(listening string) string {
	if o.URL != "" {
		return o.URL
	}
	scheme := "http://"
	if o.TLS.CertFile != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return scheme + listening
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// ClearText tells whether links travel over plain http to other machines.
func (p Public) ClearText() bool { return clearText(p.URL) }

// RecipientEndpoint returns where recipients reach the store; empty means AWS.
func (s *Storage) RecipientEndpoint() string { return cmp.Or(s.PublicEndpoint, s.Endpoint) }

// ClearText tells whether recipients' downloads travel over plain http to other
// machines.
func (s *Storage) ClearText() bool { return clearText(s.RecipientEndpoint()) }

// ProxyPrefixes are the trusted proxies as networks, an address being a network
// of one. IPv4 networks written as IPv6 come back as IPv4, so compare them with
// unmapped addresses. What is no network was refused by Load and is left out.
func (p Public) ProxyPrefixes() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range p.TrustedProxies {
		if n, err := parseProxy(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

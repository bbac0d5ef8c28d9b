package config

import (
	"cmp"
	"net"
	"net/netip"
	"time"
)

// Default returns the configuration of an empty file. It is incomplete, because public.url
// and storage have no default.
func Default() *Config {
	return &Config{
		Public:   Public{Listen: ":8080", MaxConnections: 20_000, IdleTimeout: 620 * time.Second},
		Operator: Operator{Listen: "127.0.0.1:8081", RequestsPerMinute: 120_000, OIDC: OIDC{NameClaim: "sub"}},
		Console:  Console{Enabled: true, Idle: 30 * time.Minute, Max: 12 * time.Hour},
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
			PassphraseMin:    8,
			SensitiveObjects: []string{"*/invoices/*"},
		},
		Audit: Audit{ClientAddress: "full", MaxEntries: 1_000_000},
		Pages: Pages{Sender: SenderOrganization},
		Log:   Log{Level: "info", Format: "json"},
	}
}

// DefaultStorage returns the defaults of an entry of storage.
func DefaultStorage() Storage {
	return Storage{Timeout: 3 * time.Second}
}

// DefaultOperatorKey returns the defaults of an entry of operator.keys.
func DefaultOperatorKey() OperatorKey {
	return OperatorKey{Objects: []string{"*"}}
}

// DefaultOIDCGrant returns the defaults of an entry of operator.oidc.grants.
func DefaultOIDCGrant() OIDCGrant {
	return OIDCGrant{Objects: []string{"*"}}
}

// BaseURL returns the address of the service for operators: url if it is set, otherwise
// an address made from listening, the actual address of the listener. listening has the
// real port if the configured port is 0. An unspecified address becomes loopback, because
// clients cannot connect to it.
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

// ClearText reports whether links are sent over plain http to other machines.
func (p Public) ClearText() bool { return clearText(p.URL) }

// RecipientEndpoint returns the address of the store for recipients; "" means AWS.
func (s *Storage) RecipientEndpoint() string { return cmp.Or(s.PublicEndpoint, s.Endpoint) }

// ClearText reports whether recipients download over plain http from another machine.
func (s *Storage) ClearText() bool { return clearText(s.RecipientEndpoint()) }

// ProxyPrefixes returns the trusted proxies as networks; a single address is a network of
// one. Networks of IPv4-mapped addresses are returned as IPv4, so compare them with
// unmapped addresses. Load refuses invalid networks; ProxyPrefixes omits them.
func (p Public) ProxyPrefixes() []netip.Prefix { return proxyPrefixes(p.TrustedProxies) }

// ProxyPrefixes returns the trusted proxies in the form of [Public.ProxyPrefixes].
func (o *Operator) ProxyPrefixes() []netip.Prefix { return proxyPrefixes(o.TrustedProxies) }

// proxyPrefixes converts the valid ones among addresses and networks.
func proxyPrefixes(listed []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range listed {
		if n, err := parseProxy(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

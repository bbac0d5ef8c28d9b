package config

import "time"

// Public is the listener for recipients.
type Public struct {
	// The address to listen on, host:port. Without a host the service listens on every interface; port 0
	// selects a free port. It must differ from the other listeners. Default: :8080.
	Listen string `yaml:"listen"`
	// The beginning of every link: http or https and a host, without path, query or user. Plain http to a
	// host other than loopback is a warning, because anyone who can read the traffic can use the link.
	// Required.
	URL string `yaml:"url"`
	// Addresses or networks (CIDR) of the proxies whose X-Forwarded-For header the service trusts. A network
	// wider than /8 (IPv6: /7) is refused. So are networks that together cover more than a /8 (IPv6: a /16)
	// outside of private networks. Recipients in such networks could forge their address. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// The largest number of open connections of recipients at one gateway, 10 to 1000000. At the limit the
	// service closes the connection that has been idle longest. One address (IPv6: one /64) that is not in
	// trusted_proxies may hold at most a tenth. If the process may open too few files, the limit is lower and
	// the service warns; one address may then hold up to 32 connections, but at most a quarter of the lower limit.
	// Default: 20000.
	MaxConnections int `yaml:"max_connections"`
	// How long a connection without a request stays open, 1s to 1h. It must be longer than the idle timeout
	// of a load balancer in front, which otherwise sends requests on connections that are just being closed.
	// Default: 10m20s.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// The address of a second listener for recipients, host:port, that speaks plain http. It redirects every
	// request to url with the same path, and answers the challenges of a certificate authority below
	// /.well-known/acme-challenge/. It counts no click. Default: empty, which means no such listener.
	RedirectListen string `yaml:"redirect_listen"`
	// TLS of the listener for recipients.
	TLS PublicTLS `yaml:"tls"`
}

// PublicTLS is the certificate of the listener for recipients: two files, or ACME.
type PublicTLS struct {
	// PEM file with the certificate and its intermediate certificates. It requires key_file and excludes acme.
	// Without both files and without acme the listener speaks plain HTTP, for a proxy that terminates TLS.
	// Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
	// Certificates from a certificate authority that speaks ACME (RFC 8555), such as Let's Encrypt. All
	// gateways that share a Redis share the certificate. It excludes cert_file.
	ACME ACME `yaml:"acme"`
}

// Files returns the certificate of two files.
func (t PublicTLS) Files() TLS { return TLS{CertFile: t.CertFile, KeyFile: t.KeyFile} }

// ACME orders the certificate of the listener for recipients.
type ACME struct {
	// The names in the certificate, the host of public.url among them. No other name is ever ordered.
	// Default: none, which means no ACME.
	Domains []string `yaml:"domains"`
	// The address to which the authority writes about problems. Default: empty.
	Email string `yaml:"email"`
	// Whether you accept the terms of the authority. It must be true if domains is set. Default: false.
	AcceptTerms bool `yaml:"accept_terms"`
	// The directory of the authority: https, or http on loopback. Default: empty, which means Let's Encrypt.
	DirectoryURL string `yaml:"directory_url"`
	// File with the secret that encrypts certificates and keys in Redis: 32 bytes, or 64 hexadecimal digits, as
	// `openssl rand -hex 32` prints them. It must be the same on all gateways. Required if domains is set.
	// Default: empty.
	SecretFile string `yaml:"secret_file"`
}

// Enabled reports whether certificates are ordered.
func (a *ACME) Enabled() bool { return len(a.Domains) > 0 }

// TLS is the certificate of a listener. Set both files or neither.
type TLS struct {
	// PEM file with the certificate and its intermediate certificates. It requires key_file. Without both
	// files the listener speaks plain HTTP, for a proxy that terminates TLS. Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
}

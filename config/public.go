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
	// the service warns. Default: 20000.
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
	TLS TLS `yaml:"tls"`
}

// TLS is the certificate of a listener. Set both files or neither.
type TLS struct {
	// PEM file with the certificate and its intermediate certificates. It requires key_file. Without both
	// files the listener speaks plain HTTP, for a proxy that terminates TLS. Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
}

package config

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

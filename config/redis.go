package config

import "time"

// Redis is the connection to the store of the links.
type Redis struct {
	// How Redis runs: single (one server), sentinel (Sentinels name the master), cluster, or local (the service
	// starts its own redis-server on this machine). Default: single.
	Mode string `yaml:"mode"`
	// The directory of mode local, as an absolute path of at most 92 bytes. Only the user of the service may
	// enter the directory (mode 0700). It holds the socket and the data of Redis. The service makes it if it
	// does not exist. Required in mode local, refused in the other modes. Default: empty.
	Directory string `yaml:"directory"`
	// The memory for the data of mode local, in MiB: 16 to 1048576. With full memory, Redis refuses new links and
	// clicks, and still ends links; it evicts nothing. While it rewrites its file, Redis can need twice as much for
	// a moment. Refused in the other modes. Default: 0, which means a third of the memory of this machine or, if that
	// is less, of its container or systemd unit; 1024 on systems other than Linux.
	MaxMemory int `yaml:"max_memory"`
	// Servers as host:port: one server in mode single, the Sentinels in mode sentinel, any nodes in mode
	// cluster. Refused in mode local. Default: 127.0.0.1:6379.
	Addresses []string `yaml:"addresses"`
	// The ACL user. Default: empty, which means the user named default.
	Username string `yaml:"username"`
	// File with the password of that user. Default: empty, which means no password.
	PasswordFile string `yaml:"password_file"`
	// The password itself, instead of password_file.
	Password Secret `yaml:"-" env:"password"`
	// The Sentinels' name for the master. Required in mode sentinel, refused in the other modes. Default:
	// empty.
	MasterName string `yaml:"master_name"`
	// The ACL user at the Sentinels, only in mode sentinel. Default: empty.
	SentinelUsername string `yaml:"sentinel_username"`
	// File with the password at the Sentinels, only in mode sentinel. Default: empty.
	SentinelPasswordFile string `yaml:"sentinel_password_file"`
	// The password at the Sentinels itself, instead of sentinel_password_file.
	SentinelPassword Secret `yaml:"-" env:"sentinel_password"`
	// The number of the database. A cluster has only 0. Default: 0.
	Database int `yaml:"database"`
	// TLS for connections to Redis and to the Sentinels.
	TLS RedisTLS `yaml:"tls"`
	// The beginning of every key in Redis: 1 to 64 letters, digits, colons, dots, underscores or hyphens.
	// Several installations can share a Redis if their prefixes differ. Default: keyhole.
	Prefix string `yaml:"prefix"`
	// The time that the service waits for an answer of Redis, 1ms to 60s. After this time a click gets 503.
	// Default: 500ms.
	Timeout time.Duration `yaml:"timeout"`
	// The number of replicas that must have received an issue, a change, a revocation or
	// a limited click before the service confirms it: 0 to 16, and at most the number of
	// existing replicas. With 0, a failover may lose the changes of the last moments.
	// With the number of all replicas, a failover loses nothing. Default: 0.
	WaitReplicas int `yaml:"wait_replicas"`
}

// RedisTLS is TLS for connections to Redis.
type RedisTLS struct {
	// Whether to use TLS. The other keys of this section require it. Default: false.
	Enabled bool `yaml:"enabled"`
	// PEM file with the certificate authorities to trust. Default: empty, which means those of the system.
	CAFile string `yaml:"ca_file"`
	// PEM file with a client certificate. It requires key_file. Default: empty.
	CertFile string `yaml:"cert_file"`
	// PEM file with the private key of cert_file. Default: empty.
	KeyFile string `yaml:"key_file"`
	// The name that the server's certificate must have. Default: empty, which means the host of the
	// address.
	ServerName string `yaml:"server_name"`
}

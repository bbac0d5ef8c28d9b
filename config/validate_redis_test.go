package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedisRules(t *testing.T) {
	redis := func(change func(*Redis)) func(*Config) {
		return func(c *Config) { change(&c.Redis) }
	}
	addresses := func(a ...string) func(*Config) {
		return redis(func(r *Redis) { r.Mode, r.Addresses = "cluster", a })
	}
	checkRules(t, map[string]rule{
		"sentinel": {change: redis(func(r *Redis) {
			r.Mode, r.MasterName, r.Database = "sentinel", "mymaster", 3
			r.Addresses = []string{"s1:26379", "s2:26379"}
			r.SentinelUsername, r.SentinelPassword = "u", NewSecret("p")
		})},
		"cluster": {change: redis(func(r *Redis) {
			r.Mode, r.Addresses = "cluster", []string{
				"n1:6379",
				"n2:6379",
			}
		})},
		"single with a database": {change: redis(func(r *Redis) { r.Database = 15 })},
		"local": {change: redis(func(r *Redis) {
			r.Mode, r.Directory, r.Addresses = "local", "/var/lib/keyhole/redis", Default().Redis.Addresses
		})},
		"local with a memory": {change: redis(func(r *Redis) {
			r.Mode, r.Directory, r.Addresses, r.MaxMemory = "local", "/d", nil, 16
		})},
		"local with too little memory": {
			change: redis(func(r *Redis) { r.Mode, r.Directory, r.Addresses, r.MaxMemory = "local", "/d", nil, 15 }),
			problems: []string{
				"redis.max_memory: must be 16 to 1048576 MiB, or 0 for a third of the memory of this machine, not 15",
			},
		},
		"local with a memory in bytes": {
			change: redis(func(r *Redis) { r.Mode, r.Directory, r.Addresses, r.MaxMemory = "local", "/d", nil, 1<<30 }),
			problems: []string{
				"redis.max_memory: must be 16 to 1048576 MiB, or 0 for a third of the memory of this machine, not 1073741824",
			},
		},
		"a memory in another mode": {
			change:   redis(func(r *Redis) { r.MaxMemory = 64 }),
			problems: []string{"redis.max_memory: is only for mode local; the mode is single: set maxmemory in Redis itself"},
		},
		"local without a directory": {
			change:   redis(func(r *Redis) { r.Mode, r.Addresses = "local", nil }),
			problems: []string{"redis.directory: is missing: mode local needs a directory, such as /var/lib/keyhole/redis"},
		},
		"local in a relative directory": {
			change:   redis(func(r *Redis) { r.Mode, r.Directory, r.Addresses = "local", "redis", nil }),
			problems: []string{"redis.directory: must be an absolute path, such as /var/lib/keyhole/redis"},
		},
		"local in a directory with a long path": {
			change: redis(func(r *Redis) {
				r.Mode, r.Directory, r.Addresses = "local", "/"+strings.Repeat("d", 92), nil
			}),
			problems: []string{
				"redis.directory: must have at most 92 bytes, not 93, because Redis listens on a socket in it",
			},
		},
		"local in a directory that could end its line": {
			change:   redis(func(r *Redis) { r.Mode, r.Directory, r.Addresses = "local", "/a\nport 1", nil }),
			problems: []string{"redis.directory: contains a line break or another control character"},
		},
		"local and the keys of a Redis elsewhere": {
			change: redis(func(r *Redis) {
				r.Mode, r.Directory, r.Addresses = "local", "/d", []string{"redis:6379"}
				r.Username, r.Password, r.Database, r.WaitReplicas = "u", NewSecret("p"), 1, 1
				r.TLS.Enabled, r.MasterName = true, "m"
			}),
			problems: []string{
				"redis.addresses: cannot be set in mode local, in which the service starts its own Redis; remove it",
				"redis.database: cannot be set in mode local, in which the service starts its own Redis; remove it",
				"redis.master_name: is only for mode sentinel; the mode is local",
				"redis.password: cannot be set in mode local, in which the service starts its own Redis; remove it",
				"redis.tls.enabled: cannot be set in mode local, in which the service starts its own Redis; remove it",
				"redis.username: cannot be set in mode local, in which the service starts its own Redis; remove it",
				"redis.wait_replicas: cannot be set in mode local, in which the service starts its own Redis; remove it",
			},
		},
		"a directory in another mode": {
			change:   redis(func(r *Redis) { r.Directory = "/var/lib/keyhole/redis" }),
			problems: []string{"redis.directory: is only for mode local; the mode is single"},
		},
		"no mode": {
			change:   redis(func(r *Redis) { r.Mode = "" }),
			problems: []string{"redis.mode: must be single, sentinel, cluster or local"},
		},
		"another mode hides nothing else": {
			change: redis(func(r *Redis) { r.Mode, r.Database, r.MasterName = "Cluster", -1, "m" }),
			problems: []string{
				"redis.database: must be 0 or more, not -1",
				"redis.mode: must be single, sentinel, cluster or local; did you mean cluster?",
			},
		},
		"sentinel without a master's name": {
			change:   redis(func(r *Redis) { r.Mode = "sentinel" }),
			problems: []string{"redis.master_name: is missing: mode sentinel needs the Sentinels' name for the master"},
		},
		"keys of sentinel in single": {
			change: redis(func(r *Redis) { r.MasterName, r.SentinelUsername, r.SentinelPasswordFile = "m", "u", "f" }),
			problems: []string{
				"redis.master_name: is only for mode sentinel; the mode is single",
				"redis.sentinel_password_file: is only for mode sentinel; the mode is single",
				"redis.sentinel_username: is only for mode sentinel; the mode is single",
			},
		},
		"keys of sentinel in cluster": {
			change: redis(func(r *Redis) { r.Mode, r.MasterName, r.SentinelPassword = "cluster", "m", NewSecret("p") }),
			problems: []string{
				"redis.master_name: is only for mode sentinel; the mode is cluster",
				"redis.sentinel_password: is only for mode sentinel; the mode is cluster",
			},
		},
		"single with two addresses": {
			change:   redis(func(r *Redis) { r.Addresses = []string{"a:1", "b:1"} }),
			problems: []string{"redis.addresses: mode single takes one address, not 2: choose sentinel or cluster"},
		},
		"cluster with a database": {
			change:   redis(func(r *Redis) { r.Mode, r.Database = "cluster", 1 }),
			problems: []string{"redis.database: must be 0 in mode cluster, not 1"},
		},
		"negative database": {
			change:   redis(func(r *Redis) { r.Database = -1 }),
			problems: []string{"redis.database: must be 0 or more, not -1"},
		},
		"no addresses": {
			change:   addresses(),
			problems: []string{"redis.addresses: is empty: list at least one server as host:port"},
		},
		"addresses": {change: addresses("10.0.0.1:6379", "[::1]:6379", "redis_1:6379", "Redis.Example.com:65535")},
		"broken addresses": {
			change: addresses("redis", "redis:0", "redis:x", ":6379", "a b:1", "redis://u:"+canary+"@h:1", "/run/redis.sock",
				"a:1", "a:1", "default:"+canary+"@h:6379"),
			problems: []string{
				`redis.addresses[0]: must be host:port`,
				`redis.addresses[1]: must have a port between 1 and 65535`,
				`redis.addresses[2]: must have a port between 1 and 65535`,
				`redis.addresses[3]: must have a host, such as redis.example.com:6379`,
				`redis.addresses[4]: must have a host, such as redis.example.com:6379`,
				"redis.addresses[5]: must be host:port, not a URL: user, password, database and TLS have their own keys",
				`redis.addresses[6]: must be host:port`,
				"redis.addresses[8]: is listed twice",
				"redis.addresses[9]: must be host:port: the user and the password are redis.username and redis.password_file",
			},
		},
		"TLS": {change: redis(func(r *Redis) { r.TLS = RedisTLS{Enabled: true, ServerName: "redis.example.com"} })},
		"TLS by half": {
			change:   redis(func(r *Redis) { r.TLS = RedisTLS{Enabled: true, CertFile: "c"} }),
			problems: []string{"redis.tls.key_file: is missing: cert_file needs it"},
		},
		"authorities without TLS": {
			change:   redis(func(r *Redis) { r.TLS.CAFile = "f" }),
			problems: []string{"redis.tls.enabled: must be true if redis.tls.ca_file is set"},
		},
		"certificate without TLS": {
			change:   redis(func(r *Redis) { r.TLS.CertFile, r.TLS.KeyFile = "c", "k" }),
			problems: []string{"redis.tls.enabled: must be true if redis.tls.cert_file is set"},
		},
		"server name without TLS": {
			change:   redis(func(r *Redis) { r.TLS.ServerName = "redis.example.com" }),
			problems: []string{"redis.tls.enabled: must be true if redis.tls.server_name is set"},
		},
		"prefix": {change: redis(func(r *Redis) { r.Prefix = strings.Repeat("aZ0:._-x", 8) })},
		"no prefix": {
			change:   redis(func(r *Redis) { r.Prefix = "" }),
			problems: []string{`redis.prefix: must be 1 to 64 letters, digits, colons, dots, underscores or hyphens`},
		},
		"prefix with a hash tag": {
			change:   redis(func(r *Redis) { r.Prefix = "a{b}" }),
			problems: []string{`redis.prefix: must be 1 to 64 letters, digits, colons, dots, underscores or hyphens`},
		},
		"prefix with a line break": {
			change:   redis(func(r *Redis) { r.Prefix = "a\n" }),
			problems: []string{`redis.prefix: must be 1 to 64 letters, digits, colons, dots, underscores or hyphens`},
		},
		"negative replicas": {
			change:   redis(func(r *Redis) { r.WaitReplicas = -1 }),
			problems: []string{"redis.wait_replicas: must be 0 to 16, not -1"},
		},
		"too many replicas": {
			change:   redis(func(r *Redis) { r.WaitReplicas = 17 }),
			problems: []string{"redis.wait_replicas: must be 0 to 16, not 17"},
		},
	})
}

// The default address is no mistake in mode local, but the same address in the file is one.
func TestLocalRedisAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"redis: { mode: local, directory: /d }":                                "",
		`redis: { mode: local, directory: /d, addresses: ["127.0.0.1:6379"] }`: "redis.addresses",
	} {
		path := filepath.Join(t.TempDir(), "keyhole.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Load(LoadOptions{Path: path})
		got := ""
		var problems Problems
		errors.As(err, &problems)
		for _, p := range problems {
			if strings.HasPrefix(p.Path, "redis.") {
				got = p.Path
			}
		}
		if got != want {
			t.Errorf("%s: a problem of %q, want %q: %v", text, got, want, err)
		}
	}
}

package config

import (
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
		"no mode": {
			change:   redis(func(r *Redis) { r.Mode = "" }),
			problems: []string{"redis.mode: must be single, sentinel or cluster"},
		},
		"another mode hides nothing else": {
			change: redis(func(r *Redis) { r.Mode, r.Database, r.MasterName = "Cluster", -1, "m" }),
			problems: []string{
				"redis.database: must be 0 or more, not -1",
				"redis.mode: must be single, sentinel or cluster; did you mean cluster?",
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

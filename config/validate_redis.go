package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// redisPrefix allows no braces, because Redis Cluster would read them as the hash tag of
// every key.
var redisPrefix = regexp.MustCompile(`^[A-Za-z0-9:._-]{1,64}$`)

// maxWaitReplicas is above the number of replicas in any known installation.
const maxWaitReplicas = 16

func (k *checker) redis(r Redis) {
	if k.oneOf("redis.mode", r.Mode, "single", "sentinel", "cluster", RedisLocal) {
		k.redisMode(r)
	}
	if r.Mode == RedisLocal {
		k.redisLocal(r)
	} else {
		k.redisAddresses(r.Addresses)
		if r.Directory != "" {
			k.problem("redis.directory", "is only for mode local; the mode is %s", r.Mode)
		}
		if r.MaxMemory != 0 {
			k.problem("redis.max_memory", "is only for mode local; the mode is %s: set maxmemory in Redis itself", r.Mode)
		}
	}
	if r.Database < 0 {
		k.problem("redis.database", "must be 0 or more, not %d", r.Database)
	}
	k.redisTLS(r.TLS)
	if !redisPrefix.MatchString(r.Prefix) {
		k.problem("redis.prefix", "must be 1 to 64 letters, digits, colons, dots, underscores or hyphens")
	}
	k.between("redis.timeout", r.Timeout, minTimeout, maxTimeout)
	if r.WaitReplicas < 0 || r.WaitReplicas > maxWaitReplicas {
		k.problem("redis.wait_replicas", "must be 0 to %d, not %d", maxWaitReplicas, r.WaitReplicas)
	}
}

// redisMode checks the keys that the mode requires or excludes.
func (k *checker) redisMode(r Redis) {
	if r.Mode == "sentinel" {
		if r.MasterName == "" {
			k.problem("redis.master_name", "is missing: mode sentinel needs the Sentinels' name for the master")
		}
	} else {
		for _, s := range []struct {
			path string
			set  bool
		}{
			{"redis.master_name", r.MasterName != ""},
			{"redis.sentinel_username", r.SentinelUsername != ""},
			{sentinelPasswordPath(r), r.SentinelPasswordFile != "" || r.SentinelPassword.Reveal() != ""},
		} {
			if s.set {
				k.problem(s.path, "is only for mode sentinel; the mode is %s", r.Mode)
			}
		}
	}
	if r.Mode == "single" && len(r.Addresses) > 1 {
		k.problem("redis.addresses", "mode single takes one address, not %d: choose sentinel or cluster", len(r.Addresses))
	}
	if r.Mode == "cluster" && r.Database > 0 {
		k.problem("redis.database", "must be 0 in mode cluster, not %d", r.Database)
	}
}

// RedisLocal is the value of redis.mode for a Redis that the service starts itself.
const RedisLocal = "local"

// maxRedisDirectory is the longest directory in bytes: the path of the socket in it has to
// fit into a socket's address, which has 104 bytes on macOS, the zero byte included.
const maxRedisDirectory = 103 - len("/redis.sock")

// The limits of redis.max_memory in MiB. Below the first, a few thousand links would fill
// the memory; the second is beyond any machine.
const (
	minRedisMemory = 16
	maxRedisMemory = 1 << 20
)

// redisLocal checks the keys of mode local. It refuses those that say how to reach a Redis
// elsewhere: an operator who set one believes that the links are there.
func (k *checker) redisLocal(r Redis) {
	switch {
	case r.Directory == "":
		k.problem("redis.directory", "is missing: mode local needs a directory, such as /var/lib/keyhole/redis")
	case hasControl(r.Directory):
		k.problem("redis.directory", "contains a line break or another control character")
	case !filepath.IsAbs(r.Directory):
		k.problem("redis.directory", "must be an absolute path, such as /var/lib/keyhole/redis")
	case len(filepath.Clean(r.Directory)) > maxRedisDirectory:
		k.problem("redis.directory", "must have at most %d bytes, not %d, because Redis listens on a socket in it",
			maxRedisDirectory, len(filepath.Clean(r.Directory)))
	}
	if r.MaxMemory != 0 && (r.MaxMemory < minRedisMemory || r.MaxMemory > maxRedisMemory) {
		k.problem("redis.max_memory", "must be %d to %d MiB, or 0 for a third of the memory of this machine, not %d",
			minRedisMemory, maxRedisMemory, r.MaxMemory)
	}
	for _, s := range []struct {
		key string
		set bool
	}{
		{"addresses", len(r.Addresses) > 0},
		{"username", r.Username != ""},
		{"password_file", r.PasswordFile != ""},
		{"password", r.PasswordFile == "" && r.Password.Reveal() != ""},
		{"database", r.Database > 0},
		{"tls.enabled", r.TLS.Enabled},
		{"wait_replicas", r.WaitReplicas != 0},
	} {
		if s.set {
			k.problem("redis."+s.key, "cannot be set in mode local, in which the service starts its own Redis; remove it")
		}
	}
}

// sentinelPasswordPath returns the path of the key that set the password, so that the
// problem names the right source.
func sentinelPasswordPath(r Redis) string {
	if r.SentinelPasswordFile == "" {
		return "redis.sentinel_password"
	}
	return "redis.sentinel_password_file"
}

func (k *checker) redisAddresses(addresses []string) {
	if len(addresses) == 0 {
		k.problem("redis.addresses", "is empty: list at least one server as host:port")
	}
	for i, a := range addresses {
		path := fmt.Sprintf("redis.addresses[%d]", i)
		if strings.Contains(a, "://") {
			// The message does not show the URL, which often contains a password.
			k.problem(path, "must be host:port, not a URL: user, password, database and TLS have their own keys")
			continue
		}
		if strings.Contains(a, "@") {
			k.problem(path, "must be host:port: the user and the password are redis.username and redis.password_file")
			continue
		}
		host, _, err := splitAddress(a, 1)
		switch {
		case err != nil:
			k.problem(path, "%s", err)
		case host == "" || !validHost(host):
			k.problem(path, "must have a host, such as redis.example.com:6379")
		case slices.Index(addresses, a) < i:
			k.problem(path, "is listed twice")
		}
	}
}

func (k *checker) redisTLS(t RedisTLS) {
	k.together("redis.tls", "cert_file", "key_file", t.CertFile != "", t.KeyFile != "")
	if t.Enabled {
		return
	}
	for _, s := range []struct{ key, value string }{
		{"ca_file", t.CAFile},
		{"cert_file", t.CertFile},
		{"key_file", t.KeyFile},
		{"server_name", t.ServerName},
	} {
		if s.value != "" {
			// The operator intended TLS; without this problem, passwords would be sent
			// unencrypted.
			k.problem("redis.tls.enabled", "must be true if redis.tls.%s is set", s.key)
			return
		}
	}
}

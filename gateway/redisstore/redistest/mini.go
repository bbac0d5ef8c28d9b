package redistest

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// StartMini starts miniredis, which runs inside the test. It asks for Username and
// Password, expires keys by its clock, and describes itself as Redis 7.0.0 that evicts
// nothing.
func StartMini(tb testing.TB) *miniredis.Miniredis {
	tb.Helper()
	m := miniredis.NewMiniRedis()
	m.RequireUserAuth(Username, Password)
	if err := m.Start(); err != nil {
		tb.Fatalf("start miniredis: %v", err)
	}
	tb.Cleanup(m.Close)
	m.ClockTTL(true)
	Describe(m, "7.0.0", "noeviction")
	return m
}

// Describe sets the answers to ROLE and INFO, which miniredis does not know in full: those
// of a master with this version and this policy of eviction.
func Describe(m *miniredis.Miniredis, version, policy string) {
	m.Server().SetPreHook(func(c *server.Peer, command string, _ ...string) bool {
		switch command {
		case "ROLE":
			c.WriteLen(3)
			c.WriteBulk("master")
			c.WriteInt(0)
			c.WriteLen(0)
		case "INFO":
			c.WriteBulk("redis_version:" + version + "\r\nmaxmemory:1\r\nmaxmemory_policy:" + policy + "\r\n")
		default:
			return false
		}
		return true
	})
}

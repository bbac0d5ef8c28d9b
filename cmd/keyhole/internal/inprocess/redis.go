package inprocess

import (
	"fmt"
	"runtime"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// StartRedis starts an empty Redis-compatible server on a free port of loopback. It
// answers ROLE and INFO as a master that evicts nothing, because miniredis does not
// know these commands in full. The memory that it reports is the heap of this process, which
// holds all its data.
func StartRedis() (*miniredis.Miniredis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start the in-process Redis: %w", err)
	}
	m.ClockTTL(true) // keys expire by the clock, as in Redis
	m.Server().SetPreHook(func(c *server.Peer, cmd string, _ ...string) bool {
		// The reply of ROLE is that of a master without replicas; INFO has the fields that
		// the service reads.
		switch cmd {
		case "ROLE":
			c.WriteLen(3)
			c.WriteBulk("master")
			c.WriteInt(0)
			c.WriteLen(0)
		case "INFO":
			c.WriteBulk(fmt.Sprintf("redis_version:7.0.0\r\nredis_mode:standalone\r\nrole:master\r\nconnected_slaves:0\r\n"+
				"loading:0\r\nused_memory:%d\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n"+
				"rdb_last_save_time:0\r\n", heap()))
		default:
			return false
		}
		return true
	})
	return m, nil
}

// heap returns the bytes of the objects on the heap of this process.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

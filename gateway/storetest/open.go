package storetest

import (
	"log/slog"
	"testing"
	"time"

	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// timeout is the redis.timeout of the store: long enough for a slow machine.
const timeout = 10 * time.Second

// maxClickEvents is the default of audit.max_entries.
const maxClickEvents = 1_000_000

// Store is the store that Open returns.
type Store = redisstore.Store

// Open returns a store over an empty miniredis, which ends with the test. Its clock is that
// of this machine.
func Open(tb testing.TB) *redisstore.Store {
	tb.Helper()
	store, _ := OpenWithOutage(tb)
	return store
}

// OpenWithOutage returns a store like Open, and a function after which Redis does not
// answer any more.
func OpenWithOutage(tb testing.TB) (*redisstore.Store, func()) {
	tb.Helper()
	mini := redistest.StartMini(tb)
	return open(tb, mini.Addr()), mini.Close
}

// OpenRedis returns a store over an empty redis-server with further directives, such as
// "appendonly no". It ends with the test. Miniredis is too slow for benchmarks.
func OpenRedis(tb testing.TB, directives ...string) *redisstore.Store {
	tb.Helper()
	return open(tb, redistest.StartSingle(tb, directives...).Addr)
}

// open returns a store over the Redis at an address.
func open(tb testing.TB, address string) *redisstore.Store {
	tb.Helper()
	client, err := redisstore.Connect(redisstore.ClientOptions{
		Mode: redisstore.ModeSingle, Addresses: []string{address}, Timeout: timeout,
		Username: redistest.Username, Password: redistest.Password,
	})
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	store, err := redisstore.New(client, redisstore.Options{
		Prefix: "keyhole", Retention: redisstore.Retention{MaxLife: 7 * 24 * time.Hour, AfterEnd: 30 * 24 * time.Hour},
		MaxClickEvents: maxClickEvents, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatalf("make the store: %v", err)
	}
	return store
}

package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/cmd/keyhole/internal/server"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// testMetrics returns metrics that nobody reads.
func testMetrics() *gateway.Metrics {
	return gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: []string{"main"}})
}

// noted returns the findings of a function that adds them by note.
func noted(examine func(note noteFunc)) []finding {
	var found []finding
	examine(func(check, level, message, do string) {
		found = append(found, finding{Check: check, Level: level, Message: message, Do: do})
	})
	return found
}

// wantOne fails unless there is exactly one finding, of a level and with parts of its
// message and its advice. An advice is given only for what is not ok.
func wantOne(t *testing.T, found []finding, level, message, do string) {
	t.Helper()
	if len(found) != 1 {
		t.Fatalf("found %+v, want one finding", found)
	}
	f := found[0]
	if f.Level != level || !strings.Contains(f.Message, message) || !strings.Contains(f.Do, do) ||
		(f.Do == "") != (level == levelOK) {
		t.Errorf("found %+v, want %s with %q and %q", f, level, message, do)
	}
}

// checksOf returns level and check of findings, in their order.
func checksOf(findings []finding) []string {
	var checks []string
	for _, f := range findings {
		checks = append(checks, f.Level+" "+f.Check)
	}
	return checks
}

// The doctor reports what a crash of Redis loses, in the words of the server's log.
func TestPersistence(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		info                redisstore.ServerInfo
		level, message, fix string
	}{
		"append-only file": {redisstore.ServerInfo{AOF: true}, levelOK, server.LossWithAOF, ""},
		"snapshots only":   {redisstore.ServerInfo{}, levelWarning, server.LossWithoutAOF, "appendonly yes"},
		"a full disk":      {redisstore.ServerInfo{AOF: true, Unsaved: true}, levelFailure, "its disk failed", "disk full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantOne(t, noted(func(note noteFunc) {
				examinePersistence(&tt.info, false, note)
			}), tt.level, tt.message, tt.fix)
		})
	}
}

// A server is refused for the reasons for which the service refuses it at its start.
func TestRedisServer(t *testing.T) {
	t.Parallel()
	sound := redisstore.ServerInfo{Version: "7.0.15", Role: "master", Policy: "noeviction"}
	for name, tt := range map[string]struct {
		change func(*redisstore.ServerInfo)
		failed string // the check that fails; empty: none
		says   string
	}{
		"sound":  {func(*redisstore.ServerInfo) {}, "", "Redis 7.0.15"},
		"Valkey": {func(i *redisstore.ServerInfo) { i.Valkey, i.Version = true, "8.0.1" }, "", "Valkey 8.0.1"},
		"old":    {func(i *redisstore.ServerInfo) { i.Version = "6.2.0" }, checkVersion, "Redis 6.2.0 is too old"},
		"an old Valkey": {
			func(i *redisstore.ServerInfo) { i.Valkey, i.Version = true, "7.1.0" },
			checkVersion, "Valkey 7.1.0 is too old",
		},
		"a replica": {func(i *redisstore.ServerInfo) { i.Role = "slave" }, checkRole, "this is a replica"},
		"evicts": {
			func(i *redisstore.ServerInfo) { i.MaxMemory, i.Policy = 1, "allkeys-lru" },
			checkEviction, "evicts keys when its memory is full: allkeys-lru",
		},
		"unlimited, a rule": {func(i *redisstore.ServerInfo) { i.Policy = "allkeys-lru" }, "", "evicts nothing"},
	} {
		info := sound
		tt.change(&info)
		found := noted(func(note noteFunc) { examineRedisServer(&info, note) })
		said := false
		for _, f := range found {
			if (f.Level != levelOK) != (f.Check == tt.failed) {
				t.Errorf("%s: found %+v", name, f)
			}
			said = said || strings.Contains(f.Message, tt.says)
		}
		if len(found) != 3 || !said {
			t.Errorf("%s: found %+v, want %q", name, found, tt.says)
		}
	}
}

// The memory of Redis and its limit are stated, and a nearly full memory is a warning.
func TestMemory(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		used, limit         int64
		level, message, fix string
	}{
		"unknown":     {0, 1 << 20, levelOK, "not known", ""},
		"no limit":    {3 << 19, 0, levelOK, "uses 1.5 MiB, without a limit", ""},
		"a limit":     {1 << 20, 4 << 20, levelOK, "uses 1.0 MiB of 4.0 MiB (25 %)", ""},
		"nearly full": {90 << 20, 100 << 20, levelWarning, "(90 %)", "raise maxmemory"},
		"over":        {110 << 20, 100 << 20, levelWarning, "(110 %)", "raise maxmemory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := redisstore.ServerInfo{UsedMemory: tt.used, MemoryLimit: tt.limit}
			wantOne(t, noted(func(note noteFunc) { examineMemory(&info, false, note) }), tt.level, tt.message, tt.fix)
			// The limit of the service's own Redis has another name.
			fix := strings.ReplaceAll(tt.fix, "maxmemory", "redis.max_memory")
			wantOne(t, noted(func(note noteFunc) { examineMemory(&info, true, note) }), tt.level, tt.message, fix)
		})
	}
}

// What a failover loses depends on the replicas, and on how many the service waits for.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		info                redisstore.ServerInfo
		wait                int
		level, message, fix string
	}{
		"one server": {redisstore.ServerInfo{}, 0, levelOK, "0 connected", ""},
		"waits for all": {
			redisstore.ServerInfo{Replicas: 2, Guarded: true}, 2, levelOK, "2 connected", "",
		},
		"waits for fewer": {
			redisstore.ServerInfo{Replicas: 2, Guarded: true},
			1,
			levelWarning, "redis.wait_replicas is 1: a failover may lose", "set redis.wait_replicas",
		},
		"waits for more": {
			redisstore.ServerInfo{Replicas: 1, Guarded: true},
			2,
			levelFailure, "no issue and no revocation can be confirmed", "start the missing replicas",
		},
		"unguarded": {
			redisstore.ServerInfo{Replicas: 1}, 1, levelWarning, server.LossUnguarded, "min-replicas-to-write",
		},
		// The failure comes first: without the replicas, guarding the master does not help.
		"unguarded and too few": {
			redisstore.ServerInfo{Replicas: 1}, 2, levelFailure, "1 connected", "start the missing replicas",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantOne(t, noted(func(note noteFunc) {
				examineReplicas(&tt.info, tt.wait, note)
			}), tt.level, tt.message, tt.fix)
		})
	}
}

// The advice follows from the reason, which Redis reports only as text.
func TestAdviceAboutRedis(t *testing.T) {
	t.Parallel()
	encrypted := config.Redis{Mode: "single"}
	encrypted.TLS.Enabled = true
	for name, tt := range map[string]struct {
		err  error
		c    config.Redis
		want string
	}{
		"wrong password":     {errors.New("WRONGPASS invalid pair"), config.Redis{}, "redis.password_file"},
		"no password":        {errors.New("NOAUTH Authentication required"), config.Redis{}, "redis.password_file"},
		"no rights":          {errors.New("NOPERM no permissions"), config.Redis{}, "users.acl of this version"},
		"unknown authority":  {errors.New("x509: certificate signed by unknown authority"), encrypted, "ca_file"},
		"TLS at plain Redis": {errors.New("tls: first record does not look like"), encrypted, "redis.tls.enabled"},
		"plain at TLS":       {errors.New("read: EOF"), config.Redis{}, "redis.tls.enabled"},
		"a silent handshake": {fmt.Errorf("ping: %w", context.DeadlineExceeded), encrypted, "redis.tls.enabled"},
		"silent":             {context.DeadlineExceeded, config.Redis{Mode: "single"}, "(mode single)"},
		"lost slots":         {fmt.Errorf("%w: 3 slots", redisstore.ErrClusterDown), config.Redis{}, "CLUSTER INFO"},
		"refused":            {errors.New("dial: refused"), config.Redis{Mode: "cluster"}, "(mode cluster)"},
	} {
		if got := doAbout(tt.err, &tt.c); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// A reason is printed without the prefix that every error of the store has.
func TestReasonOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"inspect: " + gateway.ErrUnavailable.Error() + ": connection refused": "connection refused",
		"connection refused": "connection refused",
	} {
		if got := reasonOf(errors.New(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// examineRedisOf returns what the doctor finds in the Redis of a configuration.
func examineRedisOf(t *testing.T, cfg *config.Config) []finding {
	t.Helper()
	client, store, err := server.OpenStore(cfg, testMetrics(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // no request is running
	x := &examination{}
	x.examineRedis(t.Context(), &cfg.Redis, store)
	return x.findings
}

// Over a Redis that responds, each part is checked once, in the same order.
func TestRedisResponds(t *testing.T) {
	t.Parallel()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	cfg := config.Default()
	cfg.Redis.Addresses, cfg.Redis.Timeout = []string{redis.Addr()}, 30*time.Second
	found := examineRedisOf(t, cfg)
	want := []string{
		// The Redis in this process has no users and keeps nothing on a disk.
		"ok reachable", "ok version", "ok role", "ok eviction", "ok memory",
		"failure rights", "ok clock", "warning persistence",
		"ok replicas",
	}
	if got := checksOf(found); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q:\n%+v", got, want, found)
	}
	for _, f := range found {
		if f.Subject != redisSubject || f.Message == "" || (f.Do == "") != (f.Level == levelOK) {
			t.Errorf("found %+v", f)
		}
	}
}

// While Redis does not respond, only that is reported: nothing else can be known.
func TestRedisIsUnreachable(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Redis.Addresses = []string{"127.0.0.1:1"}
	found := examineRedisOf(t, cfg)
	wantOne(t, found, levelFailure, "does not respond correctly: ", "check that Redis is running")
	if strings.Contains(found[0].Message, gateway.ErrUnavailable.Error()) {
		t.Errorf("the message repeats the store's prefix: %s", found[0].Message)
	}
}

// A mistake in the configuration of Redis ends the command, as it ends serve.
func TestRedisIsMisconfigured(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Redis.Addresses = []string{"127.0.0.1:1"}
	cfg.Redis.TLS.Enabled, cfg.Redis.TLS.CAFile = true, "/does/not/exist"
	x := &examination{}
	if err := x.examine(t.Context(), cfg); err == nil || len(x.findings) > 0 {
		t.Errorf("got %v and %+v", err, x.findings)
	}
}

package server

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// testMetrics returns metrics that nobody reads.
func testMetrics() *gateway.Metrics {
	return gateway.NewMetrics(prometheus.NewRegistry(), gateway.MetricsOptions{Storages: []string{"main"}})
}

// The log says at the start what a crash or a failover loses.
func TestWarnOfLoss(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		info redisstore.ServerInfo
		wait int
		want []string // level and a part of each line
	}{
		"an append-only file": {redisstore.ServerInfo{AOF: true}, 0, []string{"INFO Redis keeps an append-only file"}},
		"snapshots":           {redisstore.ServerInfo{}, 0, []string{"WARN Redis keeps no append-only file"}},
		"too few replicas": {
			redisstore.ServerInfo{AOF: true, Replicas: 1, Guarded: true},
			2,
			[]string{"INFO Redis keeps", "WARN Redis has fewer replicas than redis.wait_replicas"},
		},
		"an unguarded master": {
			redisstore.ServerInfo{AOF: true, Replicas: 1},
			1,
			[]string{"INFO Redis keeps", "WARN Redis has replicas: min-replicas-to-write is not set"},
		},
		"a guarded one": {redisstore.ServerInfo{AOF: true, Replicas: 1, Guarded: true}, 1, []string{"INFO Redis keeps"}},
	} {
		var log bytes.Buffer
		warnOfLoss(&tt.info, tt.wait, slog.New(slog.NewTextHandler(&log, nil)))
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != len(tt.want) {
			t.Errorf("%s: logged %q, want %q", name, lines, tt.want)
			continue
		}
		for i, want := range tt.want {
			level, text, _ := strings.Cut(want, " ")
			if !strings.Contains(lines[i], "level="+level) || !strings.Contains(lines[i], text) {
				t.Errorf("%s: logged %q, want %q", name, lines[i], want)
			}
		}
	}
}

// An unreachable Redis lets the server start, because it may be back before the first
// click. A Redis that belongs to another number of partitions does not.
func TestAdmitRedis(t *testing.T) {
	t.Parallel()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	cfg := config.Default()
	cfg.Redis.Timeout = 30 * time.Second
	admit := func(address string) (string, error) {
		t.Helper()
		cfg.Redis.Addresses = []string{address}
		client, store, err := OpenStore(cfg, testMetrics(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var log bytes.Buffer
		err = admitRedis(t.Context(), store, &config.Redis{}, slog.New(slog.NewTextHandler(&log, nil)))
		return log.String(), err
	}
	if log, err := admit(redis.Addr()); err != nil ||
		!strings.Contains(log, `msg="Redis responds" version=7.0.0 role=master`) {
		t.Errorf("a sound Redis: %v, %s", err, log)
	}
	if log, err := admit("127.0.0.1:1"); err != nil ||
		!strings.Contains(log, "Redis is unreachable; not ready until it responds") {
		t.Errorf("an unreachable Redis: %v, %s", err, log)
	}
	if err := redis.Set("keyhole:partitions", "7"); err != nil {
		t.Fatal(err)
	}
	var known *command.Error
	if _, err := admit(redis.Addr()); !errors.As(err, &known) || known.Code != command.ExitUsage ||
		!errors.Is(err, redisstore.ErrPartitions) || !strings.Contains(known.Hint, "redis.prefix") {
		t.Errorf("another number of partitions: %v, %+v", err, known)
	}
}

// Redis is asked in clear text unless TLS is turned on; then nothing older than TLS 1.2
// is accepted, and the files have to be readable.
func TestRedisTLS(t *testing.T) {
	t.Parallel()
	if got, err := redisTLS(&config.RedisTLS{CAFile: "/does/not/exist"}); got != nil || err != nil {
		t.Errorf("turned off: %v, %v", got, err)
	}
	got, err := redisTLS(&config.RedisTLS{Enabled: true, ServerName: "redis.test"})
	if err != nil || got.ServerName != "redis.test" || got.MinVersion != 0x0303 || got.RootCAs != nil ||
		got.InsecureSkipVerify || len(got.Certificates) != 0 {
		t.Errorf("turned on: %+v, %v", got, err)
	}
	for want, c := range map[string]config.RedisTLS{
		"read ca_file":                          {Enabled: true, CAFile: "/does/not/exist"},
		"load the client certificate for redis": {Enabled: true, CertFile: "/does/not/exist", KeyFile: "/does/not/exist"},
	} {
		if _, err := redisTLS(&c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Records live as long as the policy says, counted from the end of their link.
func TestRetentionOf(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Policy.MaxExpiry, cfg.Policy.Retention = 48*time.Hour, 240*time.Hour
	if got := retentionOf(cfg); got.MaxLife != 48*time.Hour || got.AfterEnd != 240*time.Hour {
		t.Errorf("got %+v", got)
	}
}

// The metrics that are read from Redis at a scrape are there while Redis responds, and
// absent otherwise: a zero would be wrong.
func TestStoreMetrics(t *testing.T) {
	t.Parallel()
	cfg, key := testConfig(t)
	s := startServer(t, cfg, io.Discard)
	share(t, s, key)
	page := get(t, "http://"+s.OperatorAddr()+"/metrics").body
	for _, want := range []string{
		"\nkeyhole_links_active 1\n", "\nkeyhole_audit_dropped_total 0\n", "\nkeyhole_configuration_reload_failed 0\n",
		"\nkeyhole_log_lines_dropped_total 0\n", "\nkeyhole_redis_memory_used_bytes ",
		"\nkeyhole_redis_memory_limit_bytes 0\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in /metrics", want)
		}
	}
}

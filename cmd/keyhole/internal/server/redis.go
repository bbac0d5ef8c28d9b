package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/config"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
)

// redisCheck is how often the role, version and eviction policy of Redis are checked. If
// Redis evicts keys, clicks are refused until it does not.
const redisCheck = 5 * time.Second

// OpenStore makes the store of the configuration. It sends no request to Redis.
func OpenStore(cfg *config.Config, metrics *gateway.Metrics, log *slog.Logger) (*redisstore.Client, *redisstore.Store,
	error,
) {
	c := &cfg.Redis
	encrypted, err := redisTLS(&c.TLS)
	if err != nil {
		return nil, nil, &command.Error{Err: err, Hint: "correct redis.tls in the configuration", Code: command.ExitUsage}
	}
	if c.Mode == config.RedisLocal {
		c = overSocket(c)
	}
	client, err := redisstore.Connect(redisstore.ClientOptions{
		Mode: c.Mode, Addresses: c.Addresses, Username: c.Username, Password: c.Password.Reveal(), Database: c.Database,
		MasterName: c.MasterName, SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword.Reveal(),
		TLS: encrypted, Timeout: c.Timeout,
	})
	if err != nil {
		return nil, nil, err
	}
	store, err := redisstore.New(client, redisstore.Options{
		Prefix: c.Prefix, Retention: retentionOf(cfg),
		MaxClickEvents: cfg.Audit.MaxEntries, WaitReplicas: c.WaitReplicas, Logger: log, Observe: metrics.RedisCall,
	})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return client, store, nil
}

// retentionOf returns how long links and their records live by the configuration. Both are
// durations; AfterEnd is counted from the end of a link.
func retentionOf(cfg *config.Config) redisstore.Retention {
	return redisstore.Retention{MaxLife: cfg.Policy.MaxExpiry, AfterEnd: cfg.Policy.Retention}
}

// redisTLS returns the TLS configuration for Redis, nil for none.
func redisTLS(c *config.RedisTLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil //nolint:nilnil // nil is go-redis' own word for no TLS
	}
	roots, err := rootCAs(c.CAFile)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: c.ServerName}
	if c.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load the client certificate for redis: %w", err)
		}
		t.Certificates = []tls.Certificate{certificate}
	}
	return t, nil
}

// admitRedis checks Redis before the first click. If Redis is unreachable, the server
// starts and is not ready. A Redis that evicts keys, is too old or belongs to another
// number of partitions is an error.
func admitRedis(ctx context.Context, store *redisstore.Store, c *config.Redis, log *slog.Logger) error {
	err := store.Ready(ctx)
	switch {
	case errors.Is(err, redisstore.ErrEvicting):
		return &command.Error{
			Err: err, Hint: "set maxmemory-policy noeviction in Redis, or maxmemory 0",
			Code: command.ExitUsage,
		}
	case errors.Is(err, redisstore.ErrVersion):
		return &command.Error{Err: err, Hint: "use Redis 7.0, Valkey 7.2 or later", Code: command.ExitUsage}
	case errors.Is(err, redisstore.ErrPartitions):
		return &command.Error{Err: err, Hint: "set another redis.prefix for this service", Code: command.ExitUsage}
	case errors.Is(err, redisstore.ErrMoving):
		log.Warn("the move to this Redis is incomplete; not ready until it is complete")
		return nil
	case err != nil:
		log.Warn("Redis is unreachable; not ready until it responds", "error", err)
		return nil
	}
	info, err := store.Inspect(ctx)
	if err != nil {
		return nil //nolint:nilerr // Redis responded a moment ago, and is checked again soon
	}
	log.Info("Redis responds", "version", info.Version, "role", info.Role, "replicas", info.Replicas)
	if c.Mode == config.RedisLocal {
		log.Info("Redis " + LossLocal)
		return nil
	}
	warnOfLoss(&info, c.WaitReplicas, log)
	return nil
}

// What a crash or failover of Redis loses, in the words of the log and the doctor.
const (
	LossWithAOF    = "keeps an append-only file: a crash may lose about the last second, including revocations"
	LossWithoutAOF = "keeps no append-only file: a restart loses everything since the last snapshot, so links that " +
		"were revoked since then work again"
	LossLocal     = "writes each change to the disk before it is acknowledged: a crash loses nothing that was acknowledged"
	LossUnguarded = "min-replicas-to-write is not set, so a master that was cut off and replaced continues to answer " +
		"from old data"
)

// warnOfLoss logs what a crash or failover of Redis loses.
func warnOfLoss(info *redisstore.ServerInfo, wait int, log *slog.Logger) {
	if info.AOF {
		log.Info("Redis " + LossWithAOF)
	} else {
		log.Warn("Redis " + LossWithoutAOF)
	}
	if info.Replicas < wait {
		log.Warn("Redis has fewer replicas than redis.wait_replicas: no issue and no revocation can be confirmed",
			"replicas", info.Replicas, "wait_replicas", wait)
	}
	if info.Replicas > 0 && !info.Guarded {
		log.Warn("Redis has replicas: " + LossUnguarded)
	}
}

// watchRedis checks Redis regularly until ctx ends. Without clicks, nothing else would notice
// that Redis has begun to evict keys.
func watchRedis(ctx context.Context, store *redisstore.Store) {
	ticker := time.NewTicker(redisCheck)
	defer ticker.Stop()
	store.Watch(ctx, ticker.C)
}

// registerStoreMetrics registers the metrics that are read from Redis at a scrape. A scrape
// waits for Redis at most timeout and then omits them, so that it still returns the others.
func registerStoreMetrics(registry prometheus.Registerer, store *redisstore.Store, timeout time.Duration) {
	read := func(ask func(context.Context) (int64, error)) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			n, err := ask(ctx)
			return float64(n), err
		}
	}
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "links_active", Type: prometheus.GaugeValue, Read: read(store.Active),
		Help: "Links that can be used, in Redis: the same from every gateway; absent while Redis is unreachable.",
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "console_sessions", Type: prometheus.GaugeValue, Read: read(store.Sessions),
		Help: "Sessions of the console that have not ended, in Redis: the same from every gateway; absent while Redis " +
			"is unreachable.",
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "redis_memory_used_bytes", Type: prometheus.GaugeValue,
		Read: failIfZero(readMemory(store, func(info redisstore.ServerInfo) int64 { return info.UsedMemory })),
		Help: "Memory that Redis uses, of a cluster the master with the least memory left; absent while Redis is " +
			"unreachable or does not report it.",
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "redis_memory_limit_bytes", Type: prometheus.GaugeValue,
		Read: readMemory(store, func(info redisstore.ServerInfo) int64 { return info.MemoryLimit }),
		Help: "The maxmemory of the same Redis; 0 without a limit, and absent while Redis is unreachable.",
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "audit_dropped_total", Type: prometheus.CounterValue, Read: read(store.Dropped),
		Help: "Events of clicks that were removed to make room for newer ones, over all gateways; absent while Redis is " +
			"unreachable.",
	})
}

// readMemory returns a function that reads one property of the memory of Redis.
func readMemory(
	store *redisstore.Store, property func(redisstore.ServerInfo) int64,
) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		info, err := store.Inspect(ctx)
		return float64(property(info)), err
	}
}

// failIfZero returns a function that fails where read returns 0: a value that Redis does not
// report is unknown.
func failIfZero(read func(context.Context) (float64, error)) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		value, err := read(ctx)
		if err == nil && value == 0 {
			err = gateway.ErrUnavailable
		}
		return value, err
	}
}

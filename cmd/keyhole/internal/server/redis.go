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

// redisCheck is how often Redis is asked whether it still is what it should be:
// an eviction policy that is found stops the clicks until it is gone.
const redisCheck = 5 * time.Second

// OpenStore makes the store of the configuration. Redis is not asked yet.
func OpenStore(cfg *config.Config, metrics *gateway.Metrics, log *slog.Logger) (*redisstore.Client, *redisstore.Store, error) {
	redisstore.LogTo(log)
	c := &cfg.Redis
	encrypted, err := redisTLS(&c.TLS)
	if err != nil {
		return nil, nil, &command.Error{Err: err, Hint: "correct redis.tls in the configuration", Code: command.ExitUsage}
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

// retentionOf returns how long Redis knows links, by the configuration.
func retentionOf(cfg *config.Config) redisstore.Retention {
	return redisstore.Retention{MaxLife: cfg.Policy.MaxExpiry, AfterEnd: cfg.Policy.Retention}
}

// redisTLS returns how to speak TLS with Redis, nil for not at all.
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

// admitRedis looks at Redis before the first click. Redis that is away is waited
// for; Redis that would evict links, or cannot hold them, is refused by name.
func admitRedis(ctx context.Context, store *redisstore.Store, wait int, log *slog.Logger) error {
	err := store.Ready(ctx)
	switch {
	case errors.Is(err, redisstore.ErrEvicting):
		return &command.Error{Err: err, Hint: "set maxmemory-policy noeviction in Redis, or maxmemory 0", Code: command.ExitUsage}
	case errors.Is(err, redisstore.ErrVersion):
		return &command.Error{Err: err, Hint: "connect to a Redis of 7.0 or a Valkey of 7.2 at least", Code: command.ExitUsage}
	case errors.Is(err, redisstore.ErrPartitions):
		return &command.Error{Err: err, Hint: "give this service a redis.prefix of its own", Code: command.ExitUsage}
	case err != nil:
		log.Warn("redis is away, so the service is not ready until it is back", "error", err)
		return nil
	}
	info, err := store.Inspect(ctx)
	if err != nil {
		return nil //nolint:nilerr // it was there a moment ago; watching it goes on
	}
	log.Info("redis answers", "version", info.Version, "role", info.Role, "replicas", info.Replicas)
	warnOfLoss(&info, wait, log)
	return nil
}

// What a crash or failover of Redis would forget, in the words of the log and the
// doctor.
const (
	LossWithAOF    = "keeps an append-only file: a crash may forget about the last second, revocations included"
	LossWithoutAOF = "keeps no append-only file: a restart forgets everything since its last snapshot, if it keeps any, so that a link revoked since then works again"
	LossUnguarded  = "a master that is cut off and replaced goes on answering from what it knew, because min-replicas-to-write is not set"
)

// warnOfLoss says what a crash or failover of Redis would forget, revocations
// included.
func warnOfLoss(info *redisstore.ServerInfo, wait int, log *slog.Logger) {
	if info.AOF {
		log.Info("redis " + LossWithAOF)
	} else {
		log.Warn("redis " + LossWithoutAOF)
	}
	if info.Replicas < wait {
		log.Warn("redis has fewer replicas than redis.wait_replicas: no issue and no revocation is confirmed", "replicas", info.Replicas, "wait_replicas", wait)
	}
	if info.Replicas > 0 && !info.Guarded {
		log.Warn("redis has replicas: " + LossUnguarded)
	}
}

// watchRedis keeps an eye on Redis until ctx ends.
func watchRedis(ctx context.Context, store *redisstore.Store) {
	ticker := time.NewTicker(redisCheck)
	defer ticker.Stop()
	store.Watch(ctx, ticker.C)
}

// registerStoreMetrics registers what Redis is asked for at a scrape.
func registerStoreMetrics(registry prometheus.Registerer, store *redisstore.Store, timeout time.Duration) {
	read := func(ask func(context.Context) (int64, error)) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			n, err := ask(ctx)
			return float64(n), err
		}
	}
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "links_active", Type: prometheus.GaugeValue, Read: read(store.Active),
		Help: "Live permissions in Redis, the same from every replica; absent while Redis cannot be asked.",
	})
	gateway.RegisterGauge(registry, timeout, gateway.Gauge{
		Name: "audit_dropped_total", Type: prometheus.CounterValue, Read: read(store.Dropped),
		Help: "Events of clicks that made room for newer ones, over all gateways; absent while Redis cannot be asked.",
	})
}

package server

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/config"
	"keyhole/gateway/redisstore"
)

// startLocalRedis starts the Redis of mode local, and waits until it has loaded its data.
// In the other modes somebody else runs Redis, and it does nothing. The cleanup comes
// before all others that use Redis, so Redis ends after them.
func (s *Server) startLocalRedis(ctx context.Context, registry prometheus.Registerer) error {
	c := &s.configured.Redis
	if c.Mode != config.RedisLocal {
		return nil
	}
	local, err := localredis.Start(ctx, localredis.Options{
		Directory: c.Directory, Prefix: c.Prefix, Logger: s.log.Logger, MaxMemory: int64(c.MaxMemory) << 20,
	})
	if wrong, ok := errors.AsType[*localredis.Error](err); ok {
		return &command.Error{Err: err, Hint: wrong.Do, Code: command.ExitUsage}
	}
	if err != nil {
		return err
	}
	s.cleanups.add("redis-server", local.Stop)
	s.needsRepair = func() bool { return local.Problem() != nil }
	registerRestarts(registry, local.Restarts)
	return nil
}

// registerRestarts registers the counter of restarts.
func registerRestarts(registry prometheus.Registerer, restarts func() uint64) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "keyhole", Name: "redis_restarts_total",
		Help: "Restarts of the service's own Redis after it ended; exists only with redis.mode local.",
	}, func() float64 { return float64(restarts()) }))
}

// overSocket returns how the Redis of mode local is reached.
func overSocket(c *config.Redis) *config.Redis {
	reached := *c
	reached.Mode, reached.Addresses = redisstore.ModeSingle, []string{localredis.Socket(c.Directory)}
	reached.Username, reached.Password = localredis.Username, config.NewSecret(localredis.Password)
	return &reached
}

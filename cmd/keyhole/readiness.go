package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"keyhole/gateway/api"
	"keyhole/gateway/redisstore"
)

// health says whether the service can serve clicks.
type health struct {
	store    *redisstore.Store
	storages []*storage
	draining atomic.Bool
	log      *slog.Logger
}

// readiness asks Redis now, and tells what the storages last answered. The words
// are from a closed set: causes go to the log, because this needs no key.
func (h *health) readiness(ctx context.Context) api.Readiness {
	r := api.Readiness{Ready: true, Redis: "ok", Storages: map[string]string{}}
	err := h.store.Ready(ctx)
	switch {
	case err == nil:
	case errors.Is(err, redisstore.ErrEvicting):
		r.Redis = "evicts: set maxmemory-policy noeviction"
	default:
		r.Redis = "unavailable"
	}
	if err != nil {
		r.Ready = false
		h.log.Warn("not ready", "error", err)
	}
	if h.draining.Load() {
		r.Ready = false
	}
	for _, s := range h.storages {
		r.Storages[s.name] = string(s.objects.Health())
	}
	return r
}

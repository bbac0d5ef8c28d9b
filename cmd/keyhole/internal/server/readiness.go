package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"keyhole/gateway/api"
	"keyhole/gateway/redisstore"
)

// health tells whether the server can serve clicks.
type health struct {
	store    *redisstore.Store
	storages []*Storage
	draining atomic.Bool
	log      *slog.Logger
	logged   lastState // the state of Redis that was logged last
	// needsRepair reports whether the service's own Redis cannot start without help; nil: the
	// service has none.
	needsRepair func() bool
}

// lastState remembers a state, so that only changes are logged. It is safe for concurrent
// use.
type lastState struct {
	mu    sync.Mutex
	state string // empty: none has been logged yet
}

// change records a state. It returns the previous one and whether they differ.
func (l *lastState) change(to string) (before string, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.state = l.state, to
	return before, before != to
}

// readiness checks Redis now and reports the last check of each storage. Its words are
// from a closed set, because the request needs no key; causes go to the log.
func (h *health) readiness(ctx context.Context) api.Readiness {
	r := api.Readiness{Redis: "ok", Storages: map[string]string{}}
	err := h.store.Ready(ctx)
	switch {
	case err == nil:
	case errors.Is(err, redisstore.ErrEvicting):
		r.Redis = "evicts: set maxmemory-policy noeviction"
	case h.needsRepair != nil && h.needsRepair():
		// Its cause has names of files, which only the log may show.
		r.Redis = "unavailable: needs repair; see the error \"redis-server cannot be started\" in the log"
	default:
		r.Redis = "unavailable"
	}
	r.Ready = err == nil
	switch before, changed := h.logged.change(r.Redis); {
	case !changed:
	case err != nil:
		h.log.Warn("readiness probe failed", "redis", r.Redis, "error", err)
	case before != "":
		h.log.Info("readiness probe passes again", "redis", r.Redis)
	}
	// A drain is not logged as a failure of Redis: the log has the line "stopping".
	if h.draining.Load() {
		r.Ready = false
	}
	for _, s := range h.storages {
		r.Storages[s.Name] = string(s.Objects.Health())
	}
	return r
}

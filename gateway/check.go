package gateway

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxChecks bounds the cached checks in each of two generations.
const maxChecks = 1 << 14

// checks caches what storages report about objects, and lets clicks that need the same
// check at the same time share it. A check is valid for keep, counted from its start. The
// cached results are: the object exists, with its properties; it does not exist; it
// cannot be read. Other failures are not cached.
//
// This is not a singleflight.Group: a click must not join a check that started longer
// than keep ago, and the cached path must not allocate a key.
type checks struct {
	keep time.Duration
	now  func() time.Time

	mu sync.Mutex
	// Every keep, or at maxChecks, the young checks become the old ones and the old ones
	// are dropped. No code has to search for expired checks.
	young, old map[checkKey]*check
	turned     time.Time
}

// checkKey names the object, or a version of it.
type checkKey struct {
	ObjectRef
	version string
}

// check is one request to a storage.
type check struct {
	start time.Time
	done  chan struct{}
	info  ObjectInfo // set before done is closed
	err   error      // set before done is closed
}

// answered reports whether the storage has answered.
func (c *check) answered() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func newChecks(keep time.Duration, now func() time.Time) *checks {
	return &checks{keep: keep, now: now, young: map[checkKey]*check{}, turned: now()}
}

// stat returns the state of an object, or of a version of it, from the cache or from the
// storage. It waits until ctx ends at most.
func (c *checks) stat(ctx context.Context, storage *Storage, ref *ObjectRef, version string) (ObjectInfo, error) {
	key := checkKey{*ref, version}
	shared, started := c.join(key)
	if shared.answered() {
		return shared.info, shared.err
	}
	if started {
		// All waiting clicks share the check, so it does not end with one of them.
		go c.run(context.WithoutCancel(ctx), storage, key, shared)
	}
	select {
	case <-shared.done:
		return shared.info, shared.err
	case <-ctx.Done():
		return ObjectInfo{}, errors.Join(ErrUnavailable, ctx.Err())
	}
}

// join returns the check of key that is still valid, or a new one that the caller has to
// run.
func (c *checks) join(key checkKey) (_ *check, started bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range [...]map[checkKey]*check{c.young, c.old} {
		if found, ok := known[key]; ok && now.Sub(found.start) < c.keep {
			return found, false
		}
	}
	if now.Sub(c.turned) >= c.keep || len(c.young) >= maxChecks {
		c.young, c.old, c.turned = map[checkKey]*check{}, c.young, now
	}
	added := &check{start: now, done: make(chan struct{})}
	c.young[key] = added
	return added, true
}

// run asks the storage. It removes the check from the cache if the storage did not
// answer.
func (c *checks) run(ctx context.Context, storage *Storage, key checkKey, shared *check) {
	shared.info, shared.err = storage.Objects.Stat(ctx, key.Bucket, key.Key, key.version)
	if shared.err != nil && !errors.Is(shared.err, ErrObjectNotFound) && !unreadable(shared.err) {
		c.mu.Lock()
		for _, known := range [...]map[checkKey]*check{c.young, c.old} {
			if known[key] == shared {
				delete(known, key)
			}
		}
		c.mu.Unlock()
	}
	close(shared.done)
}

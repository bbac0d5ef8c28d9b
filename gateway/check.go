package gateway

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxChecks bounds how many checks are remembered in each of two generations.
const maxChecks = 1 << 14

// checks remembers what storages said of objects, and joins those who ask the
// same at the same time. An answer serves for keep, counted from its question.
// Answers are that an object is there, and how, that nobody can read it, or that
// it is not there.
type checks struct {
	keep time.Duration
	now  func() time.Time

	mu sync.Mutex
	// Young checks become old ones, and old ones are dropped, every keep or when
	// there are maxChecks: nothing is searched for what has had its time.
	young, old map[checkKey]*check
	turned     time.Time
}

// checkKey is what is asked for: the object, or one version of it.
type checkKey struct {
	ObjectRef
	version string
}

// check is one question to a storage.
type check struct {
	asked time.Time
	done  chan struct{}
	info  ObjectInfo // set before done is closed
	err   error      // the same
}

// answered tells whether the storage has answered.
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

// stat returns what the storage says of an object, or of one version of it, or
// said less than keep ago. It waits until ctx ends at most.
func (c *checks) stat(ctx context.Context, storage *Storage, ref *ObjectRef, version string) (ObjectInfo, error) {
	key := checkKey{*ref, version}
	asked, begun := c.join(key)
	if asked.answered() {
		return asked.info, asked.err
	}
	if begun {
		// It is asked for all who wait, so it does not end with one of them.
		go c.ask(context.WithoutCancel(ctx), storage, key, asked)
	}
	select {
	case <-asked.done:
		return asked.info, asked.err
	case <-ctx.Done():
		return ObjectInfo{}, errors.Join(ErrUnavailable, ctx.Err())
	}
}

// join returns the check of key that is young enough, or begins one.
func (c *checks) join(key checkKey) (_ *check, begun bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range [...]map[checkKey]*check{c.young, c.old} {
		if found, ok := known[key]; ok && now.Sub(found.asked) < c.keep {
			return found, false
		}
	}
	if now.Sub(c.turned) >= c.keep || len(c.young) >= maxChecks {
		c.young, c.old, c.turned = map[checkKey]*check{}, c.young, now
	}
	begins := &check{asked: now, done: make(chan struct{})}
	c.young[key] = begins
	return begins, true
}

// ask puts the question and forgets it where it was not answered.
func (c *checks) ask(ctx context.Context, storage *Storage, key checkKey, asked *check) {
	asked.info, asked.err = storage.Objects.Stat(ctx, key.Bucket, key.Key, key.version)
	if asked.err != nil && !errors.Is(asked.err, ErrObjectNotFound) && !unreadable(asked.err) {
		c.mu.Lock()
		for _, known := range [...]map[checkKey]*check{c.young, c.old} {
			if known[key] == asked {
				delete(known, key)
			}
		}
		c.mu.Unlock()
	}
	close(asked.done)
}

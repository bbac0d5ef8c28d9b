package contexts

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// lockTimeout bounds the wait for another command. An update takes milliseconds.
	lockTimeout = 5 * time.Second
	// lockInterval is the time between two attempts.
	lockInterval = 10 * time.Millisecond
)

// ErrLocked means that another process is changing the configuration.
var ErrLocked = errors.New("another command is changing the contexts")

// lock takes the lock at path and returns the function that releases it. It waits for at
// most lockTimeout.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		unlock, err = tryLock(path)
		if !errors.Is(err, ErrLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the lock %s is still held", err, path)
		case <-time.After(lockInterval):
		}
	}
}

//go:build unix && !aix && !solaris

package contexts

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock at path, or returns ErrLocked. The system releases the lock when
// the process ends, so a crash leaves no lock. The file stays: removing it would let a
// second process lock a new file of the same name.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode) //nolint:gosec // the user's own directory
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			err = ErrLocked
		}
		return nil, err
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}

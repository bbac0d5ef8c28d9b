//go:build !unix || aix || solaris

package contexts

import (
	"errors"
	"io/fs"
	"os"
)

// tryLock takes the lock at path, or returns ErrLocked. The lock is held
// while the file exists. A crash leaves the file; the error of lock then names the file to
// remove.
func tryLock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	switch {
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrPermission): // Windows denies a file that is being removed
		return nil, ErrLocked
	case err != nil:
		return nil, err
	}
	return func() { _ = file.Close(); _ = os.Remove(path) }, nil
}

//go:build unix

package localredis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// tryLock locks a file until the last process that has it open closes it, or ends. It
// returns errLocked if the file is locked.
func tryLock(path string) (*os.File, error) {
	//nolint:gosec // in the service's own directory
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	}
	return nil, errors.Join(err, file.Close())
}

// checkOwner refuses a directory of another user, who could replace its files.
func checkOwner(path string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return &Error{
			fmt.Sprintf("%s belongs to user %d; the service runs as user %d", path, stat.Uid, os.Geteuid()),
			"give the directory to the user of the service with chown, or set another redis.directory",
		}
	}
	return nil
}

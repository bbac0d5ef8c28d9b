package localredis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of the service in the directory. A lock is held until its process ends,
// however that happens, so none of them needs to be removed.
const (
	socketName      = "redis.sock"
	serviceLockName = "service.lock" // held by the service
	redisLockName   = "redis.lock"   // held by Redis and its children
)

// maxSocket is the longest path of a socket in bytes: the smallest sun_path of the
// systems, that of macOS, without its zero byte (unix(4)).
const maxSocket = 103

// MaxDirectory is the longest directory in bytes.
const MaxDirectory = maxSocket - len("/"+socketName)

// errLocked means that another process holds the lock.
var errLocked = errors.New("the file is locked")

// Socket returns the path of the socket on which Redis listens.
func Socket(directory string) string { return filepath.Join(directory, socketName) }

// Examine checks the directory without changing it. A directory that does not exist is
// right: Start makes it. The error is an *Error.
func Examine(directory string) error { return examine(directory, false) }

// examine is Examine; with retired, it accepts a directory that Retire has marked.
func examine(directory string, retired bool) error {
	if n := len(filepath.Clean(directory)); n > MaxDirectory {
		return &Error{
			fmt.Sprintf("the path of the directory has %d bytes; the limit is %d, because a path of a socket is short",
				n, MaxDirectory),
			"set a shorter redis.directory",
		}
	}
	info, err := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(directory, err)
	case !info.IsDir():
		return &Error{directory + " is not a directory", "set another redis.directory"}
	case info.Mode().Perm()&0o077 != 0:
		return &Error{
			fmt.Sprintf("other users of this machine may enter %s: its mode is %04o", directory, info.Mode().Perm()),
			"chmod 700 " + directory,
		}
	}
	if err := checkOwner(directory, info); err != nil || retired {
		return err
	}
	return checkRetired(directory)
}

// prepare makes the directory and takes its lock. With retired, it accepts a directory that
// Retire has marked.
func prepare(directory string, retired bool) (*os.File, error) {
	if err := examine(directory, retired); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, unusable(directory, err)
	}
	// Between the two, another user could have made the directory.
	if err := examine(directory, retired); err != nil {
		return nil, err
	}
	lock, err := tryLock(filepath.Join(directory, serviceLockName))
	if errors.Is(err, errLocked) {
		return nil, &Error{
			"another keyhole serve uses the directory " + directory,
			"stop the other service, or set another redis.directory",
		}
	}
	if err != nil {
		return nil, unusable(directory, err)
	}
	return lock, nil
}

// unusable returns the error for a directory or file that cannot be used.
func unusable(directory string, err error) error {
	return &Error{
		fmt.Sprintf("the directory %s of Redis cannot be used: %s", directory, err),
		"make sure that the user of the service may write to redis.directory, and that its disk is not full",
	}
}

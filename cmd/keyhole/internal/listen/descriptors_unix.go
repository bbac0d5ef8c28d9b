//go:build unix

package listen

import "syscall"

// descriptors returns how many file descriptors this process may have. Go has raised the
// soft limit to the hard limit.
func descriptors() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return uint64(limit.Cur), nil //nolint:unconvert // It is signed on some systems.
}

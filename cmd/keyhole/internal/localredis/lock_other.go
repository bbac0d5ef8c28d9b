//go:build !unix

package localredis

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// tryLock fails: Redis does not run on this system.
func tryLock(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// checkOwner accepts every directory.
func checkOwner(string, fs.FileInfo) error { return nil }

// attributes returns no attributes.
func attributes() *syscall.SysProcAttr { return nil }

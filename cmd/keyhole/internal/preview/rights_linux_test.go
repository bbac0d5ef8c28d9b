package preview

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// TestDirectoryWithoutRights reports a directory in which the user may not write. Root may
// write everywhere, so the command runs on a thread with the rights of another user, which
// ends with its goroutine.
func TestDirectoryWithoutRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{dir, filepath.Join(dir, "new")} {
		var (
			err     error
			running sync.WaitGroup
		)
		running.Go(func() {
			runtime.LockOSThread() // never unlocked, so no other goroutine gets these rights
			if os.Getuid() == 0 {
				if err = syscall.Setfsuid(65534); err != nil {
					return
				}
			}
			_, _, err = preview(t, nil, "--output", output, "--state", "expired")
		})
		running.Wait()
		wantUnwritable(t, err, dir)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: got %v", output, err)
		}
	}
	if written := contents(t, dir); len(written) > 0 {
		t.Errorf("written are %q", written)
	}
}

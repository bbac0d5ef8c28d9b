//go:build system && linux

package system

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/api"
)

// The disk of redis.directory is full: changes and clicks are refused, nothing that was
// acknowledged is lost, and the service recovers when there is space. The disk is a small
// file system in a mount namespace of the service, which needs no rights of root.
func TestLocalDiskFull(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	if err := os.Mkdir(in.directory, 0o700); err != nil {
		t.Fatal(err)
	}
	namespaces := "-Urm"
	if os.Geteuid() == 0 { // Root needs no user namespace, which some machines forbid.
		namespaces = "-m"
	}
	in.within = []string{
		"unshare", namespaces, "sh", "-c", `mount -t tmpfs -o size=2m,mode=0700 redis "$0" && exec "$@"`, in.directory,
	}
	g := in.start(t)
	live, dead := share(t, g), revoked(t, g)
	wantClick(t, live.URL, http.StatusFound)

	filler := fmt.Sprintf("/proc/%d/root%s", g.process.command.Process.Pid, filepath.Join(in.directory, "filler"))
	fill(t, filler)
	// The last page of the file may have space for a few more changes.
	eventually(t, "a change to be refused", func() error {
		_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: "1h"})
		if err == nil {
			return errors.New("it is acknowledged")
		}
		return nil
	})
	wantClick(t, live.URL, http.StatusServiceUnavailable)
	if _, err := g.client.Revoke(t.Context(), live.ID, "test"); err == nil {
		t.Error("a revocation is acknowledged")
	}
	eventually(t, "the log to name the full disk", func() error {
		if !strings.Contains(g.process.output.String(), "the disk of "+in.directory+" is full") {
			return errors.New("it does not")
		}
		return nil
	})

	// Redis runs again until its next write, so what only reads can succeed meanwhile.
	eventually(t, "a read between two ends of Redis", func() error {
		shown, err := g.client.Show(t.Context(), live.ID)
		if err == nil && shown.State != "active" {
			t.Fatalf("the live link is %s", shown.State)
		}
		return err
	})
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	wantClick(t, live.URL, http.StatusFound)
	wantClick(t, dead.URL, http.StatusGone)
	if _, err := g.client.Revoke(t.Context(), live.ID, "test"); err != nil {
		t.Errorf("a revocation after the outage: %v", err)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

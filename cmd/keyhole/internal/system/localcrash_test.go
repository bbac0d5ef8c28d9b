//go:build system

package system

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"keyhole/gateway/api"
)

// Everything is killed at once while links are revoked: no acknowledged revocation is lost,
// whatever was in progress.
func TestLocalKilledWhileRevoking(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	before := g.public
	var batch api.BatchRequest
	for range 100 {
		batch.Links = append(batch.Links, api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: "1h"})
	}
	issued, err := g.client.IssueBatch(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range issued.Results {
		if result.Link == nil {
			t.Fatalf("a link was not issued: %+v", result.Problem)
		}
	}
	pid := in.redis(t)
	// Four clients revoke, and the machine dies when some revocations are acknowledged.
	var acknowledged [100]atomic.Bool
	var count atomic.Int64
	ended := make(chan struct{})
	for worker := range 4 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for i := worker; i < len(issued.Results); i += 4 {
				if _, err := g.client.Revoke(t.Context(), issued.Results[i].Link.ID, "test"); err == nil {
					acknowledged[i].Store(true)
					count.Add(1)
				}
			}
		}()
	}
	eventually(t, "some revocations", func() error {
		if count.Load() < 20 {
			return errors.New("there are too few")
		}
		return nil
	})
	err = errors.Join(syscall.Kill(g.process.command.Process.Pid, syscall.SIGKILL), ignoreGone(syscall.Kill(pid,
		syscall.SIGKILL)))
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		<-ended
	}
	gone(t, pid)

	g = in.start(t)
	live := 0
	for i, result := range issued.Results {
		shown, err := g.client.Show(t.Context(), result.Link.ID)
		if err != nil {
			t.Fatalf("a link is lost: %v", err)
		}
		if shown.State == "active" {
			live++
		}
		if acknowledged[i].Load() {
			if shown.State != "revoked" {
				t.Errorf("a link whose revocation was acknowledged is %s", shown.State)
			}
			wantClick(t, strings.Replace(result.Link.URL, before, g.public, 1), http.StatusGone)
		}
	}
	t.Logf("%d of 100 revocations were acknowledged, %d links are live", count.Load(), live)
}

// ignoreGone returns err, unless the process had ended: the kernel ends Redis with the
// service.
func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Where no kernel ends Redis together with the service, as on macOS, Redis goes on when the
// service is killed. The next start ends it, and nothing is lost. A program between the two
// takes the kernel's signal here.
func TestLocalRedisOutlivesService(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	real, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(t.TempDir(), "redis-server")
	// A shell gives its background jobs no standard input, from which Redis reads its settings.
	script := "#!/bin/sh\nexec 4<&0\n" + real + ` "$@" <&4 4<&- &` + "\nwait $!\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + filepath.Dir(wrapper) + ":" + os.Getenv("PATH")
	g := in.launch(t, path)
	g.waitReady(t)
	before := g.public
	live, dead := share(t, g), revoked(t, g)
	pid := in.redis(t)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // It has usually ended.
	kill(t, g.process.command.Process.Pid)
	if again := in.redis(t); again != pid {
		t.Fatalf("process %d became %d: Redis ended with the service", pid, again)
	}

	g = in.start(t)
	gone(t, pid)
	if !strings.Contains(g.process.output.String(), "redis-server of a killed service was still running") {
		t.Error("the log does not name the Redis that was left behind")
	}
	wantClick(t, strings.Replace(live.URL, before, g.public, 1), http.StatusFound)
	wantClick(t, strings.Replace(dead.URL, before, g.public, 1), http.StatusGone)
}

// With full memory, new links and clicks get 503, revocations work, and Redis is not killed.
func TestLocalMemoryFull(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.launch(t, "KEYHOLE_REDIS_MAX_MEMORY=16")
	g.waitReady(t)
	live, other := share(t, g), share(t, g)
	pid := in.redis(t)
	set := func(arguments ...string) string {
		out, err := exec.Command("redis-cli", append([]string{
			"-s", filepath.Join(in.directory, "redis.sock"), "--user", "keyhole", "--pass", "x", "--no-auth-warning",
		}, arguments...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	refusal, filled := "", 0
	for value := strings.Repeat("x", 100<<10); refusal == "" && filled < 400; filled++ {
		if got := set("SET", "keyhole:filler:"+strings.Repeat("x", filled), value); got != "OK" {
			refusal = got
		}
	}
	if !strings.Contains(refusal, "OOM") {
		t.Fatalf("the memory does not get full: %q", refusal)
	}
	eventually(t, "an issue to be refused", func() error {
		_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file.txt", ExpiresIn: "1h"})
		if refused := refusalOf(err); refused == nil || refused.Status != http.StatusServiceUnavailable {
			return errors.New("it is acknowledged")
		}
		return nil
	})
	wantClick(t, live.URL, http.StatusServiceUnavailable)
	if _, err := g.client.Revoke(t.Context(), live.ID, "test"); err != nil {
		t.Errorf("a revocation: %v", err)
	}
	for i := range filled {
		set("DEL", "keyhole:filler:"+strings.Repeat("x", i))
	}
	wantClick(t, live.URL, http.StatusGone)
	wantClick(t, other.URL, http.StatusFound)
	if again := in.redis(t); again != pid {
		t.Errorf("process %d became %d", pid, again)
	}
}

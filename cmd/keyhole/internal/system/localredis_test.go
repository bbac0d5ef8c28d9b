//go:build system

package system

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/objects/s3test"
)

// localInstallation is a gateway with a Redis of its own in directory.
type localInstallation struct {
	s3        *s3test.Server
	directory string
	key       string
	within    []string // a program and its arguments that start the gateway; usually none
}

// installLocal starts an S3 server with an object file.txt. The directory has a short
// path, because a socket lies in it.
func installLocal(t *testing.T) *localInstallation {
	t.Helper()
	base, err := os.MkdirTemp("", "kh-") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	in := &localInstallation{
		s3: s3test.Start(t, "reports"), directory: filepath.Join(base, "redis"), key: operatorkey.New(),
	}
	in.s3.Put(t, "reports", "file.txt", "text/plain", []byte("content"))
	return in
}

// launch starts a gateway over the directory.
func (in *localInstallation) launch(t *testing.T, env ...string) *instance {
	t.Helper()
	public, operator := freeAddress(t), freeAddress(t)
	secret := filepath.Join(t.TempDir(), "s3-secret")
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	text := fmt.Sprintf(`
public: { listen: %q, url: "http://%s" }
operator:
  listen: %q
  keys: [{ name: ops, sha256: %s, can: [issue, read, revoke, browse] }]
redis: { mode: local, directory: %q, timeout: 15s }
storage:
  - name: main
    timeout: 20s
    endpoint: %q
    path_style: true
    buckets: [reports]
    access_key_id: %s
    secret_access_key_file: %q
pages: { organization: Example Ltd }
log: { level: debug }
`, public, public, operator, operatorkey.Hash(in.key), in.directory, in.s3.Endpoint(), s3test.RootKey, secret)
	for name, text := range map[string]string{secret: s3test.RootSecret, path: text} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := &instance{
		public: "http://" + public, operator: "http://" + operator, config: path,
	}
	command := slices.Concat(in.within, []string{binary, "serve", "--config", path})
	g.process = startProcess(t, command[0], env, command[1:]...)
	var err error
	if g.client, err = client.New(g.operator, in.key); err != nil {
		t.Fatal(err)
	}
	return g
}

// start starts a gateway and waits until it is ready.
func (in *localInstallation) start(t *testing.T) *instance {
	t.Helper()
	g := in.launch(t)
	g.waitReady(t)
	return g
}

// redis returns the process id of the Redis that serves the directory.
func (in *localInstallation) redis(t *testing.T) int {
	t.Helper()
	pid := 0
	eventually(t, "redis to tell its process", func() error {
		out, err := exec.Command("redis-cli", "-s", filepath.Join(in.directory, "redis.sock"), "--user", "keyhole", "--pass",
			"x", "--no-auth-warning", "INFO", "server").CombinedOutput()
		found := regexp.MustCompile(`process_id:(\d+)`).FindSubmatch(out)
		if err != nil || found == nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		pid, err = strconv.Atoi(string(found[1]))
		return err
	})
	return pid
}

// kill kills a process and waits until it is gone.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the process to end", func() error {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") {
			return nil
		}
		return errors.New("it runs")
	})
}

// wantClick waits until a click has a status.
func wantClick(t *testing.T, address string, status int) {
	t.Helper()
	eventually(t, fmt.Sprintf("a click to get %d", status), func() error {
		if a := get(t, http.MethodGet, address); a.status != status {
			return fmt.Errorf("it gets %d", a.status)
		}
		return nil
	})
}

// revoked issues and revokes a link.
func revoked(t *testing.T, g *instance) api.Link {
	t.Helper()
	link := share(t, g)
	if _, err := g.client.Revoke(t.Context(), link.ID, "test"); err != nil {
		t.Fatal(err)
	}
	return link
}

// Redis is killed: clicks get 503 until it runs again, and nothing that was acknowledged
// is lost.
func TestLocalRedisKilled(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	live, dead := share(t, g), revoked(t, g)
	wantClick(t, live.URL, http.StatusFound)
	pid := in.redis(t)
	// While the file is damaged for Redis, it cannot start again, so the outage lasts.
	manifest := filepath.Join(in.directory, "appendonlydir", "appendonly.aof.manifest")
	if err := os.Rename(manifest, manifest+".away"); err != nil {
		t.Fatal(err)
	}
	kill(t, pid)
	if m := refusedClicks(t, live.URL); m.exceeds(unavailableWithin) {
		t.Errorf("a 503 took more than %s: %v", unavailableWithin, m)
	}
	// The supervision may still be in its first pause.
	eventually(t, "readiness to say that Redis needs repair", func() error {
		r, err := g.client.Ready(t.Context())
		if err != nil || r.Ready {
			t.Fatalf("readiness is %+v, %v", r, err)
		}
		if !strings.Contains(r.Redis, "needs repair") {
			return errors.New(r.Redis)
		}
		return nil
	})
	if err := os.Rename(manifest+".away", manifest); err != nil {
		t.Fatal(err)
	}
	wantClick(t, live.URL, http.StatusFound)
	wantClick(t, dead.URL, http.StatusGone)
	metrics := get(t, http.MethodGet, g.operator+"/metrics").body
	if !regexp.MustCompile(`\nkeyhole_redis_restarts_total [1-9]`).MatchString(metrics) {
		t.Error("no metric counts the restarts")
	}
}

// The service is killed, and its Redis with it, or after it; then both at once. The next
// start has everything that was acknowledged.
func TestLocalServiceKilled(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	live, dead := share(t, g), revoked(t, g)
	pid := in.redis(t)
	kill(t, g.process.command.Process.Pid)
	gone(t, pid)

	before := g.public
	g = in.start(t)
	if id := live.ID; id != "" {
		if _, err := g.client.Show(t.Context(), id); err != nil {
			t.Errorf("the live link is lost: %v", err)
		}
	}
	wantClick(t, strings.Replace(live.URL, before, g.public, 1), http.StatusFound)
	wantClick(t, strings.Replace(dead.URL, before, g.public, 1), http.StatusGone)
	if shown, err := g.client.Show(t.Context(), dead.ID); err != nil || shown.State != "revoked" {
		t.Errorf("the revoked link is %q, %v", shown.State, err)
	}
	second := revoked(t, g)
	pid = in.redis(t)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	kill(t, g.process.command.Process.Pid)
	g = in.start(t)
	if shown, err := g.client.Show(t.Context(), second.ID); err != nil || shown.State != "revoked" {
		t.Errorf("the link that was revoked before both were killed is %q, %v", shown.State, err)
	}
}

// SIGTERM ends Redis last and cleanly. The events of the last clicks are there at the next
// start.
func TestLocalStop(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	link := share(t, g)
	if a := get(t, http.MethodGet, link.URL); a.status != http.StatusFound { // A second click would count too.
		t.Fatalf("a click: %d", a.status)
	}
	pid := in.redis(t)
	g.process.terminateInTime(t)
	gone(t, pid)
	if text := g.process.output.String(); strings.Contains(text, `"level":"ERROR"`) ||
		!strings.Contains(text, "bye bye") {
		t.Error("Redis did not end cleanly")
	}
	g = in.start(t)
	shown, err := g.client.Show(t.Context(), link.ID)
	if err != nil || shown.Clicks != 1 {
		t.Errorf("the link has %d clicks, %v", shown.Clicks, err)
	}
}

// refusedStart waits for the end of a service that cannot start.
func refusedStart(t *testing.T, g *instance, texts ...string) {
	t.Helper()
	select {
	case <-g.process.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the service runs")
	}
	if code := g.process.command.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, text := range texts {
		if !strings.Contains(g.process.output.String(), text) {
			t.Errorf("the output lacks %q:\n%s", text, g.process.output.Tail(2<<10))
		}
	}
}

// What prevents the start: each has a plain error and exit code 2.
func TestLocalRefused(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	link := share(t, g)

	t.Run("second service", func(t *testing.T) {
		refusedStart(t, in.launch(t), "another keyhole serve uses the directory "+in.directory)
		wantClick(t, link.URL, http.StatusFound)
	})
	old := t.TempDir()
	if err := os.WriteFile(filepath.Join(old, "redis-server"),
		[]byte("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0:0'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("old version", func(t *testing.T) {
		refusedStart(t, in.launch(t, "PATH="+old), "has version 6.2.14, which is too old")
	})
	t.Run("missing program", func(t *testing.T) {
		refusedStart(t, in.launch(t, "PATH="+t.TempDir()), "neither redis-server nor valkey-server is in PATH")
	})
	t.Run("open directory", func(t *testing.T) {
		other := &localInstallation{s3: in.s3, directory: t.TempDir(), key: in.key}
		if err := os.Chmod(other.directory, 0o755); err != nil {
			t.Fatal(err)
		}
		refusedStart(t, other.launch(t), "its mode is 0755", "chmod 700")
	})
}

// A half-written last command is dropped, and the log says so. Any other damage prevents
// the start and changes nothing.
func TestLocalDamage(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	dead := revoked(t, g)
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(in.directory, "appendonlydir", "appendonly.aof.1.incr.aof")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	half := "*3\r\n$3\r\nSET\r\n$9\r\nkeyho"
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(whole) + half)
	g = in.start(t)
	if text := g.process.output.String(); !strings.Contains(text, "append-only file ends in a half-written command") {
		t.Error("the log does not say that a command was dropped")
	}
	if shown, err := g.client.Show(t.Context(), dead.ID); err != nil || shown.State != "revoked" {
		t.Errorf("the revoked link is %q, %v", shown.State, err)
	}
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"zero bytes":   string(whole) + strings.Repeat("\x00", 512) + string(whole),
		"wrong length": strings.Replace(string(whole), "$", "$9", 1),
		"wrong bytes":  string(whole[:len(whole)/2]) + "garbage" + string(whole[len(whole)/2:]),
	} {
		write(content)
		refusedStart(t, in.launch(t), "redis-check-aof --fix", file)
		if after, err := os.ReadFile(file); err != nil || string(after) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

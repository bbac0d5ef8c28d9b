package localredis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/gateway/logtest"
)

// options returns options for a new directory with a short path, and the log.
func options(t *testing.T) (Options, *logtest.Buffer) {
	t.Helper()
	base, err := os.MkdirTemp("", "kh-") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	log := &logtest.Buffer{}
	return Options{
		Directory: filepath.Join(base, "redis"), Prefix: "keyhole",
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}, log
}

// start starts a server that ends with the test.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop stops a server; a second time does nothing.
func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// until waits for a condition, 20 s at most.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s", what)
		}
		time.Sleep(pollEvery)
	}
}

// pidOf returns the ID of the running process. On a busy machine, an answer can be too late.
func pidOf(t *testing.T, o Options) (pid int) {
	t.Helper()
	until(t, "the process ID", func() bool {
		var err error
		pid, err = processOf(t.Context(), Socket(o.Directory))
		return err == nil
	})
	return pid
}

// cli runs redis-cli as the user of the service.
func cli(t *testing.T, o Options, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "redis-cli", append([]string{
		"-s", Socket(o.Directory), "--no-auth-warning", "--user", Username, "--pass", Password,
	}, arguments...)...).CombinedOutput()
	if err != nil {
		return err.Error() + string(out)
	}
	return strings.TrimSpace(string(out))
}

// The rights of the user and the embedded file are those that are shipped.
func TestShippedACL(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../../../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != acl {
		t.Error("users.acl differs from deploy/redis/users.acl: copy it")
	}
	text := configuration(&Options{Directory: `/a "b\`, Prefix: "other", Commands: []string{"scan"}})
	for _, want := range []string{
		`dir "/a \"b\\"`, "\nport 0\n", "\nappendfsync always\n", "\nmaxmemory-policy noeviction\n",
		"\nuser default off ", "\nuser keyhole on nopass ~other:* ", " +cluster|info +scan\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the configuration lacks %q", want)
		}
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	s := start(t, o)
	for path, want := range map[string]os.FileMode{o.Directory: 0o700, Socket(o.Directory): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	if got := cli(t, o, "SET", "keyhole:a", "1"); got != "OK" {
		t.Errorf("SET: %s", got)
	}
	for _, refused := range [][]string{{"SET", "other", "1"}, {"FLUSHALL"}, {"CONFIG", "GET", "*"}, {"SHUTDOWN"}} {
		if got := cli(t, o, refused...); !strings.Contains(got, "NOPERM") {
			t.Errorf("%v: %s", refused, got)
		}
	}
	if got := cli(t, o, "INFO"); !strings.Contains(got, "aof_enabled:1") || !strings.Contains(got, "tcp_port:0") ||
		!strings.Contains(got, "maxmemory_policy:noeviction") {
		t.Errorf("INFO: %s", got)
	}
	// A Redis that is killed runs again, with its data.
	pid := pidOf(t, o)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the restart", func() bool { return s.Restarts() == 1 && cli(t, o, "GET", "keyhole:a") == "1" })
	stop(t, s)
	if _, err := ask(t.Context(), Socket(o.Directory), "PING"); err == nil {
		t.Error("Redis runs after Stop")
	}
}

// wantRefused starts a server that must be refused.
func wantRefused(t *testing.T, o Options, want string) {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err == nil {
		stop(t, s)
	}
	if _, ok := errors.AsType[*Error](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q", err, want)
	}
}

func TestRefusedDirectories(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	start(t, o)
	wantRefused(t, o, "another keyhole serve uses the directory")

	open, _ := options(t)
	put(t, filepath.Join(open.Directory, "x"), "")
	if err := os.Chmod(open.Directory, 0o750); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, open, "its mode is 0750")

	file, _ := options(t)
	put(t, file.Directory, "")
	wantRefused(t, file, "is not a directory")
	file.Directory += "/below"
	wantRefused(t, file, "cannot be used")

	long, _ := options(t)
	long.Directory = "/" + strings.Repeat("d", MaxDirectory)
	wantRefused(t, long, "the limit is 92")
}

// orphan starts a Redis as a killed service leaves it behind where no kernel ends it.
func orphan(t *testing.T, o Options) int {
	t.Helper()
	lock, err := prepare(o.Directory, false)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{options: o, log: o.Logger, program: Program{Path: "redis-server"}}
	launched, ended := make(chan *exec.Cmd), make(chan struct{})
	go func() {
		runtime.LockOSThread() // as in supervise
		defer close(ended)
		cmd, err := s.launch(&output{log: o.Logger})
		launched <- cmd
		if err == nil {
			_ = cmd.Wait() // The test kills it.
		}
	}()
	cmd := <-launched
	if cmd == nil {
		t.Fatal("Redis does not start")
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	until(t, "the orphan", func() bool { return s.waitReady(t.Context()) })
	// A program that another test starts has a copy of the lock until its exec.
	syscall.ForkLock.RLock()
	err = lock.Close()
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// A Redis that was left behind is ended, and its data is there.
func TestOrphan(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	before := orphan(t, o)
	if got := cli(t, o, "SET", "keyhole:a", "1"); got != "OK" {
		t.Fatal(got)
	}
	start(t, o)
	if after := pidOf(t, o); after == before {
		t.Errorf("process %d follows %d", after, before)
	}
	if got := cli(t, o, "GET", "keyhole:a"); got != "1" {
		t.Errorf("the data is %q", got)
	}
	if !strings.Contains(log.String(), "redis-server of a killed service was still running") {
		t.Error("the log does not name the Redis that was left behind")
	}
}

// A Redis that was left behind is also ended if it does not answer the first question, because
// the machine is busy.
func TestBusyOrphan(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	before := orphan(t, o)
	socket := Socket(o.Directory)
	if err := os.Rename(socket, socket+".away"); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // By then, the path is that of Redis again.
	asked := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = errors.Join(os.Rename(socket+".away", socket), conn.Close(), l.Close())
		}
		asked <- err
	}()
	start(t, o)
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if after := pidOf(t, o); after == before {
		t.Errorf("process %d was not ended", before)
	}
}

// A Redis that was left behind and does not answer keeps others out.
func TestSilentOrphan(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	pid := orphan(t, o)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, o, "a redis-server of an earlier service still uses the directory")
}

// Damage that only Redis finds: the base in RDB format has a checksum.
func TestDamagedBase(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	s := start(t, o)
	cli(t, o, "SET", "keyhole:a", strings.Repeat("1", 100))
	stop(t, s)
	base := filepath.Join(o.Directory, aofDirectory, "appendonly.aof.1.base.rdb")
	text, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	put(t, base, string(text[:len(text)/2]))
	wantRefused(t, o, "is damaged")
}

// fullDisk is the text with which Redis ends on a full disk.
const fullDisk = "1:M 29 Nov 2026 08:00:00.000 # Error writing to the append only file: No space left on device\n"

func TestOutput(t *testing.T) {
	t.Parallel()
	log := &logtest.Buffer{}
	o := &output{log: slog.New(slog.NewTextHandler(log, nil))}
	for _, part := range []string{
		"1:C 29 Nov 2026 08:00:00.000 # a war", "ning\n1:M 29 Nov 2026 08:00:00.000 * a notice\n\n",
		"1:M 29 Nov 2026 08:00:00.000 - a detail\nraw\n", fullDisk, strings.Repeat("x", 2*maxOutputLine),
	} {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	for _, want := range []string{
		`level=WARN msg=redis-server message="a warning"`, `level=INFO msg=redis-server message="a notice"`,
		`level=INFO msg=redis-server message=raw`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "a detail") {
		t.Error("the log has a detail at level info")
	}
	if e := o.ending(); !e.full || e.damage != "" || len(o.rest) > maxOutputLine {
		t.Errorf("the ending is %+v, with %d bytes", e, len(o.rest))
	}
}

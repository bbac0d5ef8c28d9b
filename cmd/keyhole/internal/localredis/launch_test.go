package localredis

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/gateway/logtest"
)

// wantError checks that err is an *Error whose problem contains a text and whose advice is
// not empty.
func wantError(t *testing.T, name string, err error, want string) {
	t.Helper()
	wrong, ok := errors.AsType[*Error](err)
	if !ok || !strings.Contains(wrong.Problem, want) || wrong.Do == "" {
		t.Errorf("%s: the error is %v, want %q", name, err, want)
	}
}

// prepared returns a server in a new directory without a process. Its tests do not run in
// parallel: a program that another test starts holds every lock until its exec.
func prepared(t *testing.T) *Server {
	t.Helper()
	o, _ := options(t)
	lock, err := prepare(o.Directory, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	return &Server{options: o, log: o.Logger, lock: lock, program: Program{Path: "/nonexistent/redis-server"}}
}

// launch starts no process while another one may use the directory, and a launch that
// failed leaves the lock of Redis free for the next one.
func TestLaunchRefused(t *testing.T) { //nolint:paralleltest // see prepared
	s := prepared(t)
	lockPath, socket := filepath.Join(s.options.Directory, redisLockName), Socket(s.options.Directory)
	launch := func(name, want string) error {
		cmd, err := s.launch(&output{log: s.log})
		if cmd != nil || err == nil || !strings.Contains(err.Error(), want) || s.process != nil {
			t.Errorf("%s: %v, %v, want %q", name, cmd, err, want)
		}
		return err
	}
	if err := launch("no program", "start /nonexistent/redis-server"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	held, err := tryLock(lockPath)
	if err != nil {
		t.Fatalf("the lock is not free after a failed launch: %v", err)
	}
	wantError(t, "locked", launch("locked", "another redis-server"), "another redis-server still uses the directory")
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(socket, "file"), "")
	wantError(t, "a directory as socket", launch("a directory as socket", "cannot be used"), socket)
	if err := os.RemoveAll(socket); err != nil {
		t.Fatal(err)
	}
	s.stopped = true
	_ = launch("stopping", "the service is stopping") // launch has checked the error
	s.stopped = false
	if err := errors.Join(os.Remove(lockPath), os.Symlink("elsewhere", lockPath)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a link as lock", launch("a link as lock", "cannot be used"), redisLockName)
	wantError(t, "waiting for a link", s.endOrphan(t.Context()), "cannot be used")
	if _, err := os.Lstat(filepath.Join(s.options.Directory, "elsewhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the target of the link was made: %v", err)
	}
}

// A Redis that does not get its configuration listens nowhere: with its own defaults it
// would listen on every interface, without the service's users.
func TestLaunchWithoutConfiguration(t *testing.T) { //nolint:paralleltest // see prepared
	s := prepared(t)
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	s.program.Path = filepath.Join(s.options.Directory, "redis-server")
	script := "#!/bin/sh\nexec " + program + ` "$@" </dev/null` + "\n"
	if err := os.WriteFile(s.program.Path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	out := &output{log: s.log}
	cmd, err := s.launch(out)
	if err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() }) // It may have ended.
	defer killed.Stop()
	if err := cmd.Wait(); err == nil || !strings.Contains(out.ending().mistake, "not listen anywhere") {
		t.Errorf("Redis ends with %v and says %q", err, out.ending().mistake)
	}
}

// The wait for an earlier Redis ends with the context of the caller, and at once when the
// lock is free.
func TestEndOrphanWaits(t *testing.T) { //nolint:paralleltest // see prepared
	s := prepared(t)
	path := filepath.Join(s.options.Directory, redisLockName)
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	err = s.endOrphan(ctx)
	wantError(t, "locked", err, "an earlier service still uses the directory "+s.options.Directory)
	if wrong, ok := errors.AsType[*Error](err); ok && !strings.Contains(wrong.Do, "lsof "+path) {
		t.Errorf("the advice does not name the lock: %s", wrong.Do)
	}
	if took := time.Since(begun); took >= orphanTimeout {
		t.Errorf("the wait took %s after the end of its context", took)
	}
	waited := make(chan error, 1)
	go func() { waited <- s.endOrphan(t.Context()) }()
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("after the lock was freed: %v", err)
	}
	if again, err := tryLock(path); err != nil || again.Close() != nil {
		t.Errorf("the wait keeps the lock: %v", err)
	}
}

// A start that fails on the lock of Redis frees the lock of the service.
func TestFailedStartFreesDirectory(t *testing.T) { //nolint:paralleltest // see prepared
	s := prepared(t)
	if err := s.lock.Close(); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(s.options.Directory, redisLockName)
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, s.options, "cannot be used")
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	start(t, s.options)
}

// prepare follows no link to a directory that does not exist, and takes no directory as
// its lock.
func TestPrepareRefused(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	if err := os.Symlink("elsewhere", o.Directory); err != nil {
		t.Fatal(err)
	}
	_, err := prepare(o.Directory, false)
	wantError(t, "a dangling link", err, "cannot be used")
	o, _ = options(t)
	put(t, filepath.Join(o.Directory, serviceLockName, "file"), "")
	_, err = prepare(o.Directory, false)
	wantError(t, "a directory as lock", err, serviceLockName)
}

// ownedInfo is the information about a file of a given user.
type ownedInfo struct {
	fs.FileInfo
	uid uint32
}

// Sys returns the user in the form of os.Stat.
func (i ownedInfo) Sys() any { return &syscall.Stat_t{Uid: i.uid} }

// A directory of another user is refused, also when the service runs as root.
func TestCheckOwner(t *testing.T) {
	t.Parallel()
	own := uint32(os.Geteuid()) //nolint:gosec // a user id of a Unix system is never negative
	if err := checkOwner("/d", ownedInfo{uid: own}); err != nil {
		t.Errorf("the own directory: %v", err)
	}
	wantError(t, "another user", checkOwner("/d", ownedInfo{uid: own + 1}), "/d belongs to user")
}

// Stop ends a pause before the next start: nothing runs after it.
func TestStopDuringPause(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	s := start(t, o)
	pid := pidOf(t, o)
	put(t, filepath.Join(o.Directory, aofDirectory, aofManifest), "damage")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The next pause takes 6.4 s, longer than a busy machine needs from here to Stop.
	until(t, "a long pause", func() bool { return s.Restarts() >= 7 })
	before := s.Restarts()
	stop(t, s)
	if after := s.Restarts(); after != before || strings.Contains(log.String(), "was killed") {
		t.Errorf("%d starts became %d:\n%s", before, after, log)
	}
}

// Each level of Redis has a level of the service. A long line is cut, and the first damage
// and the last warning are kept.
func TestOutputLevels(t *testing.T) {
	t.Parallel()
	log := &logtest.Buffer{}
	o := &output{log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for sign, level := range map[string]string{".": "DEBUG", "-": "DEBUG", "*": "INFO", "#": "WARN"} {
		message := "Bad file format reading " + level + sign
		if _, err := o.Write([]byte("42:S 29 Nov 2026 08:00:00.000 " + sign + " " + message + "\r\n")); err != nil {
			t.Fatal(err)
		}
		want := "level=" + level + ` msg=redis-server message="` + message + `"`
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	first := o.ending()
	last := "1:M 29 Nov 2026 08:00:00.000 # manifest is corrupt\n" + strings.Repeat("y", maxOutputLine+9) + "\n"
	if _, err := o.Write([]byte(last)); err != nil {
		t.Fatal(err)
	}
	e := o.ending()
	if first.damage != "Bad file format reading WARN#" || e.damage != first.damage || e.mistake != "manifest is corrupt" {
		t.Errorf("the ending is %+v, then %+v", first, e)
	}
	if n := strings.Count(log.String(), "y"); n != maxOutputLine {
		t.Errorf("a line of %d bytes was logged", n)
	}
}

// The lines of every start and stop are no warnings, nor is any line of Redis in a quiet
// log. The reason for an end is still the last real warning.
func TestOutputRoutine(t *testing.T) {
	t.Parallel()
	for _, quiet := range []bool{false, true} {
		log := &logtest.Buffer{}
		o := &output{log: slog.New(slog.NewTextHandler(log, nil)), quiet: quiet}
		for message, level := range map[string]string{
			"oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo": "INFO", "Configuration loaded": "INFO",
			"Redis version=7.0.15, bits=64": "INFO", "Valkey version=8.1.1, bits=64": "INFO",
			"Reading config from stdin": "INFO", "Server initialized": "INFO",
			"User requested shutdown...": "INFO", "Redis is now ready to exit, bye bye...": "INFO",
			"Can't handle RDB format version 99": map[bool]string{false: "WARN", true: "INFO"}[quiet],
		} {
			if _, err := o.Write([]byte("42:M 29 Nov 2026 08:00:00.000 # " + message + "\n")); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			if last := lines[len(lines)-1]; !strings.Contains(last, "level="+level) || !strings.Contains(last, message) {
				t.Errorf("quiet %v: %s, want level %s", quiet, last, level)
			}
		}
		if e := o.ending(); e.mistake != "Can't handle RDB format version 99" {
			t.Errorf("quiet %v: the ending is %+v", quiet, e)
		}
	}
}

// A directive that Redis refuses is the reason for the end, not a routine line before it.
func TestOutputRefusedDirective(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"Redis 7.0.15", "Version 8.0.1"} { // The second is Valkey's.
		log := &logtest.Buffer{}
		o := &output{log: slog.New(slog.NewTextHandler(log, nil))}
		if _, err := o.Write([]byte("42:C 29 Nov 2026 08:00:00.000 # Reading config from stdin\n\n" +
			"*** FATAL CONFIG FILE ERROR (" + server + ") ***\nReading the configuration file, at line 2\n" +
			">>> 'nosuch 1'\nBad directive or wrong number of arguments\n")); err != nil {
			t.Fatal(err)
		}
		const want = "'nosuch 1': Bad directive or wrong number of arguments"
		if e := o.ending(); e.mistake != want {
			t.Errorf("%s: the ending is %+v, want %s", server, e, want)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 4 {
			t.Errorf("%s: %d warnings:\n%s", server, n, log)
		}
	}
}

// Files of a newer version are not called damaged, because a repair would cut them off.
func TestFilesOfNewerVersion(t *testing.T) {
	t.Parallel()
	o := &output{log: slog.New(slog.DiscardHandler)}
	for _, message := range []string{ // of Redis 7.0 over the files of Valkey 8.0
		"Can't handle RDB format version 11",
		"Error reading the RDB base file appendonly.aof.1.base.rdb, AOF loading aborted",
		"Unrecoverable error reading the append only file appendonly.aof.1.base.rdb: Invalid argument",
	} {
		if _, err := o.Write([]byte("42:M 29 Nov 2026 08:00:00.000 # " + message + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	s := &Server{options: Options{Directory: "/d"}, program: Program{Name: "redis-server", Version: "7.0.15"}}
	wrong, ok := errors.AsType[*Error](s.reasonOf(errors.New("exit status 1"), o.ending(), false))
	if !ok || !strings.HasPrefix(wrong.Problem, "a newer server than redis-server 7.0.15 wrote the files in /d") ||
		strings.Contains(wrong.Do, "redis-check-aof") {
		t.Errorf("the reason is %+v", wrong)
	}
}

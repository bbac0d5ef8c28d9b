package localredis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Why a process ended: the user is told what to correct, if it is known.
func TestReasonOf(t *testing.T) {
	t.Parallel()
	s := &Server{options: Options{Directory: "/d"}, program: Program{Name: "redis-server"}}
	exit := errors.New("exit status 1")
	for name, tt := range map[string]struct {
		end   ending
		ready bool
		err   error
		want  string
	}{
		"full disk":         {ending{full: true, mistake: "m"}, true, exit, "the disk of /d is full"},
		"full at the start": {ending{full: true, damage: "d"}, false, exit, "the disk of /d is full"},
		"damage":            {ending{damage: "Bad file format"}, false, exit, "appendonly.aof.manifest is damaged: Bad file"},
		"a mistake":         {ending{mistake: "bind"}, false, exit, "redis-server did not start: bind"},
		"killed":            {ending{damage: "corrupt", mistake: "m"}, true, exit, "exit status 1"},
		"exit 0":            {ending{}, true, nil, "it ended without an error"},
	} {
		if err := s.reasonOf(tt.err, tt.end, tt.ready); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// The first start that fails is not repeated: the service ends with the error of Redis.
func TestFirstStartFails(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	o.Prefix = "a b" // no valid rule of a user
	wantRefused(t, o, "did not start")
	if strings.Contains(log.String(), "runs again") {
		t.Error("the start was repeated")
	}
	// The lock is free for the next start.
	o.Prefix = "keyhole"
	start(t, o)
}

// A context that ends stops the start and frees the directory.
func TestStartInterrupted(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := Start(ctx, o); err == nil {
		stop(t, s)
		t.Error("it starts")
	}
	start(t, o)
}

// While the file is damaged, Redis does not start again, the log says what to do, and the
// pause grows. When the file is whole again, Redis runs with its data.
func TestDamageDuringOutage(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	s := start(t, o)
	if got := cli(t, o, "SET", "keyhole:a", "1"); got != "OK" {
		t.Fatal(got)
	}
	manifest := filepath.Join(o.Directory, aofDirectory, aofManifest)
	if err := os.Rename(manifest, manifest+".away"); err != nil {
		t.Fatal(err)
	}
	pid := pidOf(t, o)
	begun := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "three further starts", func() bool { return s.Restarts() >= 3 })
	// 50, 100 and 200 ms.
	if took := time.Since(begun); took < 7*shortestPause {
		t.Errorf("three starts took %s: the pause does not grow", took)
	}
	if p := s.Problem(); p == nil || !strings.Contains(p.Do, "redis-check-aof --fix") {
		t.Errorf("the problem is %v", p)
	}
	if err := os.Rename(manifest+".away", manifest); err != nil {
		t.Fatal(err)
	}
	until(t, "the data", func() bool { return cli(t, o, "GET", "keyhole:a") == "1" })
	for _, want := range []string{"cannot be started", "is damaged", "redis-check-aof --fix", "redis-server runs again"} {
		until(t, want, func() bool { return strings.Contains(log.String(), want) })
	}
	if n := strings.Count(log.String(), "cannot be started"); n != 1 {
		t.Errorf("the same advice was logged %d times", n)
	}
	until(t, "no problem", func() bool { return s.Problem() == nil })
}

// The pause grows to 2 s, or to RepairPause if only a person can help.
func TestNextPause(t *testing.T) {
	t.Parallel()
	help := &Error{Problem: "damaged", Do: "repair it"}
	for name, tt := range map[string]struct {
		ready   bool
		err     error
		longest time.Duration
	}{
		"killed":      {true, errors.New("signal: killed"), longestPause},
		"never ready": {false, errors.New("exit status 1"), longestPause},
		"full disk":   {true, help, longestPause},
		"damage":      {false, help, RepairPause},
	} {
		pause := shortestPause
		for range 12 {
			next := nextPause(pause, tt.ready, tt.err)
			if next != min(2*pause, tt.longest) {
				t.Errorf("%s: %s follows %s", name, next, pause)
			}
			pause = next
		}
		if pause != tt.longest {
			t.Errorf("%s: the longest pause is %s, want %s", name, pause, tt.longest)
		}
	}
}

// The kernel ends Redis with the thread that started it, so the goroutine that starts it has
// to keep its thread. Hundreds of other threads end here.
func TestThreadsEnd(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	s := start(t, o)
	before := pidOf(t, o)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	supervisors := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		// The supervisions of other tests may begin or end.
		if !strings.Contains(stack, fmt.Sprintf("localredis.(*Server).supervise(%p", s)) {
			continue
		}
		supervisors++
		if header, _, _ := strings.Cut(stack, "\n"); !strings.Contains(header, "locked to thread") {
			t.Errorf("a supervision has no thread of its own: %s", header)
		}
	}
	if supervisors == 0 {
		t.Error("no supervision was found")
	}
	for range 10 {
		var ending sync.WaitGroup
		together := make(chan struct{})
		for range 50 {
			ending.Go(func() {
				runtime.LockOSThread() // A thread that is not unlocked ends with its goroutine.
				<-together
			})
		}
		close(together)
		ending.Wait()
	}
	if after := pidOf(t, o); after != before || s.Restarts() != 0 {
		t.Errorf("process %d became %d after %d restarts", before, after, s.Restarts())
	}
}

// Each problem is logged once, also if another one was in between, and an end without a
// known reason is none.
func TestReport(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	s := &Server{options: o, log: o.Logger}
	one, other := &Error{"one", "correct one"}, &Error{"other", "correct other"}
	for i, step := range []struct {
		err  error
		want *Error
		logs string
	}{
		{one, one, `do="correct one"`},
		{&Error{"one", "correct one"}, one, ""},
		{other, other, `do="correct other"`},
		{errors.New("signal: killed"), nil, "redis-server ended"},
		{other, other, `do="correct other" next_start_within=30s`},
	} {
		before := log.String()
		s.report(step.err)
		logged := strings.TrimPrefix(log.String(), before)
		if (logged == "") != (step.logs == "") || !strings.Contains(logged, step.logs) {
			t.Errorf("step %d logs %q, want %q", i, logged, step.logs)
		}
		if got := s.Problem(); (got == nil) != (step.want == nil) || got != nil && *got != *step.want {
			t.Errorf("step %d: the problem is %v, want %v", i, got, step.want)
		}
	}
}

// Stop during a pause ends the supervision at once, and a Redis that does not end is
// killed without a loss.
func TestStopKills(t *testing.T) {
	t.Parallel()
	o, log := options(t)
	s := start(t, o)
	if got := cli(t, o, "SET", "keyhole:a", "1"); got != "OK" {
		t.Fatal(got)
	}
	pid := pidOf(t, o)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "did not end in time and was killed") || s.Restarts() != 0 {
		t.Errorf("the log is %s", log)
	}
	start(t, o)
	if got := cli(t, o, "GET", "keyhole:a"); got != "1" {
		t.Errorf("the data is %q", got)
	}
}

// The longest path still works, and one byte more is refused before anything is made.
func TestLongestDirectory(t *testing.T) {
	t.Parallel()
	o, _ := options(t)
	o.Directory += strings.Repeat("d", MaxDirectory-len(o.Directory))
	start(t, o)
	longer := o
	longer.Directory += "d"
	wantRefused(t, longer, "the path of the directory has 93 bytes")
	if _, err := os.Stat(longer.Directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

// A lock is held by one holder, is never taken through a symbolic link, and stays private.
func TestTryLock(t *testing.T) { //nolint:paralleltest // see prepared
	path := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the lock has %v, %v", info, err)
	}
	if _, err := tryLock(path); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if err := os.Symlink(path, path+".link"); err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(path + ".link"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("through a link: %v", err)
	}
}

package localredis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options are the parameters of a Server.
type Options struct {
	Directory string // absolute
	Prefix    string // of the keys that the service may use
	Logger    *slog.Logger
	MaxMemory int64 // for data, in bytes; 0: a third of the machine's
	// Commands are further commands that the user may run, such as scan. Only a move needs
	// any.
	Commands []string
	// Retired starts Redis also in a directory that Retire has marked.
	Retired bool
	// Quiet logs the warnings of Redis itself as information. The errors of this package
	// repeat those that matter.
	Quiet bool
}

// The pause before Redis starts again doubles from the shortest to the longest. If somebody
// has to correct something before Redis can start, it grows further, up to RepairPause. A
// process that lived for steadyAfter begins with the shortest again.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 2 * time.Second
	// RepairPause is how long a repaired Redis may have to wait for its next start.
	RepairPause = 30 * time.Second
	steadyAfter = 10 * time.Second
)

// pollEvery is how often the package looks for a change of a process.
const pollEvery = 10 * time.Millisecond

// Server is a redis-server that is started again whenever it ends.
type Server struct {
	options Options
	program Program
	log     *slog.Logger
	lock    *os.File // of the service

	stopping chan struct{} // closed by Stop
	ended    chan struct{} // closed when no process runs any more
	started  chan error    // the result of the first start
	restarts atomic.Uint64
	problem  atomic.Pointer[Error] // nil: none is known

	mu      sync.Mutex
	process *os.Process // nil: none runs
	stopped bool
}

// Start starts Redis and waits until it has loaded its data. A Redis that a killed service
// left behind is ended first. An error that somebody has to correct is an *Error.
func Start(ctx context.Context, o Options) (*Server, error) {
	program, err := Find(ctx)
	if err != nil {
		return nil, err
	}
	lock, err := prepare(o.Directory, o.Retired)
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, program: program, log: o.Logger, lock: lock,
		stopping: make(chan struct{}), ended: make(chan struct{}), started: make(chan error, 1),
	}
	if err := s.endOrphan(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	go s.supervise()
	select {
	case err = <-s.started:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return nil, errors.Join(err, s.Stop(stopping))
	}
	return s, nil
}

// Restarts returns how often Redis was started again after it had ended.
func (s *Server) Restarts() uint64 { return s.restarts.Load() }

// Problem returns what somebody has to correct before Redis runs again; nil: Redis runs, or
// starts again without help.
func (s *Server) Problem() *Error { return s.problem.Load() }

// Stop ends Redis and waits for it. When ctx ends, Redis is killed, which loses nothing
// that it has acknowledged.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	s.mu.Unlock()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.log.Warn("redis-server did not end in time and was killed")
		s.signal(syscall.SIGKILL)
		<-s.ended
	}
	return s.lock.Close()
}

// signal sends a signal to the running process, if there is one.
func (s *Server) signal(number os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		_ = s.process.Signal(number) // It may have ended.
	}
}

// supervise runs Redis until Stop. Its goroutine keeps its thread, because the kernel ends
// Redis together with the thread that started it. At the end it gives the thread back: a
// thread that ends would end other programs that were started from it.
func (s *Server) supervise() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	pause, first := shortestPause, true
	for {
		begin := time.Now()
		ready, err := s.run(first)
		if s.isStopping() {
			return
		}
		if first && !ready {
			s.started <- err
			return
		}
		first = false
		if time.Since(begin) >= steadyAfter {
			pause = shortestPause
		}
		s.report(err)
		select {
		case <-s.stopping:
			return
		case <-time.After(pause):
		}
		pause = nextPause(pause, ready, err)
		s.restarts.Add(1)
	}
}

// nextPause returns the pause after the next failure. ready and err are the result of run.
// A Redis that became ready can do so again without help, for example on a disk that is
// full for a while.
func nextPause(pause time.Duration, ready bool, err error) time.Duration {
	longest := longestPause
	if _, needsHelp := errors.AsType[*Error](err); needsHelp && !ready {
		longest = RepairPause
	}
	return min(2*pause, longest)
}

// isStopping tells whether Stop was called.
func (s *Server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// report logs why Redis has to be started again. It logs what somebody has to correct only
// once, so that the advice is not lost among its repetitions.
func (s *Server) report(err error) {
	wrong, ok := errors.AsType[*Error](err)
	if !ok {
		s.problem.Store(nil)
		s.log.Error("redis-server ended; clicks are refused until it runs again", "error", err)
		return
	}
	if before := s.problem.Swap(wrong); before != nil && *before == *wrong {
		s.log.Debug("redis-server still cannot be started", "error", wrong.Problem)
		return
	}
	s.log.Error("redis-server cannot be started; clicks are refused until it runs again",
		"error", wrong.Problem, "do", wrong.Do, "next_start_within", RepairPause.String())
}

// run runs one process until it ends, and returns whether it became ready and why it
// ended.
func (s *Server) run(first bool) (ready bool, err error) {
	end, err := check(s.options.Directory)
	if err != nil {
		return false, err
	}
	if end != nil {
		s.log.Warn("append-only file ends in a half-written command; Redis drops it, because it was never acknowledged",
			"file", end.path, "bytes", end.bytes)
	}
	out := &output{log: s.log, quiet: s.options.Quiet}
	cmd, err := s.launch(out)
	if err != nil {
		return false, err
	}
	var watching sync.WaitGroup
	watched, cancel := context.WithCancel(context.Background())
	watching.Go(func() {
		if ready = s.waitReady(watched); ready && first {
			s.started <- nil
		} else if ready {
			s.problem.Store(nil)
			s.log.Info("redis-server runs again")
		}
	})
	err = cmd.Wait()
	s.mu.Lock()
	s.process = nil
	s.mu.Unlock()
	cancel()
	watching.Wait()
	return ready, s.reasonOf(err, out.ending(), ready)
}

// outputDelay is how long the output may stay open after the end of Redis: a child that rewrites
// the file keeps it open. A busy machine must not lose the last line, which names the reason.
const outputDelay = 4 * time.Second

// launch starts a process, unless Stop was called.
func (s *Server) launch(out *output) (*exec.Cmd, error) {
	// Redis and the children that rewrite its file inherit this lock. While one of them
	// lives, no other Redis starts on the same file.
	held, err := tryLock(filepath.Join(s.options.Directory, redisLockName))
	if errors.Is(err, errLocked) {
		return nil, &Error{
			"another redis-server still uses the directory " + s.options.Directory, "end that process",
		}
	}
	if err != nil {
		return nil, unusable(s.options.Directory, err)
	}
	defer func() { _ = held.Close() }()
	// Redis makes the socket anew. A socket that nobody listens on would be in its way.
	if err := os.Remove(Socket(s.options.Directory)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, unusable(s.options.Directory, err)
	}
	// Without its configuration, for example because a program in between does not pass it on,
	// Redis would listen on a port of every interface.
	cmd := exec.Command(s.program.Path, "-", "--port", "0") //nolint:gosec // a server from PATH
	cmd.Stdin = strings.NewReader(configuration(&s.options))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Dir, cmd.Env = s.options.Directory, []string{"LC_ALL=C"} // no credentials of the service
	cmd.ExtraFiles = []*os.File{held}
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = outputDelay
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errors.New("the service is stopping")
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.program.Path, err)
	}
	s.process = cmd.Process
	return cmd, nil
}

// waitReady waits until Redis answers, and tells whether it did before ctx ended.
func (s *Server) waitReady(ctx context.Context) bool {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if _, err := ask(ctx, Socket(s.options.Directory), "PING"); err == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// reasonOf returns why a process ended. Only one that was never ready can have found
// damage.
func (s *Server) reasonOf(err error, e ending, ready bool) error {
	switch {
	case e.full:
		return &Error{
			"the disk of " + s.options.Directory + " is full",
			"free space on the disk of redis.directory; nothing that was acknowledged is lost",
		}
	case !ready && e.newer != "":
		// Redis also says that it cannot read the file, but a repair would cut it off.
		return &Error{
			"a newer server than " + s.program.Name + " " + s.program.Version + " wrote the files in " +
				s.options.Directory + ": " + e.newer,
			"install that version, or a newer one, and start the service again; the files are not damaged",
		}
	case !ready && e.damage != "":
		return damaged(s.options.Directory, filepath.Join(s.options.Directory, aofDirectory, aofManifest), e.damage)
	case !ready && e.mistake != "":
		return &Error{
			s.program.Name + " did not start: " + e.mistake, "correct the named problem and start the service again",
		}
	case err == nil:
		return errors.New("it ended without an error")
	}
	return err
}

// orphanTimeout is how long a Redis that was left behind may take to end.
const orphanTimeout = 5 * time.Second

// endOrphan ends a Redis that a killed service left behind, and waits until no Redis uses the
// directory. This service holds the lock, so nobody uses that Redis any more. It knows no later
// change of the configuration, and it is no child of this process, so it is not taken over.
func (s *Server) endOrphan(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, orphanTimeout)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for ended := false; ; {
		// On a busy machine an answer can be late, so Redis is asked until it gets the signal.
		ended = ended || s.terminate(ctx)
		held, err := tryLock(filepath.Join(s.options.Directory, redisLockName))
		if err == nil {
			return held.Close()
		}
		if !errors.Is(err, errLocked) {
			return unusable(s.options.Directory, err)
		}
		select {
		case <-ctx.Done():
			return &Error{
				"a redis-server of an earlier service still uses the directory " + s.options.Directory,
				"end that process; lsof " + filepath.Join(s.options.Directory, redisLockName) + " names it",
			}
		case <-ticker.C:
		}
	}
}

// terminate tells a Redis that answers to end, and whether it did. Usually nobody listens:
// there was no Redis, or the kernel is about to end the one of a service that was just killed.
func (s *Server) terminate(ctx context.Context) bool {
	pid, err := processOf(ctx, Socket(s.options.Directory))
	if err != nil {
		return false // The lock of Redis is there for one that does not answer.
	}
	if orphan, err := os.FindProcess(pid); err == nil {
		s.log.Warn("redis-server of a killed service was still running and is ended", "pid", pid)
		_ = orphan.Signal(syscall.SIGTERM) // It may have ended.
	}
	return true
}

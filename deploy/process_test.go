package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"keyhole/gateway/logtest"
)

// The limits of every wait. A command may be a build without a cache, which takes minutes
// on a busy machine.
const (
	commandTimeout = 5 * time.Minute
	serverTimeout  = time.Minute
)

// process is a program that runs during a test and ends with it.
type process struct {
	name    string
	pid     int
	output  *logtest.Buffer // standard output and standard error
	done    chan struct{}
	err     error         // after done
	timeout time.Duration // of every wait for it
}

// start starts a command in a process group of its own, as a terminal does.
func start(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{
		name: filepath.Base(command.Args[0]), output: &logtest.Buffer{}, done: make(chan struct{}), timeout: serverTimeout,
	}
	command.Stdout, command.Stderr = p.output, p.output
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true
	command.SysProcAttr.Pdeathsig = syscall.SIGKILL // It must not outlive a test that is killed.
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	p.pid = command.Process.Pid
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // It may have ended.
		<-p.done
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name, p.output)
		}
	})
	return p
}

// stop sends a signal to the process group, as Ctrl-C does, and waits for the end.
func (p *process) stop(t *testing.T, signal syscall.Signal) error {
	t.Helper()
	if err := syscall.Kill(-p.pid, signal); err != nil {
		t.Fatalf("send %v to %s: %v", signal, p.name, err)
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(serverTimeout):
		t.Fatalf("%s does not end after %v", p.name, signal)
		return nil
	}
}

// waitFor calls check until it returns no error. It fails the test when the process ends.
func (p *process) waitFor(t *testing.T, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), p.timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s ended (%v) before %s: %v", p.name, p.err, what, err)
		case <-ctx.Done():
			t.Fatalf("waited %v for %s: %v", p.timeout, what, err)
		case <-tick.C:
		}
	}
}

// prints returns a check that the process has printed a text n times.
func (p *process) prints(text string, n int) func() error {
	return func() error {
		if got := bytes.Count([]byte(p.output.String()), []byte(text)); got < n {
			return fmt.Errorf("%q was printed %d times, want %d", text, got, n)
		}
		return nil
	}
}

// freeAddress returns a loopback address on which no process listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// port returns the port of an address.
func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// exitCode returns the exit status of a command that has ended.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	t.Fatal(err)
	return 0
}

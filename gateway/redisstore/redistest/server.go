// Package redistest starts real Redis servers for tests: one alone, a cluster
// of six, or a master and replica behind three sentinels. They listen on
// loopback at free ports, keep their files in a temporary directory and end
// with the test. They run on what deploy/redis ships: its configuration, and
// its user, so that a command the user lacks fails a test.
package redistest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The user of deploy/redis/users.acl with the password that it has here, and
// the one that may do everything, for what a test does behind the service's
// back.
const (
	Username      = "keyhole"
	Password      = "of-the-test"
	AdminUsername = "admin"
	AdminPassword = "of-the-administrator"
)

// startTimeout bounds every wait for servers: a cluster needs 2 to 5 s.
const startTimeout = 60 * time.Second

// doTimeout bounds one command of a test.
const doTimeout = 10 * time.Second

// Server is one redis-server or redis-sentinel.
type Server struct {
	Addr string // 127.0.0.1:port

	program string
	dir     string
	args    []string
	command *exec.Cmd
	ended   chan struct{}
}

// StartSingle starts one redis-server. The directives are added to its
// configuration, such as "maxmemory 100mb".
func StartSingle(tb testing.TB, directives ...string) *Server {
	tb.Helper()
	s := newServer(tb, "redis-server", directives...)
	s.Start(tb)
	return s
}

// newServer prepares a server, its directory and its configuration.
func newServer(tb testing.TB, program string, directives ...string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	port := freePort(tb)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), program: program, dir: dir}
	config := append([]string{
		"bind 127.0.0.1", "port " + port, "dir " + dir, "daemonize no", "protected-mode no",
	}, directives...)
	if program == "redis-server" {
		acl := filepath.Join(dir, "users.acl")
		write(tb, acl, ACL(tb))
		// What is said twice in a configuration holds as it is said last.
		config = append([]string{
			"include " + shipped("redis.conf"), "aclfile " + acl, "repl-diskless-sync-delay 0",
			// A child that rewrites the file would outlive a server that is killed.
			"auto-aof-rewrite-percentage 0",
			"masteruser " + AdminUsername, "masterauth " + AdminPassword,
		}, config...)
	}
	path := filepath.Join(dir, "redis.conf")
	write(tb, path, strings.Join(config, "\n")+"\n")
	s.args = []string{path}
	return s
}

// configure adds directives to the configuration of a server that has not started.
func (s *Server) configure(tb testing.TB, directives ...string) {
	tb.Helper()
	path := s.args[0]
	text, err := os.ReadFile(path) //nolint:gosec // What newServer wrote.
	if err != nil {
		tb.Fatalf("read the configuration of %s: %v", s.program, err)
	}
	write(tb, path, string(text)+strings.Join(directives, "\n")+"\n")
}

// passwordPlace is where users.acl has the hash of the service's password.
var passwordPlace = regexp.MustCompile(`#[0-9a-f]{64}`)

// ACL returns the shipped deploy/redis/users.acl with the test's password, and
// an administrator beside it.
func ACL(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(shipped("users.acl"))
	if err != nil {
		tb.Fatalf("read the shipped ACL: %v", err)
	}
	sum := sha256.Sum256([]byte(Password))
	acl := passwordPlace.ReplaceAllString(string(text), "#"+hex.EncodeToString(sum[:]))
	return acl + fmt.Sprintf("user %s on >%s ~* &* +@all\n", AdminUsername, AdminPassword)
}

// shipped returns the path of a file in deploy/redis.
func shipped(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "deploy", "redis", name)
}

// Start starts the server, again after it has ended, at the same address and
// on the same files, and waits until it answers.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	path, err := exec.LookPath(s.program)
	if err != nil {
		tb.Fatalf("%s is not installed: run deploy/test, which installs it", s.program)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		tb.Fatalf("open the log of %s: %v", s.program, err)
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(path, s.args...) //nolint:gosec // A program of this machine.
	command.Stdout, command.Stderr = log, log
	// Redis must not outlive a test that is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		tb.Fatalf("start %s: %v", s.program, err)
	}
	ended := make(chan struct{})
	s.command, s.ended = command, ended
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	tb.Cleanup(func() { s.stop(command, ended) })
	Wait(tb, s.program+" at "+s.Addr+" to answer", func() error {
		select {
		case <-ended:
			said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			tb.Fatalf("%s ended at once:\n%s", s.program, said)
		default:
		}
		_, err := s.Do("PING")
		return err
	})
}

// Kill ends the server at once, as kill -9 does, and waits until it is gone.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.stop(s.command, s.ended)
}

// stop kills one process by its ID.
func (*Server) stop(command *exec.Cmd, ended <-chan struct{}) {
	_ = command.Process.Kill()
	<-ended
}

// Pause puts the server to sleep (SIGSTOP): it takes connections, says nothing.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Resume wakes the server (SIGCONT).
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

func (s *Server) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		tb.Fatalf("send %v to %s: %v", signal, s.Addr, err)
	}
}

// Do asks the server one command as the administrator and returns the answer:
// the text of a string or number, and of an array its elements, one a line.
func (s *Server) Do(args ...string) (string, error) {
	if s.program != "redis-server" {
		return s.DoAs("", "", args...) // Sentinels have no users.
	}
	return s.DoAs(AdminUsername, AdminPassword, args...)
}

// MustDo is Do, and fails the test for an error.
func (s *Server) MustDo(tb testing.TB, args ...string) string {
	tb.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		tb.Fatalf("%s: %v", args[0], err)
	}
	return answer
}

// DoAs is Do as another user.
func (s *Server) DoAs(username, password string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), doTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	if password != "" {
		if _, err := ask(conn, in, "AUTH", username, password); err != nil {
			return "", err
		}
	}
	return ask(conn, in, args...)
}

// ask writes one command and reads its answer.
func ask(conn net.Conn, in *bufio.Reader, args ...string) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(out.String())); err != nil {
		return "", err
	}
	return answer(in)
}

// answer reads one reply of RESP2.
func answer(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSuffix(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 {
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return "", err
		}
		return string(text[:n]), nil
	}
	elements := make([]string, n)
	for i := range elements {
		if elements[i], err = answer(in); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}

// Wait asks until check has no error, for a minute at most.
func Wait(tb testing.TB, what string, check func() error) {
	tb.Helper()
	deadline := time.After(startTimeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			tb.Fatalf("waited %v for %s: %v", startTimeout, what, err)
		case <-tick.C:
		}
	}
}

// The ports that servers are given, and their cluster's bus busAbove them: all below
// those that the kernel gives to whoever asks for any.
const (
	lowestPort  = 11_000
	highestPort = 22_000
	busAbove    = 10_000
)

// given are the ports that this process has given to servers. Each is given once: a
// server that is about to listen is not seen by others yet.
var given sync.Map //nolint:gochecknoglobals // Tests run side by side.

// freePort returns a port that nothing listens on, here and on the cluster's bus.
func freePort(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // Chance, not a secret.
		if _, twice := given.LoadOrStore(port, true); twice || !free(port) {
			continue
		}
		if _, twice := given.LoadOrStore(port+busAbove, true); !twice && free(port+busAbove) {
			return strconv.Itoa(port)
		}
	}
	tb.Fatal("find a free port: there is none")
	return ""
}

// free tells whether nothing listens on a port.
func free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // Loopback.
	if err == nil {
		_ = listener.Close()
	}
	return err == nil
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // A file of the test's own directory.
		tb.Fatalf("write %s: %v", path, err)
	}
}

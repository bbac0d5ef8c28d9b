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

// The user of deploy/redis/users.acl with its password in tests, and an administrator for
// the commands of the test itself.
const (
	Username      = "keyhole"
	Password      = "of-the-test"
	AdminUsername = "admin"
	AdminPassword = "of-the-administrator"
)

// startTimeout bounds every wait for servers. A cluster takes 2 to 5 s.
const startTimeout = 60 * time.Second

// doTimeout bounds one command of a test.
const doTimeout = 10 * time.Second

// Server is a process of redis-server or redis-sentinel. It keeps its address and its files
// when it is killed and started again.
type Server struct {
	Addr string // 127.0.0.1:port

	program string
	dir     string
	args    []string
	command *exec.Cmd
	ended   chan struct{}
}

// StartSingle starts one redis-server. The directives, such as "maxmemory 100mb", are added
// to the shipped configuration.
func StartSingle(tb testing.TB, directives ...string) *Server {
	tb.Helper()
	s := newServer(tb, "redis-server", directives...)
	s.Start(tb)
	return s
}

// newServer makes the directory and the configuration of a server.
func newServer(tb testing.TB, program string, directives ...string) *Server {
	tb.Helper()
	dir := tb.TempDir()
	port := FreePort(tb)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), program: program, dir: dir}
	config := append([]string{
		"bind 127.0.0.1", "port " + port, "dir " + dir, "daemonize no", "protected-mode no",
	}, directives...)
	if program == "redis-server" {
		acl := filepath.Join(dir, "users.acl")
		write(tb, acl, ACL(tb))
		// If a directive appears twice, Redis uses the last one.
		config = append([]string{
			"include " + shipped("redis.conf"), "aclfile " + acl, "repl-diskless-sync-delay 0",
			// A child that rewrites the file would outlive a killed server.
			"auto-aof-rewrite-percentage 0",
			"masteruser " + AdminUsername, "masterauth " + AdminPassword,
		}, config...)
	}
	path := filepath.Join(dir, "redis.conf")
	write(tb, path, strings.Join(config, "\n")+"\n")
	s.args = []string{path}
	return s
}

// configure adds directives to the configuration of a server before it starts.
func (s *Server) configure(tb testing.TB, directives ...string) {
	tb.Helper()
	path := s.args[0]
	text, err := os.ReadFile(path) //nolint:gosec // A file that newServer wrote.
	if err != nil {
		tb.Fatalf("read the configuration of %s: %v", s.program, err)
	}
	write(tb, path, string(text)+strings.Join(directives, "\n")+"\n")
}

// passwordHash matches the hash of the service's password in users.acl.
var passwordHash = regexp.MustCompile(`#[0-9a-f]{64}`)

// ACL returns the shipped deploy/redis/users.acl with the password of the tests, and an
// additional administrator.
func ACL(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(shipped("users.acl"))
	if err != nil {
		tb.Fatalf("read the shipped ACL: %v", err)
	}
	sum := sha256.Sum256([]byte(Password))
	acl := passwordHash.ReplaceAllString(string(text), "#"+hex.EncodeToString(sum[:]))
	return acl + fmt.Sprintf("user %s on >%s ~* &* +@all\n", AdminUsername, AdminPassword)
}

// shipped returns the path of a file in deploy/redis, relative to this source file, so that
// tests of every package find it.
func shipped(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "deploy", "redis", name)
}

// Start starts the server and waits until it answers. A server that has ended starts again
// with the same address and files.
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
	// The kernel ends Redis if the test process is killed. The processes that Redis forks to
	// write its files are in its group.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := command.Start(); err != nil {
		tb.Fatalf("start %s: %v", s.program, err)
	}
	// Cleanups of earlier starts must stop their own process, not the current one.
	ended := make(chan struct{})
	s.command, s.ended = command, ended
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	tb.Cleanup(func() { s.stop(tb, command, ended) })
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

// runs reports whether the process has not ended. It may be paused.
func (s *Server) runs() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Kill ends the server like kill -9 and waits until the process is gone.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.stop(tb, s.command, s.ended)
}

// stop kills a process and those that it has forked, by their group, and waits for their end:
// a fork that writes a snapshot would go on in a directory that the test deletes.
func (s *Server) stop(tb testing.TB, command *exec.Cmd, ended <-chan struct{}) {
	tb.Helper()
	select {
	case <-ended:
		return // The group may have the ID of other processes by now.
	default:
	}
	group := -command.Process.Pid
	_ = syscall.Kill(group, syscall.SIGKILL) // fails if it has just ended
	<-ended
	Wait(tb, s.program+" to end", func() error {
		if !errors.Is(syscall.Kill(group, 0), syscall.ESRCH) {
			return errors.New("a process of its group is left")
		}
		return nil
	})
}

// Pause stops the server (SIGSTOP). The kernel still accepts connections for it.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGSTOP)
}

// Resume continues a paused server (SIGCONT).
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	s.signal(tb, syscall.SIGCONT)
}

// signal sends a signal to the process.
func (s *Server) signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		tb.Fatalf("send %v to %s: %v", signal, s.Addr, err)
	}
}

// Do runs one command as the administrator. It returns a string or number as text, and an
// array as one line per element. It uses a connection of its own and no client library,
// so that a test can use it in any state of the store.
func (s *Server) Do(args ...string) (string, error) {
	if s.program != "redis-server" {
		return s.DoAs("", "", args...) // Sentinels have no users.
	}
	return s.DoAs(AdminUsername, AdminPassword, args...)
}

// MustDo is like Do, but an error fails the test.
func (s *Server) MustDo(tb testing.TB, args ...string) string {
	tb.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		tb.Fatalf("%s: %v", args[0], err)
	}
	return answer
}

// DoAs is like Do for another user.
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
		if _, err := command(conn, in, "AUTH", username, password); err != nil {
			return "", err
		}
	}
	return command(conn, in, args...)
}

// command sends one command and reads its reply.
func command(conn net.Conn, in *bufio.Reader, args ...string) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write([]byte(out.String())); err != nil {
		return "", err
	}
	return readReply(in)
}

// readReply reads one reply of RESP2. It returns an error reply as an error.
func readReply(in *bufio.Reader) (string, error) {
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
	if err != nil || n < 0 { // A negative length is null, which is returned as "".
		return "", err
	}
	if kind == '$' {
		text := make([]byte, n+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return "", err
		}
		return string(text[:n]), nil
	}
	return readElements(in, n)
}

// readElements reads the elements of an array and returns one line per element. An element
// that is an array itself becomes several lines.
func readElements(in *bufio.Reader, n int) (string, error) {
	elements := make([]string, n)
	for i := range elements {
		var err error
		if elements[i], err = readReply(in); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}

// Wait calls check until it returns no error, for a minute at most.
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

// The ports of servers, and the distance to the port of the cluster bus. All are below the
// kernel's range of ephemeral ports, so that no client connection takes one.
const (
	lowestPort  = 11_000
	highestPort = 22_000
	busAbove    = 10_000
)

// usedPorts are the ports that this process has assigned. It assigns each one only once: a
// server that is about to listen cannot be detected yet.
var usedPorts sync.Map //nolint:gochecknoglobals // Tests run in parallel.

// FreePort returns a free port of loopback for a server, whose port of the cluster bus is
// free too. No other call in this process returns it.
func FreePort(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // A port is no secret.
		if _, twice := usedPorts.LoadOrStore(port, true); twice || !free(port) {
			continue
		}
		if _, twice := usedPorts.LoadOrStore(port+busAbove, true); !twice && free(port+busAbove) {
			return strconv.Itoa(port)
		}
	}
	tb.Fatal("no free port found")
	return ""
}

// free reports whether no process listens on a port.
func free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // Loopback.
	if err == nil {
		_ = listener.Close()
	}
	return err == nil
}

// write writes a file of the server, or fails the test.
func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil { //nolint:gosec // In the directory of the test.
		tb.Fatalf("write %s: %v", path, err)
	}
}

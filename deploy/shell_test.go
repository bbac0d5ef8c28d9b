package deploy_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell is the terminal of a reader who copies commands into it: one bash for all commands,
// which keeps its directory and variables.
type shell struct {
	env    []string
	dir    string // of its own files
	input  io.Writer
	status chan string
	runs   int
}

// newShell starts a bash in a directory with these variables and no others.
func newShell(t *testing.T, in string, env ...string) *shell {
	t.Helper()
	s := &shell{env: env, dir: t.TempDir(), status: make(chan string)}
	command := exec.Command(tool(t, "bash"), "--noprofile", "--norc")
	command.Dir, command.Env = in, env
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.input = input
	statuses, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.ExtraFiles = []*os.File{write} // its descriptor 3
	start(t, command)
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(statuses); lines.Scan(); {
			s.status <- lines.Text()
		}
		close(s.status)
		_ = statuses.Close() // It was read to its end.
	}()
	s.must(t, "set -o pipefail")
	return s
}

// run runs a command and returns what it printed and its exit status.
func (s *shell) run(t *testing.T, command string) (output string, code int) {
	t.Helper()
	s.runs++
	base := filepath.Join(s.dir, strconv.Itoa(s.runs))
	if err := os.WriteFile(base, []byte(command+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(s.input, ". %s >%s.out 2>&1 </dev/null; printf '%%s\\n' $? >&3\n", base, base)
	var status string
	select {
	case line, open := <-s.status:
		if !open {
			t.Fatalf("the shell ended at\n%s", command)
		}
		status = line
	case <-time.After(commandTimeout):
		t.Fatalf("this does not end within %v:\n%s", commandTimeout, command)
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		t.Fatal(err)
	}
	return string(read(t, base+".out")), code
}

// must runs a command and fails the test unless its exit status is 0.
func (s *shell) must(t *testing.T, command string) string {
	t.Helper()
	output, code := s.run(t, command)
	if code != 0 {
		t.Fatalf("exit status %d of\n%s\n%s", code, command, output)
	}
	return output
}

// variable returns a variable of the shell.
func (s *shell) variable(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSuffix(s.must(t, fmt.Sprintf(`printf '%%s\n' "${%s-}"`, name)), "\n")
}

// background starts a command that runs until it is stopped, in the directory and with
// the exported variables that the shell has now.
func (s *shell) background(t *testing.T, command string) *process {
	t.Helper()
	behind := exec.Command(tool(t, "bash"), "--noprofile", "--norc", "-c", "exec "+command)
	behind.Dir = s.variable(t, "PWD")
	behind.Env = strings.Split(strings.TrimSuffix(s.must(t, "env -0"), "\x00"), "\x00")
	behind.SysProcAttr = &syscall.SysProcAttr{}
	running := start(t, behind)
	running.name = command
	return running
}

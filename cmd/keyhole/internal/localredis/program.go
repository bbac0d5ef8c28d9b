package localredis

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Error is a mistake in the installation. The service cannot start before somebody has
// corrected it.
type Error struct {
	Problem string
	Do      string // what to do, without a full stop at the end
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// versionTimeout bounds the question for the version.
const versionTimeout = 5 * time.Second

// Program is an installed server.
type Program struct {
	Path    string
	Name    string // redis-server or valkey-server
	Version string // such as 7.0.15
}

// Find returns the server to run: redis-server, otherwise valkey-server, from PATH. A
// version before Redis 7.0 is passed over. The error is an *Error.
func Find(ctx context.Context) (Program, error) {
	var first error
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		p := Program{Path: path, Name: name}
		if err = p.ask(ctx); err == nil {
			return p, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = &Error{
			"neither redis-server nor valkey-server is in PATH",
			"install Redis 7.0 or newer, such as Debian's package redis-server, or use another redis.mode",
		}
	}
	return Program{}, first
}

// versionText matches what redis-server and valkey-server print about themselves.
var versionText = regexp.MustCompile(`\bv=(([0-9]+)\.[0-9]+\.[0-9]+)`)

// ask asks the program for its version. Append-only files of several parts, which this
// package examines, exist since Redis 7.0; every Valkey has them.
func (p *Program) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.Path, "--version").Output() //nolint:gosec // a server from PATH
	found := versionText.FindSubmatch(out)
	if err == nil && found == nil {
		err = errors.New("it prints no version")
	}
	if err != nil {
		return &Error{
			fmt.Sprintf("%s --version failed: %s", p.Path, err), "install Redis 7.0 or newer, or use another redis.mode",
		}
	}
	p.Version = string(found[1])
	if major, err := strconv.Atoi(string(found[2])); err != nil || major < 7 {
		return &Error{
			fmt.Sprintf("%s has version %s, which is too old", p.Path, p.Version),
			"install Redis 7.0 or newer, or put a newer one first in PATH",
		}
	}
	return nil
}

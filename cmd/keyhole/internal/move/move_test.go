package move

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/localredis"
	"keyhole/gateway"
	"keyhole/gateway/redisstore"
	"keyhole/gateway/redisstore/redistest"
)

// site is a directory with two configurations and the data of a local Redis.
type site struct {
	directory string // of the local Redis
	from, to  string // paths of the configurations
}

// write writes a configuration with the given section redis.
func write(t *testing.T, path, redis string) string {
	t.Helper()
	text := fmt.Sprintf(`
public: { listen: "127.0.0.1:0", url: "http://127.0.0.1" }
redis: { %s }
storage:
  - { name: main, endpoint: "http://127.0.0.1:1", path_style: true, buckets: [reports], access_key_id: a }
pages: { organization: Example Ltd }
`, redis)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newSite makes a site. to is the section redis of the other configuration.
func newSite(t *testing.T, to string) *site {
	t.Helper()
	base, err := os.MkdirTemp("", "kh-") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	directory := filepath.Join(base, "redis")
	return &site{
		directory: directory,
		from:      write(t, filepath.Join(base, "keyhole.yaml"), fmt.Sprintf("mode: local, directory: %q", directory)),
		to:        write(t, filepath.Join(base, "new.yaml"), to),
	}
}

// start starts the local Redis as the service does, until the returned function is called.
func (s *site) start(t *testing.T) (stop func()) {
	t.Helper()
	local, err := localredis.Start(t.Context(), localredis.Options{
		Directory: s.directory, Prefix: "keyhole", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := local.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
}

// fill writes the keys that every service has, and one that expires.
func (s *site) fill(t *testing.T) {
	t.Helper()
	defer s.start(t)()
	for _, command := range []string{
		"SET keyhole:partitions 64", "SET keyhole:cursors 1", "SET keyhole:{p1}:l:a 1 PXAT 2000000000123",
	} {
		out, err := exec.CommandContext(t.Context(), "redis-cli", append([]string{
			"-s", localredis.Socket(s.directory), "--no-auth-warning", "--user", localredis.Username, "--pass",
			localredis.Password,
		}, strings.Fields(command)...)...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "OK" {
			t.Fatalf("%s: %v, %s", command, err, out)
		}
	}
}

// moveTo writes the other configuration with the given Redis.
func (s *site) moveTo(t *testing.T, target *redistest.Server) {
	t.Helper()
	secret := filepath.Join(filepath.Dir(s.to), "password")
	if err := os.WriteFile(secret, []byte(redistest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, s.to, fmt.Sprintf("addresses: [%q], username: %s, password_file: %q", target.Addr, redistest.Username,
		secret))
}

// execute runs keyhole redis with arguments, and returns its output and its error. It logs
// nothing.
func execute(t *testing.T, environ []string, args ...string) (string, *command.Error) {
	t.Helper()
	out, log, err := executeWithLog(t, environ, args...)
	if log != "" {
		t.Errorf("standard error has %s", log)
	}
	return out, err
}

// executeWithLog runs keyhole redis with arguments, and also returns its log.
func executeWithLog(t *testing.T, environ []string, args ...string) (output, log string, known *command.Error) {
	t.Helper()
	var out, noise strings.Builder
	environ = append(environ, "KEYHOLE_STORAGE_MAIN_SECRET_ACCESS_KEY=s")
	cmd := NewCommand(&command.Env{Stdout: &out, Stderr: &noise, Environ: environ})
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	known, ok := errors.AsType[*command.Error](err)
	if err != nil && !ok {
		t.Fatalf("an error without advice: %v", err)
	}
	return out.String(), noise.String(), known
}

// wantError checks an error, its exit code and a part of its advice.
func wantError(t *testing.T, name string, got *command.Error, code int, text, hint string) {
	t.Helper()
	if got == nil || got.Code != code || !strings.Contains(got.Error(), text) || !strings.Contains(got.Hint, hint) {
		t.Errorf("%s: %+v, want code %d, %q and %q", name, got, code, text, hint)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t, `addresses: ["127.0.0.1:1"]`)
	other := write(t, s.to+".other", `addresses: ["127.0.0.1:1"], prefix: other`)
	broken := write(t, s.to+".broken", "mode: nothing")
	for name, tt := range map[string]struct {
		args       []string
		text, hint string
	}{
		"no target":       {[]string{"move", "--config", s.from}, "--to is missing", "name the copy with --to"},
		"two local ones":  {[]string{"move", "--config", s.from, "--to", s.from}, "is local", "to the other Redis"},
		"no local one":    {[]string{"move", "--config", s.to, "--to", s.to}, "only the data of mode local", "--config"},
		"another prefix":  {[]string{"move", "--config", s.from, "--to", other}, "keyhole in one", "the same redis.prefix"},
		"broken target":   {[]string{"move", "--config", s.from, "--to", broken}, "redis.mode", "correct the named keys"},
		"missing source":  {[]string{"move", "--config", s.to + ".none", "--to", s.to}, "does not exist", "--config"},
		"an argument":     {[]string{"move", "x"}, "takes only flags", "usage"},
		"another command": {[]string{"copy"}, `unknown command "copy"`, "keyhole redis move"},
	} {
		_, err := execute(t, nil, tt.args...)
		wantError(t, name, err, command.ExitUsage, tt.text, tt.hint)
	}
	if _, err := os.Stat(s.directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	if out, err := execute(t, nil); err != nil || !strings.Contains(out, "move") {
		t.Errorf("without a command: %s, %v", out, err)
	}
}

// The whole way: the first run lacks rights and changes nothing, the second one moves, and
// then nothing uses the old directory any more. The configuration is that of the variable.
func TestMove(t *testing.T) {
	t.Parallel()
	target := redistest.StartSingle(t)
	s := newSite(t, fmt.Sprintf("addresses: [%q], username: %s", target.Addr, redistest.Username))
	s.fill(t)
	environ := []string{"KEYHOLE_CONFIG=" + s.from}
	s.moveTo(t, target)
	run := func() (string, *command.Error) {
		t.Helper()
		return execute(t, environ, "move", "--to", s.to)
	}

	_, err := run()
	wantError(t, "no rights", err, command.ExitFailed, "the links were not moved", "ACL SETUSER keyhole +scan +restore")
	s.start(t)() // The service can start again.
	target.MustDo(t, "ACL", "SETUSER", redistest.Username, "+scan", "+restore")
	stop := s.start(t)
	_, err = run()
	wantError(t, "a running service", err, command.ExitUsage, "another keyhole serve", "stop the other service")
	stop()

	out, err := run()
	if err != nil || !strings.HasPrefix(out, "moved 2 keys in ") ||
		!strings.Contains(out, "start the service with "+s.to) {
		t.Errorf("%q, %v", out, err)
	}
	if got := target.MustDo(t, "PEXPIRETIME", "keyhole:{p1}:l:a"); got != "2000000000123" {
		t.Errorf("the key expires at %s", got)
	}
	if got := target.MustDo(t, "GET", "keyhole:partitions"); got != "64" {
		t.Errorf("the target has the mark %s", got)
	}
	_, startErr := localredis.Start(t.Context(), localredis.Options{
		Directory: s.directory, Prefix: "keyhole", Logger: slog.New(slog.DiscardHandler),
	})
	if startErr == nil || !strings.Contains(startErr.Error(), "were moved to "+target.Addr) {
		t.Errorf("a start on the old directory: %v", startErr)
	}
	_, err = run()
	wantError(t, "a repeat", err, command.ExitFailed, "already has keys", "if an earlier move is complete")
}

// A directory whose links were moved is moved to no other Redis, and not again to one that
// has lost them: it knows no later revocation.
func TestMoveOnce(t *testing.T) {
	t.Parallel()
	first, second := redistest.StartSingle(t), redistest.StartSingle(t)
	s := newSite(t, "mode: single")
	s.fill(t)
	move := func(target *redistest.Server) *command.Error {
		t.Helper()
		target.MustDo(t, "ACL", "SETUSER", redistest.Username, "+scan", "+restore")
		s.moveTo(t, target)
		_, err := execute(t, nil, "move", "--config", s.from, "--to", s.to)
		return err
	}
	if err := move(first); err != nil {
		t.Fatal(err)
	}
	wantError(t, "another Redis", move(second), command.ExitFailed, "retired the source", "remove the file moved")
	first.MustDo(t, "FLUSHALL")
	wantError(t, "the same Redis without data", move(first), command.ExitFailed, "retired the source",
		"revoke again the links")
	for _, server := range []*redistest.Server{first, second} {
		if got := server.MustDo(t, "DBSIZE"); got != "0" {
			t.Errorf("%s has %s keys", server.Addr, got)
		}
	}
	// Somebody who decides to go back to the old data removes the file.
	if err := os.Remove(filepath.Join(s.directory, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := move(second); err != nil {
		t.Error(err)
	}
}

// A half-written last command, as after a power failure, is dropped, and the move says so.
func TestMoveHalfWritten(t *testing.T) {
	t.Parallel()
	target := redistest.StartSingle(t)
	target.MustDo(t, "ACL", "SETUSER", redistest.Username, "+scan", "+restore")
	s := newSite(t, "mode: single")
	s.fill(t)
	s.moveTo(t, target)
	file, err := os.OpenFile(filepath.Join(s.directory, "appendonlydir", "appendonly.aof.1.incr.aof"),
		os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString("*3\r\n$3\r\nSET\r\n$9\r\nkeyho")
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	out, log, known := executeWithLog(t, nil, "move", "--config", s.from, "--to", s.to)
	if known != nil || !strings.HasPrefix(out, "moved 2 keys in ") {
		t.Errorf("%q, %v", out, known)
	}
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "append-only file ends in a half-written command") {
		t.Errorf("standard error has %s", log)
	}
}

// Every known reason has its advice, and every other one a safe default.
func TestFailed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  error
		code int
		hint string
	}{
		"unreachable": {errors.New("dial tcp: connection refused"), command.ExitFailed, "nothing is lost"},
		"used":        {redisstore.ErrUsed, command.ExitFailed, "another redis.prefix"},
		"empty":       {redisstore.ErrNothingToMove, command.ExitFailed, "redis.directory"},
		"evicting":    {fmt.Errorf("%w; it is lru", redisstore.ErrEvicting), command.ExitFailed, "noeviction"},
		"differs":     {redisstore.ErrMoveDiffers, command.ExitFailed, "no service"},
		"changed":     {errors.Join(redisstore.ErrRetired, redisstore.ErrMoveDiffers), command.ExitFailed, "file moved"},
		"last write":  {fmt.Errorf("%w: OOM", redisstore.ErrUnfinished), command.ExitFailed, "already retired"},
		"clocks":      {fmt.Errorf("%w by 9s", redisstore.ErrClocks), command.ExitFailed, "repair NTP"},
		"another run": {redisstore.ErrMoving, command.ExitFailed, "no other move"},
		"no rights":   {errors.New("NOPERM this user"), command.ExitFailed, "ACL SETUSER default +scan"},
		"older":       {errors.New("ERR DUMP payload version or checksum"), command.ExitFailed, "a newer version"},
		"full":        {errors.New("OOM command not allowed"), command.ExitFailed, "raise maxmemory"},
		"replicas":    {gateway.ErrNotConfirmed, command.ExitFailed, "repeat the command"},
		"damage":      {&localredis.Error{Problem: "damaged", Do: "restore it"}, command.ExitUsage, "restore it"},
	} {
		got, _ := errors.AsType[*command.Error](failed(tt.err, ""))
		wantError(t, name, got, tt.code, "the links were not moved: "+tt.err.Error(), tt.hint)
	}
	wrong := &command.Error{Err: errors.New("redis.tls"), Hint: "correct it", Code: command.ExitUsage}
	if got, _ := errors.AsType[*command.Error](failed(wrong, "")); got != wrong {
		t.Errorf("a mistake in the configuration becomes %+v", got)
	}
}

package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/findings"
	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// writeConfig writes a configuration over a Redis and a storage, and returns its path. A busy
// machine cannot make Redis or the storage late: both time limits are 30 s.
func writeConfig(t *testing.T, redis string, c *config.Storage) string {
	t.Helper()
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "keyhole.yaml"), filepath.Join(dir, "secret")
	text := fmt.Sprintf(`
public: { listen: "127.0.0.1:1", url: "http://127.0.0.1:1" }
pages: { organization: Example Ltd }
operator: { keys: [{ name: ops, sha256: %s, can: [issue] }] }
redis: { addresses: [%q], timeout: 30s }
storage:
  - { name: main, endpoint: %q, region: us-east-1, path_style: true, buckets: [reports],
      access_key_id: %s, secret_access_key_file: %s, timeout: 30s }
`, operatorkey.Hash("x"), redis, c.Endpoint, c.AccessKeyID, secret)
	for name, content := range map[string]string{path: text, secret: c.SecretAccessKey.Reveal()} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// runDoctor runs the command. It returns what it printed and its error.
func runDoctor(t *testing.T, environ []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, diagnostics bytes.Buffer
	cmd := NewCommand(&command.Env{Stdout: &out, Stderr: &diagnostics, Environ: environ}, &stubClientCheck{})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), diagnostics.String(), err
}

// The command prints a line for each check and another one for each advice, and fails
// because the Redis in this process has no users.
func TestDoctor(t *testing.T) {
	t.Parallel()
	redis, err := inprocess.StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(redis.Close)
	path := writeConfig(t, redis.Addr(), startStorage(t, nil))
	stdout, stderr, err := runDoctor(t, []string{"KEYHOLE_CONFIG=" + path})
	var known *command.Error
	if !errors.As(err, &known) || known.Code != command.ExitFailed ||
		err.Error() != "1 of 23 checks failed, with 2 warnings" || !strings.Contains(known.Hint, "run keyhole doctor again") {
		t.Errorf("got %v, %+v, %s", err, known, stderr)
	}
	for _, line := range []string{
		"ok       redis                  reachable    " + redis.Addr() + " responds\n",
		"failure  redis                  rights       the user may not run scripts",
		"\n         load deploy/redis/users.acl",
		"ok       main                   credentials  do not expire\n",
		"ok       main:reports           anonymous    requests without a signature are refused\n",
		"warning  public                 reachable    the service does not run: nothing listens on 127.0.0.1:1",
	} {
		if !strings.Contains(stdout, line) {
			t.Errorf("%q is not in:\n%s", line, stdout)
		}
	}

	stdout, _, err = runDoctor(t, nil, "--config", path, "--json")
	var answer struct{ Findings []finding }
	if err == nil || json.Unmarshal([]byte(stdout), &answer) != nil || len(answer.Findings) != 23 {
		t.Errorf("--json: %v, %d findings in %s", err, len(answer.Findings), stdout)
	}
}

// A configuration that serve refuses is an error of usage, with all of its problems.
func TestDoctorOfABadConfiguration(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "keyhole.yaml")
	if err := os.WriteFile(bad, []byte("public: { url: nowhere }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, hint := range map[string]string{
		bad: "correct the named keys", bad + ".missing": "name the file with --config or in KEYHOLE_CONFIG\n" +
			"to check your access to a service that runs elsewhere: keyhole doctor --client",
	} {
		stdout, _, err := runDoctor(t, nil, "--config", path)
		var known *command.Error
		if !errors.As(err, &known) || known.Code != command.ExitUsage || !strings.Contains(known.Hint, hint) || stdout != "" {
			t.Errorf("%s: got %v, %+v, %s", path, err, known, stdout)
		}
	}
	if _, _, err := runDoctor(t, nil, "extra"); err == nil || !strings.Contains(err.Error(), "takes only flags") {
		t.Errorf("an argument: %v", err)
	}
}

// An installation with warnings passes: scripts must not fail for advice.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		levels []string
		failed string
		stderr string
	}{
		"nothing wrong": {[]string{levelOK, levelOK}, "", "2 checks, 0 warnings\n"},
		"a warning":     {[]string{levelOK, levelWarning}, "", "2 checks, 1 warning\n"},
		"a failure":     {[]string{levelWarning, levelFailure, levelFailure}, "2 of 3 checks failed, with 1 warning", ""},
	} {
		var stderr bytes.Buffer
		x := &examination{}
		for _, level := range tt.levels {
			x.note(finding{Level: level})
		}
		err := findings.Verdict(&command.Env{Stderr: &stderr}, x.findings, "keyhole doctor")
		if (err == nil) != (tt.failed == "") || err != nil && err.Error() != tt.failed || stderr.String() != tt.stderr {
			t.Errorf("%s: got %v, %q", name, err, stderr.String())
		}
	}
}

// Names and messages of other programs reach the terminal escaped.
func TestPrintFinding(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	env := &command.Env{Stdout: &out}
	findings.Print(env, &finding{
		Subject: "main:b\x1b", Check: "list", Level: levelFailure, Message: "m\u202e", Do: "do\n",
	})
	findings.Print(env, &finding{Subject: "redis", Check: "role", Level: levelOK, Message: "is a master"})
	const want = "failure  main:b\\x1b             list         m\\u202e\n         do\\n\n" +
		"ok       redis                  role         is a master\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// Durations are rounded to what a person compares.
func TestRoughly(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		1499 * time.Millisecond: "1s", 59 * time.Second: "59s", 90 * time.Second: "2m", 61 * time.Minute: "1h1m",
		-2 * time.Hour: "-2h",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}

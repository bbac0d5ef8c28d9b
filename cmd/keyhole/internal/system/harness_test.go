//go:build system

package system

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/client"
	"keyhole/gateway/logtest"
	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// binary is the program under test.
var binary string //nolint:gochecknoglobals // built by TestMain for all tests

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

// testMain builds the real binary, because that is what users run. Parallel tests wait more
// than they compute, so four may run at the same time also on two processors, unless the
// command line says otherwise.
func testMain(m *testing.M) int {
	if plan := os.Getenv(attackVariable); plan != "" {
		return attackMain(plan)
	}
	_ = flag.Set("test.parallel", "4") // The flag exists in every test binary.
	dir, err := os.MkdirTemp("", "keyhole-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "keyhole")
	build := exec.Command("go", "build", "-o", binary, "keyhole/cmd/keyhole")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the binary:", err)
		return 1
	}
	return m.Run()
}

// installation is a gateway with its real Redis and S3 server.
type installation struct {
	t     *testing.T
	redis *redistest.Server
	s3    *s3test.Server
	key   string
	dir   string
	// s3KeyID and s3Secret are the credentials that the gateways get; without a
	// key ID they ask the SDK's default chain.
	s3KeyID, s3Secret string
	// storages are more storages of the configuration, as they are written in it.
	storages string
	program  string // what is run in place of the binary
}

// install starts Redis, with directives of its own, and the S3 server with the
// buckets reports and exports.
func install(t *testing.T, directives ...string) *installation {
	t.Helper()
	return installOver(t, s3test.Start(t, "reports", "exports"), directives...)
}

// installOver starts Redis for a gateway over an S3 server that has the buckets
// reports and exports.
func installOver(t *testing.T, s3 *s3test.Server, directives ...string) *installation {
	t.Helper()
	return &installation{
		t: t, redis: redistest.StartSingle(t, append(directives, "rdbcompression no")...), s3: s3,
		key: operatorkey.New(), dir: t.TempDir(), s3KeyID: s3test.RootKey, s3Secret: s3test.RootSecret,
	}
}

// put stores an object in the bucket reports.
func (in *installation) put(t *testing.T, key string, content []byte) {
	t.Helper()
	in.s3.Put(t, "reports", key, "text/plain", content)
}

// instance is one running keyhole serve.
type instance struct {
	public, operator string // base URLs
	config           string // path of its file
	process          *process
	client           *client.Client
}

// start starts a gateway with the configuration that every test has, and
// variables over it, and waits until it is ready.
func (in *installation) start(env ...string) *instance {
	in.t.Helper()
	g := in.launch(env...)
	g.waitReady(in.t)
	return g
}

// waitReady waits until the gateway is ready.
func (g *instance) waitReady(t *testing.T) {
	t.Helper()
	eventually(t, "the gateway to be ready", func() error {
		r, err := g.client.Ready(t.Context())
		if err == nil && !r.Ready {
			err = fmt.Errorf("not ready: %+v", r)
		}
		return errors.Join(err, g.process.exited())
	})
}

// launch starts a gateway and does not wait for it.
func (in *installation) launch(env ...string) *instance {
	in.t.Helper()
	public, operator := freeAddress(in.t), freeAddress(in.t)
	path := in.writeConfig(public, operator)
	g := &instance{
		public: "http://" + public, operator: "http://" + operator, config: path,
		process: startProcess(in.t, cmp.Or(in.program, binary), env, "serve", "--config", path),
	}
	var err error
	if g.client, err = client.New(g.operator, in.key); err != nil {
		in.t.Fatal(err)
	}
	return g
}

// withKey returns a client with another key of the gateway.
func (g *instance) withKey(t *testing.T, key string) *client.Client {
	t.Helper()
	c, err := client.New(g.operator, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeConfig writes the configuration file of one gateway. Its timeouts outlast a stall of the
// machine, because most tests send a request only once. A test of the timeout has shortTimeout.
func (in *installation) writeConfig(public, operator string) string {
	in.t.Helper()
	write := func(name, text string) string {
		path := filepath.Join(in.dir, name)
		// Another gateway of the installation may be reading the file.
		err := os.WriteFile(path+".new", []byte(text), 0o600)
		if err := errors.Join(err, os.Rename(path+".new", path)); err != nil {
			in.t.Fatal(err)
		}
		return path
	}
	credentials := ""
	if in.s3KeyID != "" {
		credentials = fmt.Sprintf("    access_key_id: %s\n    secret_access_key_file: %s\n", in.s3KeyID,
			write("s3-secret", in.s3Secret+"\n"))
	}
	text := fmt.Sprintf(`
public: { listen: %q, url: "http://%s" }
operator:
  listen: %q
  requests_per_minute: 0
  keys:
    - { name: ops, sha256: %s, can: [issue, read, revoke, browse] }
    - { name: reader, sha256: %s, can: [read] }
    - { name: exporter, sha256: %s, can: [issue, read, revoke, browse], objects: ["exports/*"], max_expiry: 10m }
redis: { addresses: [%q], username: %s, password_file: %s, timeout: 15s }
storage:
  - name: main
    timeout: 20s
    endpoint: %q
    region: us-east-1
    path_style: true
    buckets: [reports, exports]
%s%spages: { organization: Example Ltd }
log: { level: debug }
`, public, public, operator, operatorkey.Hash(in.key), operatorkey.Hash(in.key+"reader"),
		operatorkey.Hash(in.key+"exporter"),
		in.redis.Addr, redistest.Username, write("redis-password", redistest.Password+"\n"),
		in.s3.Endpoint(), credentials, in.storages)
	return write("keyhole-"+strings.ReplaceAll(public, ":", "-")+".yaml", text)
}

// process is a program that runs beside the test.
type process struct {
	command *exec.Cmd
	output  *logtest.Buffer // stdout and stderr
	done    chan struct{}
	err     error // after done
}

// startProcess starts a program that ends with the test.
func startProcess(t *testing.T, path string, env []string, args ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(path, args...), output: &logtest.Buffer{}, done: make(chan struct{})}
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // It must not outlive a test that panics.
	if err := p.command.Start(); err != nil {
		t.Fatalf("start %s: %v", filepath.Base(path), err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(path), p.output.Tail(8<<10))
		}
	})
	return p
}

// exited returns an error if the process has ended, so that nobody waits for it.
func (p *process) exited() error {
	select {
	case <-p.done:
		return fatal{fmt.Errorf("it ended: %w\n%s", p.err, p.output.Tail(4<<10))}
	default:
		return nil
	}
}

// terminate sends SIGTERM or SIGINT and waits for the end.
func (p *process) terminate(t *testing.T, signal os.Signal) error {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(30 * time.Second):
		t.Fatal("the process does not end within 30 s of its signal")
		return nil
	}
}

// fatal is an error that no waiting will mend.
type fatal struct{ error }

// eventually asks until there is no error, for a minute at most.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute) // Other tests load the machine.
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		var ended fatal
		if errors.As(err, &ended) || time.Now().After(deadline) {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		<-ticker.C
	}
}

// freeAddress returns a loopback address that nobody listens on. A port that the kernel
// chooses could go to a connection of another test before the gateway listens on it.
func freeAddress(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", redistest.FreePort(t))
}

// answer is what a recipient's client got, before following any redirect.
type answer struct {
	status   int
	header   http.Header
	body     string
	took     time.Duration
	location string
	protocol int      // major version of HTTP
	from     *url.URL // where it came from, after redirects that were followed
}

// unfollowed is a client that follows no redirect.
func unfollowed() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask sends one request and reads the answer.
func ask(ctx context.Context, c *http.Client, method, address string, body io.Reader, headers ...string) (answer,
	error,
) {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	begun := time.Now()
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{
		status: response.StatusCode, header: response.Header, body: string(text),
		took: time.Since(begun), location: response.Header.Get("Location"),
		protocol: response.ProtoMajor, from: response.Request.URL,
	}, err
}

// get sends one request that must be answered.
func get(t *testing.T, method, address string, headers ...string) answer {
	t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections()
	a, err := ask(t.Context(), c, method, address, nil, headers...)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return a
}

// randomBytes returns n bytes that compress to nothing and repeat nowhere.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// refusalOf returns the service's refusal that err is, or nil.
func refusalOf(err error) *client.Error {
	var refused *client.Error
	errors.As(err, &refused)
	return refused
}

// runBinary runs one command of the binary to its end and returns its exit code. It
// has the environment of the tests, without variables of Keyhole, and env over it.
func runBinary(ctx context.Context, args []string, env command.Env) int {
	program := exec.CommandContext(ctx, binary, args...)
	program.Stdin, program.Stdout, program.Stderr = env.Stdin, env.Stdout, env.Stderr
	program.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KEYHOLE_") })
	program.Env = append(program.Env, env.Environ...)
	var ended *exec.ExitError
	switch err := program.Run(); {
	case err == nil:
		return command.ExitOK
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	return -1
}

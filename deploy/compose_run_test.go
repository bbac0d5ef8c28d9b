package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// images has facts about the images that compose.yaml relies on and does not state: the
// user in the configuration of each image, and the command of Keyhole's image. TestImage
// checks the Dockerfile against them.
var images = map[string]struct { //nolint:gochecknoglobals // A table.
	user       string
	entrypoint []string
	command    []string
}{
	"gateway":    {"65532:65532", []string{"/keyhole"}, []string{"serve", "--config", "/etc/keyhole/keyhole.yaml"}},
	"s3":         {"", []string{"/versitygw"}, nil},
	"prometheus": {"65534:65534", []string{"prometheus"}, nil},
	"grafana":    {"472:0", nil, nil},
}

// project runs deploy/compose.yaml without an engine: every service is a process with
// the command, environment, user, groups and mounts that the file states. Paths of a
// container become paths below a directory of its own, and its name and port become an
// address of loopback.
type project struct {
	tree    string // a copy of the repository
	compose compose
	// local has the loopback address for each listener of a container, such as "s3:7070".
	local map[string]string
	roots map[string]string // of each container
	// running has the process of each service.
	running map[string]*process
}

// newProject prepares a project in a copy of the repository.
func newProject(t *testing.T, tree string) *project {
	t.Helper()
	p := &project{
		tree: tree, compose: readCompose(t), local: map[string]string{},
		roots: map[string]string{}, running: map[string]*process{},
	}
	for _, listener := range []string{"redis:6379", "s3:7070", "gateway:8080", "gateway:8081", "localhost:9090"} {
		p.local[listener] = freeAddress(t)
	}
	// Addresses are those of containers' networks, and of ports that are published.
	p.rewrite(t, "deploy/compose/config/keyhole.yaml", strings.NewReplacer(
		"redis:6379", p.local["redis:6379"], "s3:7070", p.local["s3:7070"], "127.0.0.1:9000", p.local["s3:7070"],
		`":8080"`, strconv.Quote(p.local["gateway:8080"]), "127.0.0.1:8080", p.local["gateway:8080"],
		`":8081"`, strconv.Quote(p.local["gateway:8081"]), "127.0.0.1:8081", p.local["gateway:8081"],
		"/run/secrets/", p.root(t, "gateway")+"/run/secrets/",
	))
	p.rewrite(t, "deploy/prometheus/prometheus.yml", strings.NewReplacer(
		"gateway:8081", p.local["gateway:8081"], "localhost:9090", p.local["localhost:9090"],
		"_interval: 15s", "_interval: 1s", // so that the test need not wait for a scrape
	))
	return p
}

// root returns the directory that is used as the file system of a container.
func (p *project) root(t *testing.T, service string) string {
	t.Helper()
	if p.roots[service] == "" {
		p.roots[service] = filepath.Join(filepath.Dir(p.tree), "containers", service)
		if err := os.MkdirAll(p.roots[service], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p.roots[service]
}

// rewrite replaces text in a file of the copy.
func (p *project) rewrite(t *testing.T, name string, replacer *strings.Replacer) {
	t.Helper()
	path := filepath.Join(p.tree, name)
	before := string(read(t, path))
	after := replacer.Replace(before)
	if after == before {
		t.Fatalf("%s has no address to translate", name)
	}
	if err := os.WriteFile(path, []byte(after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// interpolate replaces ${NAME:?message} by the value of NAME in deploy/.env.
func (p *project) interpolate(t *testing.T, text string) string {
	t.Helper()
	variables := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(p.tree, "deploy/.env")))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		variables[name] = value
	}
	return regexp.MustCompile(`\$\{(\w+):\?[^}]*\}`).ReplaceAllStringFunc(text, func(v string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(v, "${"), ":")
		if variables[name] == "" {
			t.Fatalf("deploy/.env does not set %s", name)
		}
		return variables[name]
	})
}

// mount makes the files of a container: its volumes, and its secrets. The secrets are the
// files that init made, with their owner and mode.
func (p *project) mount(t *testing.T, name string) {
	t.Helper()
	root, s := p.root(t, name), p.compose.Services[name]
	place := func(target string) string {
		path := filepath.Join(root, target)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, secret := range s.Secrets {
		from := filepath.Join(p.tree, "deploy", p.compose.Secrets[secret].File)
		if err := os.Link(from, place("/run/secrets/"+secret)); err != nil {
			t.Fatal(err)
		}
	}
	for _, volume := range s.Volumes {
		source, target, _ := strings.Cut(strings.TrimSuffix(volume, ":ro"), ":")
		if strings.HasPrefix(source, ".") {
			if err := os.Symlink(filepath.Join(p.tree, "deploy", source), place(target)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		path := place(target)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if credential := p.credential(t, name); credential != nil {
			if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// credential returns the user and the groups of a container. Only root can switch users;
// otherwise all services run as the user of the test.
func (p *project) credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	id := func(text string) uint32 {
		n, err := strconv.ParseUint(p.interpolate(t, text), 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return uint32(n)
	}
	s := p.compose.Services[name]
	user := s.User
	if user == "" {
		user = images[name].user
	}
	uid, gid, _ := strings.Cut(user, ":")
	c := &syscall.Credential{Uid: id(uid), Gid: id(gid)}
	for _, group := range s.GroupAdd {
		c.Groups = append(c.Groups, id(group))
	}
	return c
}

// command returns a command that runs in a container.
func (p *project) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	root, s := p.root(t, name), p.compose.Services[name]
	var mounted []string
	for _, secret := range s.Secrets {
		mounted = append(mounted, "/run/secrets/"+secret)
	}
	for _, volume := range s.Volumes {
		_, target, _ := strings.Cut(strings.TrimSuffix(volume, ":ro"), ":")
		mounted = append(mounted, target)
	}
	local := make([]string, 0, len(args))
	for _, arg := range args {
		option, path, both := strings.Cut(arg, "=")
		if !both {
			option, path = "", arg
		} else {
			option += "="
		}
		if slices.ContainsFunc(mounted, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) {
			arg = option + root + path
		}
		local = append(local, arg)
	}
	program := local[0]
	if filepath.IsAbs(program) {
		program = root + program
	}
	command := exec.CommandContext(t.Context(), program, local[1:]...)
	command.Dir = root
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/"}
	if name == "gateway" { // as the image has it, but Redis may be late on a busy machine
		command.Env = append(command.Env, "KEYHOLE_CONFIG="+root+"/etc/keyhole/keyhole.yaml", "KEYHOLE_REDIS_TIMEOUT=30s")
	}
	for key, value := range s.Environment {
		command.Env = append(command.Env, key+"="+value)
	}
	for _, file := range s.EnvFile {
		for line := range strings.Lines(string(read(t, filepath.Join(p.tree, "deploy", file)))) {
			command.Env = append(command.Env, strings.TrimSpace(line))
		}
	}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential(t, name)}
	return command
}

// up starts the services in the order of their dependencies, as `docker compose up --build`
// does: a service starts when those it depends on are healthy.
func (p *project) up(t *testing.T) {
	t.Helper()
	for name := range p.compose.Services {
		p.mount(t, name)
	}
	p.install(t)
	redis, s3, prometheus := p.compose.Services["redis"], p.compose.Services["s3"], p.compose.Services["prometheus"]
	replace := func(args []string, old, replacement string) []string {
		args = slices.Clone(args)
		at := slices.Index(args, old)
		if at < 0 {
			t.Fatalf("%q is not in %q", old, args)
		}
		args[at] = replacement
		return args
	}
	p.run(t, "redis", append(replace(redis.Command, "0.0.0.0", "127.0.0.1"), "--port", port(t, p.local["redis:6379"])))
	p.run(t, "s3", replace(append(slices.Clone(images["s3"].entrypoint), s3.Command...), ":7070", p.local["s3:7070"]))
	p.run(t, "gateway", append(slices.Clone(images["gateway"].entrypoint), images["gateway"].command...))
	p.run(t, "prometheus", append(append(slices.Clone(images["prometheus"].entrypoint), prometheus.Command...),
		"--web.listen-address="+p.local["localhost:9090"]))
	// Debian has no package of Grafana. The test only checks that Grafana's user can read
	// its files.
	for _, path := range []string{
		"/run/secrets/grafana_admin_password", "/etc/grafana/provisioning/dashboards/keyhole.yml",
	} {
		if out, err := p.command(t, "grafana", "cat", path).CombinedOutput(); err != nil {
			t.Errorf("the user of grafana cannot read %s: %v: %s", path, err, out)
		}
	}
}

// install copies the programs that Debian does not have into their containers, where the
// containers' users can read them.
func (p *project) install(t *testing.T) {
	t.Helper()
	for service, program := range map[string]string{
		"gateway": buildKeyhole(t),
		"s3":      filepath.Join(os.Getenv("TEST_TOOLS"), "versitygw"),
	} {
		path := filepath.Join(p.root(t, service), filepath.Base(program))
		if err := os.WriteFile(path, read(t, program), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// run starts a service and waits until its health check succeeds.
func (p *project) run(t *testing.T, name string, args []string) {
	t.Helper()
	running := start(t, p.command(t, name, args...))
	p.running[name] = running
	check := p.compose.Services[name].Healthcheck.Test
	if name == "gateway" {
		check = []string{"CMD", "/keyhole", "health", "--live"} // the image's own
	}
	var local []string
	for _, arg := range check[1:] {
		local = append(local, strings.NewReplacer("127.0.0.1:7070", p.local["s3:7070"],
			"127.0.0.1:9090", p.local["localhost:9090"]).Replace(arg))
	}
	if local[0] == "redis-cli" {
		local = slices.Insert(local, 1, "-p", port(t, p.local["redis:6379"]))
	}
	running.waitFor(t, name+" to be healthy", func() error {
		if out, err := p.command(t, name, local...).CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w: %s", local, err, out)
		}
		return nil
	})
}

// exec runs a command in the container of a service, as `docker compose exec` does.
func (p *project) exec(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := p.command(t, name, args...)
	// In its container, the gateway has the command's default address
	// http://127.0.0.1:8081.
	command.Env = append(command.Env, "KEYHOLE_OPERATOR_URL=http://"+p.local["gateway:8081"])
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	code = exitCode(t, command.Run())
	return out.String(), problems.String(), code
}

// fetch returns the answer of an address, and follows redirects.
func fetch(t *testing.T, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return string(text), errors.Join(err, response.Body.Close())
}

// scraped returns an error until Prometheus has scraped the gateway.
func (p *project) scraped(t *testing.T) error {
	t.Helper()
	text, err := fetch(t, "http://"+p.local["localhost:9090"]+"/api/v1/targets")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			ActiveTargets []struct {
				ScrapePool, Health, LastError string
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return err
	}
	for _, target := range answer.Data.ActiveTargets {
		if target.ScrapePool == "keyhole" && target.Health == "up" {
			return nil
		}
	}
	return fmt.Errorf("targets: %+v", answer.Data.ActiveTargets)
}

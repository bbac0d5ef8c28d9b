package deploy_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// compose has every key that deploy/compose.yaml may use. Strict decoding refuses a
// mistyped key, which otherwise only docker compose would find.
type compose struct {
	Name     string              `yaml:"name"`
	Groups   []string            `yaml:"x-secrets-group"`
	Hardened map[string]any      `yaml:"x-hardened"`
	Services map[string]service  `yaml:"services"`
	Networks map[string]network  `yaml:"networks"`
	Volumes  map[string]struct{} `yaml:"volumes"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type network struct {
	Internal bool `yaml:"internal"`
}

type service struct {
	Image string `yaml:"image"`
	Build struct {
		Context string `yaml:"context"`
	} `yaml:"build"`
	User        string            `yaml:"user"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	EnvFile     []string          `yaml:"env_file"`
	Secrets     []string          `yaml:"secrets"`
	GroupAdd    []string          `yaml:"group_add"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Networks    []string          `yaml:"networks"`
	DependsOn   any               `yaml:"depends_on"`
	Healthcheck struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	Restart     string   `yaml:"restart"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Tmpfs       []string `yaml:"tmpfs"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	readYAML(t, "compose.yaml", &c, true)
	return c
}

// mounts reports whether a service mounts source at target.
func (c compose) mounts(service, source, target string) bool {
	return slices.ContainsFunc(c.Services[service].Volumes, func(v string) bool {
		return strings.TrimSuffix(v, ":ro") == source+":"+target
	})
}

func TestComposeServicesAreHardened(t *testing.T) {
	// A tag that names a version; latest is another image tomorrow.
	pinned := regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*$`)
	for name, s := range readCompose(t).Services {
		if s.Build.Context == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt,
			"no-new-privileges:true") {
			t.Errorf("%s: read_only %t, cap_drop %v, security_opt %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if user, _, _ := strings.Cut(s.User, ":"); user == "root" || user == "0" {
			t.Errorf("%s runs as root", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") || strings.Count(port, ":") != 2 {
				t.Errorf("%s publishes %s: only 127.0.0.1 may be published on", name, port)
			}
		}
		for _, value := range s.Environment {
			if len(value) >= 32 && !strings.HasPrefix(value, "/") {
				t.Errorf("%s: a secret in the environment belongs into a file", name)
			}
		}
	}
}

func TestComposeRedisIsPrivate(t *testing.T) {
	c := readCompose(t)
	redis := c.Services["redis"]
	if len(redis.Ports) != 0 {
		t.Errorf("redis is published on %v", redis.Ports)
	}
	for _, name := range redis.Networks {
		if !c.Networks[name].Internal {
			t.Errorf("redis is on %s, which is not internal", name)
		}
		for other, s := range c.Services {
			if other != "redis" && other != "gateway" && slices.Contains(s.Networks, name) {
				t.Errorf("%s can reach redis", other)
			}
		}
	}
}

// TestComposePathsExist checks that the files which compose.yaml mounts exist in the tree,
// and that deploy/compose/init makes its secrets.
func TestComposePathsExist(t *testing.T) {
	c := readCompose(t)
	made := t.TempDir()
	run(t, "compose/init", made)
	for name, s := range c.Services {
		for _, volume := range s.Volumes {
			source, target, _ := strings.Cut(volume, ":")
			if !strings.HasPrefix(source, ".") {
				if _, ok := c.Volumes[source]; !ok {
					t.Errorf("%s: the volume %s is not declared", name, source)
				}
				continue
			}
			if _, err := os.Stat(source); err != nil {
				t.Errorf("%s mounts what is not there: %v", name, err)
			}
			if !strings.HasSuffix(target, ":ro") {
				t.Errorf("%s may write to %s in the tree", name, source)
			}
		}
		for _, file := range s.EnvFile {
			checkMade(t, made, file)
		}
		for _, secret := range s.Secrets {
			if _, ok := c.Secrets[secret]; !ok {
				t.Errorf("%s: the secret %s is not declared", name, secret)
			}
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: the network %s is not declared", name, n)
			}
		}
		if s.Build.Context != "" {
			if _, err := os.Stat(filepath.Join(s.Build.Context, "Dockerfile")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, secret := range c.Secrets {
		checkMade(t, made, secret.File)
	}
}

// checkMade fails unless deploy/compose/init makes the file.
func checkMade(t *testing.T, made, file string) {
	t.Helper()
	name, ok := strings.CutPrefix(file, "compose/secrets/")
	if !ok {
		t.Errorf("%s is not in compose/secrets, which git ignores", file)
		return
	}
	if info, err := os.Stat(filepath.Join(made, name)); err != nil || info.Size() == 0 {
		t.Errorf("deploy/compose/init does not make %s: %v", file, err)
	}
}

func TestComposeWaitsForWhatCanBeHealthy(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		waits, _ := s.DependsOn.(map[string]any)
		for other := range waits {
			if len(c.Services[other].Healthcheck.Test) == 0 {
				t.Errorf("%s waits for %s, which has no health check", name, other)
			}
		}
		if test := s.Healthcheck.Test; len(test) > 0 && test[0] != "CMD" {
			t.Errorf("%s: the health check %q needs a shell", name, test)
		}
	}
	if len(c.Services["gateway"].Healthcheck.Test) != 0 {
		t.Error("the gateway's health check belongs into the Dockerfile, where every user of the image has it")
	}
}

// TestComposePartsFitTogether compares values that must be equal in two files.
func TestComposePartsFitTogether(t *testing.T) {
	var config struct {
		Operator struct {
			Listen string
			Keys   []struct{ Name string }
		}
		Redis   struct{ Addresses []string }
		Storage []struct {
			Endpoint, Region string
			PublicEndpoint   string `yaml:"public_endpoint"`
			AccessKeyID      string `yaml:"access_key_id"`
			Buckets          []string
		}
	}
	readYAML(t, "compose/config/keyhole.yaml", &config, false)
	var prometheus struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus/prometheus.yml", &prometheus, false)
	c := readCompose(t)
	s3, storage := c.Services["s3"], config.Storage[0]
	tools := regexp.MustCompile(`github.com/versity/versitygw (v\S+)`).FindSubmatch(read(t, "tools/go.mod"))
	if tools == nil {
		t.Fatal("tools/go.mod requires no versitygw")
	}
	for _, check := range []struct{ what, got, want string }{
		{"scraped target", prometheus.ScrapeConfigs[0].StaticConfigs[0].Targets[0], "gateway" + config.Operator.Listen},
		{"published S3 port", s3.Ports[0], strings.TrimPrefix(storage.PublicEndpoint, "http://") + ":7070"},
		{"S3 endpoint", storage.Endpoint, "http://s3:7070"},
		{"S3 access key", s3.Environment["ROOT_ACCESS_KEY"], storage.AccessKeyID},
		{"S3 region", s3.Command[slices.Index(s3.Command, "--region")+1], storage.Region},
		{"S3 server", s3.Image, "versity/versitygw:" + string(tools[1])},
		{"Redis address", config.Redis.Addresses[0], "redis:6379"},
		{"operator key", config.Operator.Keys[0].Name, "compose"},
	} {
		if check.got != check.want {
			t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
		}
	}
	for _, bucket := range storage.Buckets {
		if entries, err := os.ReadDir(filepath.Join("compose/data", bucket)); err != nil || len(entries) == 0 {
			t.Errorf("nothing to share in the bucket %s: %v", bucket, err)
		}
	}
}

func TestComposeInitMakesSecretsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	run(t, "compose/init", dir)
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		t.Errorf("the directory of the secrets has mode %o, want 700", mode)
	}
	first := map[string]string{}
	for _, path := range glob(t, filepath.Join(dir, "*")) {
		first[path] = string(read(t, path))
	}
	key := first[filepath.Join(dir, "operator_key")]
	want := fmt.Sprintf("KEYHOLE_OPERATOR_KEYS_COMPOSE_SHA256=%x\n", sha256.Sum256([]byte(key)))
	if got := first[filepath.Join(dir, "gateway.env")]; got != want {
		t.Errorf("gateway.env is %q, want %q", got, want)
	}
	all := strings.Join(slices.Collect(maps.Values(first)), "\n")
	if len(key) != 64 || strings.Count(all, key) != 1 {
		t.Errorf("the operator key has %d characters, or stands in another file too", len(key))
	}
	password := sha256.Sum256([]byte(first[filepath.Join(dir, "redis_password")]))
	if users := first[filepath.Join(dir, "users.acl")]; !strings.Contains(users, fmt.Sprintf("user keyhole on #%x ",
		password)) {
		t.Errorf("users.acl does not admit the password to the user keyhole:\n%s", users)
	}
	run(t, "compose/init", dir)
	for path, text := range first {
		if string(read(t, path)) != text {
			t.Errorf("a second run changed %s", filepath.Base(path))
		}
	}
}

// Containers run as different users, so one group can read the secret files. compose.yaml
// adds that group to the containers that read a secret. Only docker compose reads the other
// files, as the user who runs it.
func TestComposeSecretsAreReadByOwnerAndGroupOnly(t *testing.T) {
	c := readCompose(t)
	dir := filepath.Join(t.TempDir(), "secrets")
	run(t, "compose/init", dir)
	want := map[string]os.FileMode{".env": 0o600}
	for _, secret := range c.Secrets {
		want[filepath.Base(secret.File)] = 0o640
	}
	for name, s := range c.Services {
		for _, file := range s.EnvFile {
			want[filepath.Base(file)] = 0o600
		}
		added := slices.ContainsFunc(s.GroupAdd, func(group string) bool {
			return strings.HasPrefix(group, "${KEYHOLE_SECRETS_GID:?")
		})
		if added != (len(s.Secrets) > 0) {
			t.Errorf("%s reads the secrets %v and has the groups %v", name, s.Secrets, s.GroupAdd)
		}
	}
	// The second round has files that every user can read, as an earlier version made them.
	for range 2 {
		for _, path := range glob(t, filepath.Join(dir, "*")) {
			name := filepath.Base(path)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if mode, ok := want[name]; !ok || info.Mode().Perm() != mode {
				t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want[name])
			}
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run(t, "compose/init", dir)
	}
	env := fmt.Sprintf("KEYHOLE_SECRETS_GID=%d\n", os.Getgid())
	if got := string(read(t, filepath.Join(dir, ".env"))); got != env {
		t.Errorf(".env is %q, want %q", got, env)
	}
	t.Setenv("KEYHOLE_SECRETS_GID", "0")
	run(t, "compose/init", dir)
	if got := string(read(t, filepath.Join(dir, ".env"))); got != "KEYHOLE_SECRETS_GID=0\n" {
		t.Errorf("with KEYHOLE_SECRETS_GID=0, .env is %q", got)
	}
}

// init reports files that containers cannot read, as after a checkout with umask 077,
// before docker compose fails.
func TestComposeInitNamesFilesThatContainersCannotRead(t *testing.T) {
	for _, name := range []string{
		"deploy/redis/redis.conf", "deploy/compose/config", "deploy/compose/data/samples/welcome.txt",
		"deploy/prometheus/rules/alerts.yml", "deploy/grafana/dashboards",
	} {
		tree := copyRepository(t, t.TempDir())
		init := exec.CommandContext(t.Context(), filepath.Join(tree, "deploy/compose/init"))
		if out, err := init.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := os.Chmod(filepath.Join(tree, name), 0o700); err != nil {
			t.Fatal(err)
		}
		init = exec.CommandContext(t.Context(), filepath.Join(tree, "deploy/compose/init"))
		out, err := init.CombinedOutput()
		if err == nil || !strings.Contains(string(out), name) || !strings.Contains(string(out), "chmod -R go+rX ") {
			t.Errorf("init accepts %s with mode 700: %v\n%s", name, err, out)
		}
	}
}

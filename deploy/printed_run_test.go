package deploy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The sandboxes that commands are run in.
const (
	inInstallation = "installation" // what installPage builds, and the terminal that built it
	inCompose      = "compose"      // the services of compose.yaml
	inRepository   = "repository"   // a copy of the repository, and buildah
)

// The pages that lead from nothing to a running service: with the Redis of the service, and
// with a Redis of the reader's own.
const (
	installPage = "deploy/docs/run/install.md"
	redisPage   = "deploy/docs/run/own-redis.md"
)

// installationSources are the sources whose commands need an installation, in the order in
// which they are run. README and installPage make one each and use it. The sources after
// redisPage need its installation: later sources use the links of earlier ones.
var installationSources = []string{ //nolint:gochecknoglobals // A table.
	"README.md", installPage, redisPage, "deploy/docs/use/commands.md", "deploy/docs/use/find.md",
	"deploy/docs/use/change.md",
	"deploy/docs/run/commands.md", "deploy/docs/run/privacy.md", "deploy/docs/use/connect.md",
	"deploy/docs/use/receive.md", "deploy/docs/build/answers.md", "deploy/docs/run/runbook.md",
	"deploy/docs/build/api.md", "deploy/docs/run/keyhole.yaml", "deploy/redis/redis.conf",
}

// sessionOf returns the sandbox for the commands of a source, or "" for a source that
// should not print commands.
func sessionOf(source string) string {
	switch {
	case slices.Contains(installationSources, source), strings.HasSuffix(source, " --help"):
		return inInstallation
	case source == "deploy/compose.yaml", source == "deploy/compose/init":
		return inCompose
	case source == "Dockerfile", strings.HasPrefix(source, "deploy/prometheus/"):
		return inRepository
	}
	return ""
}

// buildKeyhole builds the binary as installPage does.
func buildKeyhole(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyhole")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-pgo=off",
		"-o", path, "./cmd/keyhole")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build keyhole: %v\n%s", err, out)
	}
	return path
}

// copyRepository copies the repository below a directory, because printed commands write
// into the tree and tests must not.
func copyRepository(t *testing.T, below string) string {
	t.Helper()
	tree := filepath.Join(below, "keyhole")
	// A reader's checkout has no build results and no secrets.
	made := []string{".git", "dist", "keyhole", "deploy/.env", "deploy/compose/secrets"}
	// Modes are those of a checkout by git with the usual umask, whatever the umask here is.
	for _, name := range repositoryFiles(t, made...) {
		makeDirectories(t, tree, filepath.Dir(name))
		info, err := fs.Stat(repository(), name)
		if err != nil {
			t.Fatal(err)
		}
		path, mode := filepath.Join(tree, name), fs.FileMode(0o644)
		if info.Mode().Perm()&0o100 != 0 {
			mode = 0o755
		}
		if err := errors.Join(os.WriteFile(path, []byte(file(t, name)), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// makeDirectories makes a directory below top, and those above it, open to every user.
func makeDirectories(t *testing.T, top, name string) {
	t.Helper()
	path := filepath.Join(top, name)
	if _, err := os.Stat(path); err == nil {
		return
	}
	if name != "." {
		makeDirectories(t, top, filepath.Dir(name))
	}
	if err := errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, 0o755)); err != nil {
		t.Fatal(err)
	}
}

// environment returns the variables of a reader's terminal: a new home, and the existing
// caches of Go. It leaves out KEYHOLE_ variables of the user who runs the tests.
func environment(t *testing.T, home string, more ...string) []string {
	t.Helper()
	env := []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TERM=dumb", "USER=reader",
		"GOFLAGS=-buildvcs=false -pgo=off",
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY"} {
		env = append(env, name+"="+strings.TrimSpace(string(run(t, "go", "env", name))))
	}
	return append(env, more...)
}

// TestPrintedCommands runs the commands that README, manual, help texts and comments print,
// in the same order, and compares their output with the printed one. It translates
// addresses to free ones and changes nothing else.
func TestPrintedCommands(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "zsh", "fish", "man", "curl", "redis-server", "redis-cli", "buildah"} {
		tool(t, name)
	}
	all := allPrinted(t, helps(t, buildKeyhole(t)))
	// The umask is one for the process, and the usual one of a reader.
	umask := syscall.Umask(0o022)
	t.Cleanup(func() { syscall.Umask(umask) })
	for sandbox, run := range map[string]func(*testing.T, map[string][]printed){
		inInstallation: runInstallation, inCompose: runCompose, inRepository: runRepository,
	} {
		t.Run(sandbox, func(t *testing.T) {
			t.Parallel()
			run(t, all)
		})
	}
}

// toRun returns the commands of a source that are to be run.
func toRun(all map[string][]printed, source string) []printed {
	return slices.DeleteFunc(slices.Clone(all[source]), func(p printed) bool {
		return whyNot(p) >= 0 || goTest.MatchString(p.command)
	})
}

// runInstallation follows README, installPage and redisPage from the first command to the
// last, and then runs what the other pages and the help texts print.
func runInstallation(t *testing.T, all map[string][]printed) {
	t.Helper()
	in := newInstallation(t)
	in.prepared = make([]bool, len(preparations))
	sources := slices.Clone(installationSources)
	for source := range all {
		if strings.HasSuffix(source, " --help") {
			sources = append(sources, source)
		}
	}
	slices.Sort(sources[len(installationSources):])
	var last []printed
	seen := map[string]bool{}
	for _, source := range sources {
		for _, p := range toRun(all, source) {
			switch {
			case p.source == redisPage && strings.HasPrefix(p.command, "kill "):
				last = append(last, p) // It stops what the others need.
			case (p.source == "README.md" || p.source == installPage) && sameElsewhere(all, p):
				// The sandbox of compose.yaml runs it.
			case p.prints == "" && seen[p.source+p.command]:
				// A fence prints the same command.
			default:
				seen[p.source+p.command] = true
				timed(t, p, func() { in.try(t, p) })
			}
		}
	}
	in.stopServices(t)
	for _, p := range last {
		in.try(t, p)
	}
	for i, done := range in.prepared {
		if !done {
			row := preparations[i]
			t.Errorf("preparations has a row for a command that is not printed: %s %s", row.source, row.command)
		}
	}
}

// timed runs a command and logs its time, with -v: the manual states how long the first link
// takes.
func timed(t *testing.T, p printed, run func()) {
	t.Helper()
	begin := time.Now()
	run()
	line, _, _ := strings.Cut(p.command, "\n")
	t.Logf("%6.2f s  %s: %s", time.Since(begin).Seconds(), p.source, line)
}

// sameElsewhere reports whether compose.yaml prints the same command.
func sameElsewhere(all map[string][]printed, p printed) bool {
	return slices.ContainsFunc(all["deploy/compose.yaml"], func(other printed) bool { return other.command == p.command })
}

// runCompose runs the commands that compose.yaml and its init print, with the services as
// processes.
func runCompose(t *testing.T, all map[string][]printed) {
	t.Helper()
	// The containers' users must be able to read it, and cannot read t.TempDir.
	below, err := os.MkdirTemp("", "keyhole-compose-") //nolint:usetesting // Its parent must be open to other users.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(below) })
	if err := os.Chmod(below, 0o755); err != nil {
		t.Fatal(err)
	}
	tree := copyRepository(t, below)
	p := newProject(t, tree)
	terminal := newShell(t, tree, environment(t, t.TempDir())...)
	for _, command := range slices.Concat(toRun(all, "deploy/compose/init"), toRun(all, "deploy/compose.yaml")) {
		var shared bool
		timed(t, command, func() { shared = p.runPrinted(t, terminal, command.command) })
		if shared {
			p.observed(t)
		}
	}
	if len(p.running) > 0 {
		t.Error("compose.yaml prints no command that stops what it starts")
	}
}

// runPrinted runs one command, those of docker with the services as processes. It returns
// whether the command has issued a link, and opens it.
func (p *project) runPrinted(t *testing.T, terminal *shell, command string) (shared bool) {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(command, "\\\n", " "))
	docker, _ := strings.CutPrefix(strings.Join(words, " "), "docker compose -f deploy/compose.yaml ")
	switch {
	case docker == "up --build --wait":
		p.up(t)
	case docker == "down":
		p.down(t)
	case strings.HasPrefix(docker, "exec "):
		words = strings.Fields(docker)
		stdout, stderr, code := p.exec(t, words[1], words[2:]...)
		if code != 0 {
			t.Fatalf("%s\nends with %d:\n%s%s", command, code, stdout, stderr)
		}
		if strings.Contains(stderr, "warning: everybody") {
			t.Errorf("%s\nprints\n%s", command, stderr)
		}
		got, err := fetch(t, strings.TrimSpace(stdout))
		want := string(read(t, filepath.Join(p.tree, "deploy/compose/data/samples/welcome.txt")))
		if err != nil || got != want {
			t.Errorf("the link that compose.yaml's command prints, %q, delivers %q, %v", stdout, got, err)
		}
		return true
	default:
		terminal.must(t, strings.Replace(command, "[DIRECTORY]", filepath.Join(t.TempDir(), "secrets"), 1))
	}
	return false
}

// observed checks the services around the gateway after a click.
func (p *project) observed(t *testing.T) {
	t.Helper()
	p.running["prometheus"].waitFor(t, "Prometheus to scrape the gateway", func() error { return p.scraped(t) })
	if os.Getuid() == 0 {
		p.strangersReadNothing(t)
	}
}

// down stops the services, as `docker compose down` does.
func (p *project) down(t *testing.T) {
	t.Helper()
	for _, name := range []string{"gateway", "s3", "redis", "prometheus"} {
		if err := p.running[name].stop(t, syscall.SIGTERM); err != nil && name == "gateway" {
			t.Errorf("%s ends with %v after SIGTERM", name, err)
		}
		delete(p.running, name)
	}
}

// strangersReadNothing checks that a user outside of the group cannot read any secret.
func (p *project) strangersReadNothing(t *testing.T) {
	t.Helper()
	for _, path := range glob(t, filepath.Join(p.tree, "../containers/*/run/secrets/*")) {
		stranger := exec.CommandContext(t.Context(), "cat", path)
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
		if out, err := stranger.CombinedOutput(); err == nil || !strings.Contains(string(out), "Permission denied") {
			t.Errorf("another user of the machine reads %s: %v", path, err)
		}
	}
}

// runRepository runs the commands in comments of files, each in the directory of its file.
// Those of the Dockerfile build the image, offline.
func runRepository(t *testing.T, all map[string][]printed) {
	t.Helper()
	storage := t.TempDir()
	tree := copyRepository(t, t.TempDir())
	config := filepath.Join(storage, "storage.conf")
	text := fmt.Sprintf("[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", storage+"/root", storage+"/runroot")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	terminal := newShell(t, tree, environment(t, t.TempDir(), "CONTAINERS_STORAGE_CONF="+config)...)
	// If the test does not run as root, only buildah may remove the layers.
	defer terminal.must(t, "buildah rmi --all --force")
	for source := range all {
		if sessionOf(source) != inRepository {
			continue
		}
		terminal.must(t, fmt.Sprintf("cd %q", filepath.Join(tree, filepath.Dir(source))))
		for _, p := range toRun(all, source) {
			terminal.must(t, p.command)
		}
	}
	if images := terminal.must(t, "buildah images"); !strings.Contains(images, "localhost/keyhole") {
		t.Errorf("the commands of the Dockerfile make no image keyhole:\n%s", images)
	}
}

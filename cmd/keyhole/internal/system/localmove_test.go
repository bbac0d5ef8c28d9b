//go:build system

package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
	"keyhole/gateway/redisstore/redistest"
)

// A Redis elsewhere that starts with a copy of the append-only file has every link and
// every revocation: the copy is a backup.
func TestLocalMove(t *testing.T) {
	t.Parallel()
	in := installLocal(t)
	g := in.start(t)
	live, dead := share(t, g), revoked(t, g)
	if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	out, err := exec.Command("cp", "-a", filepath.Join(in.directory, "appendonlydir"), data).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	other := redistest.StartSingle(t, "appendonly yes", "dir "+data)
	in.configureOther(t, g.config, g.config, `addresses: ["`+other.Addr+`"]`)
	g.process = startProcess(t, binary, nil, "serve", "--config", g.config)
	g.waitReady(t)
	wantClick(t, live.URL, http.StatusFound)
	wantClick(t, dead.URL, http.StatusGone)
}

// configureOther writes a configuration like that at path from, but with another Redis.
func (in *localInstallation) configureOther(t *testing.T, from, to, redis string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(secret, []byte(redistest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `mode: local, directory: "`+in.directory+`"`,
		redis+`, username: `+redistest.Username+`, password_file: "`+secret+`"`, 1)
	if moved == string(text) {
		t.Fatal("the configuration did not change")
	}
	if err := os.WriteFile(to, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The commands of the manual move a service with links in every state to each kind of
// Redis. Every link, event and expiry is there afterwards, every link answers as before,
// and no service starts on the old directory.
func TestMoveAsDocumented(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) (redis, admin string){
		"single": func(t *testing.T) (redis, admin string) {
			t.Helper()
			s := redistest.StartSingle(t)
			return fmt.Sprintf("addresses: [%q]", s.Addr), s.Addr
		},
		"sentinel": func(t *testing.T) (redis, admin string) {
			t.Helper()
			g := redistest.StartSentinel(t)
			return fmt.Sprintf("mode: sentinel, master_name: %s, wait_replicas: 1, addresses: [%q, %q]", g.Master,
				g.Addresses[0], g.Addresses[1]), g.Servers[0].Addr
		},
		"cluster": func(t *testing.T) (redis, admin string) {
			t.Helper()
			g := redistest.StartCluster(t)
			return fmt.Sprintf("mode: cluster, wait_replicas: 1, addresses: [%q, %q]", g.Addresses[0], g.Addresses[4]),
				g.Addresses[1]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := installLocal(t)
			g := in.start(t)
			links := linksInEveryState(t, g)
			answers := map[string]string{}
			for name, link := range links {
				answers[name] = clickOf(t, link.URL)
			}
			before := observe(t, g, links)

			redis, admin := start(t)
			directory := filepath.Dir(g.config)
			old := filepath.Join(t.TempDir(), "keyhole.yaml")
			if err := os.Link(g.config, old); err != nil {
				t.Fatal(err)
			}
			in.configureOther(t, g.config, filepath.Join(directory, "new.yaml"), redis)
			for _, command := range documentedMove(t, name == "cluster") {
				runDocumented(t, g, directory, admin, command)
			}

			after := observe(t, g, links)
			for _, name := range slices.Sorted(maps.Keys(before)) {
				if before[name] != after[name] {
					t.Errorf("%s was\n%s and is\n%s", name, before[name], after[name])
				}
			}
			for name, link := range links {
				if got := clickOf(t, link.URL); got != answers[name] {
					t.Errorf("%s: the click gets %s, and got %s before", name, got, answers[name])
				}
			}
			if _, err := g.client.Revoke(t.Context(), links["plain"].ID, "test"); err != nil {
				t.Error(err)
			}
			wantClick(t, links["plain"].URL, http.StatusGone)
			refusedStart(t, &instance{process: startProcess(t, binary, nil, "serve", "--config", old)},
				"the links in "+in.directory+" were moved to ", "knows no later revocation")
		})
	}
}

// linksInEveryState makes links with each restriction and in each state.
func linksInEveryState(t *testing.T, g *instance) map[string]api.Link {
	t.Helper()
	phrase, most := "correct horse battery staple", new(int64(3))
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	links := map[string]api.Link{
		"plain":      share(t, g),
		"labels":     issue(t, g, api.IssueRequest{ExpiresIn: "90m", Labels: map[string]string{"team": "a"}, Note: "ä\nb"}),
		"passphrase": issue(t, g, api.IssueRequest{Passphrase: &phrase}),
		"networks":   issue(t, g, api.IssueRequest{Allow: []string{"192.0.2.0/24"}}),
		"confirm":    issue(t, g, api.IssueRequest{Confirm: true, Language: "de", Filename: "größe.txt"}),
		"limited":    issue(t, g, api.IssueRequest{MaxClicks: most, Pin: "none"}),
		"later":      issue(t, g, api.IssueRequest{NotBefore: &later, ExpiresIn: "2h"}),
		"paused":     issue(t, g, api.IssueRequest{}),
		"spent":      issue(t, g, api.IssueRequest{MaxClicks: new(int64(1))}),
		"revoked":    revoked(t, g),
		"used":       share(t, g),
	}
	c := unfollowed()
	defer c.CloseIdleConnections()
	for _, name := range []string{"spent", "limited"} {
		a, err := post(t.Context(), c, links[name].URL, confirmation(nonceOf(t, links[name].URL)))
		if err != nil || a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d, %v", name, a.status, err)
		}
	}
	if _, err := g.client.Change(t.Context(), links["paused"].ID, api.ChangeRequest{Paused: new(true)}); err != nil {
		t.Fatal(err)
	}
	for range 40 { // more than the events that a link keeps itself
		wantClick(t, links["used"].URL, http.StatusFound)
	}
	return links
}

// clickOf opens a link and returns the status, the code of the problem, and whether it leads
// to the object.
func clickOf(t *testing.T, address string) string {
	t.Helper()
	a := get(t, http.MethodGet, address, "Accept", "application/problem+json")
	var problem struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &problem) // A redirect has no JSON.
	path, _, _ := strings.Cut(a.location, "?")
	return fmt.Sprintf("%d %s %s", a.status, problem.Code, path)
}

// observe returns what operators see of links: each link with its events, the list of all
// links, and the audit feed. It waits until the events of refusals are written.
func observe(t *testing.T, g *instance, links map[string]api.Link) map[string]string {
	t.Helper()
	var last map[string]string
	eventually(t, "the events to be written", func() error {
		seen := map[string]string{}
		add := func(name string, value any, err error) {
			text, jsonErr := json.MarshalIndent(value, "", " ")
			if err := errors.Join(err, jsonErr); err != nil {
				t.Fatal(err)
			}
			seen[name] = string(text)
		}
		for name, link := range links {
			shown, err := g.client.Show(t.Context(), link.ID)
			add(name, shown, err)
			events, err := g.client.Events(t.Context(), link.ID, "", 100)
			add("events of "+name, events.Events, err)
		}
		list, err := g.client.List(t.Context(), client.ListOptions{Label: "team=a"})
		add("links with the label", list.Links, err)
		list, err = g.client.List(t.Context(), client.ListOptions{Limit: 100})
		add("all links", list.Links, err)
		audit, err := g.client.Audit(t.Context(), client.AuditOptions{Limit: 500})
		add("audit feed", audit.Events, err)
		same := maps.Equal(seen, last)
		last = seen
		if !same {
			return errors.New("they change")
		}
		return nil
	})
	return last
}

// documentedMove returns the commands of the manual, of those for one kind of Redis.
func documentedMove(t *testing.T, cluster bool) []string {
	t.Helper()
	page, err := os.ReadFile("../../../../deploy/docs/run/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### Move to another Redis\n")
	section, _, _ = strings.Cut(section, "\n#")
	var commands []string
	for _, fence := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		for line := range strings.Lines(fence[1]) {
			if strings.HasPrefix(line, "redis-cli") && strings.Contains(line, "--cluster") != cluster {
				continue
			}
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if len(commands) != 6 {
		t.Fatalf("the manual has the commands %q", commands)
	}
	return commands
}

// runDocumented runs one command in the directory of the configuration.
func runDocumented(t *testing.T, g *instance, directory, admin, command string) {
	t.Helper()
	switch command { // There is no systemd.
	case "systemctl stop keyhole":
		if err := g.process.terminate(t, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		return
	case "systemctl start keyhole":
		g.process = startProcess(t, binary, nil, "serve", "--config", filepath.Join(directory, "keyhole.yaml"))
		g.waitReady(t)
		return
	}
	host, port, _ := strings.Cut(admin, ":")
	command = strings.NewReplacer(
		"-h redis.example.com -p 6379", "-h "+host+" -p "+port, "redis.example.com:6379", admin,
		"--askpass", "--no-auth-warning --pass "+redistest.AdminPassword,
	).Replace(command)
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Dir = directory
	shell.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	if err != nil || strings.Contains(string(out), "NOPERM") {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if strings.HasPrefix(command, "keyhole redis move") && !regexp.MustCompile(`^moved \d+ keys in `).Match(out) {
		t.Errorf("the move prints %s", out)
	}
}

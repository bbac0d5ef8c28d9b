package deploy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/objects/s3test"
)

// installation is the sandbox of README and manual: a home, a copy of the repository, an S3
// server with the bucket reports, and one terminal.
type installation struct {
	*shell
	home string
	// addresses translates printed addresses to those of the test.
	addresses, back *strings.Replacer
	public          string // URL of the recipients' listener
	operator        string // URL of the operators' listener
	// names translates printed IDs and tokens to those of this run.
	names    map[string]string
	serve    *process
	prepared []bool // the rows of preparations that were used
}

// newInstallation starts what the pages ask for: an S3 server with a bucket and
// objects in it.
func newInstallation(t *testing.T) *installation {
	t.Helper()
	s3 := s3test.Start(t, "reports")
	s3.Put(t, "reports", "q3.pdf", "text/plain; charset=utf-8", []byte("the figures of the quarter\n"))
	s3.Put(t, "reports", "2026/q3-figures.csv", "text/csv", []byte(strings.Repeat("quarter;1\n", 11)+"\n\n"))
	others := []string{"2026/drafts/q4.csv", "exports/2026/a", "exports/2026/b", "exports/2026-b", "invoice.txt"}
	for _, key := range others {
		s3.Put(t, "reports", key, "text/csv", []byte("x"))
	}
	// A proxy in front of the storage that forwards a host other than the signed one.
	target, err := url.Parse(s3.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = "internal.example.com"
	}})
	t.Cleanup(proxy.Close)

	below := t.TempDir()
	home, tree := filepath.Join(below, "home"), copyRepository(t, below)
	bin := filepath.Join(home, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	// macOS has pbcopy; this one writes its input to a file.
	if err := os.WriteFile(filepath.Join(bin, "pbcopy"), []byte("#!/bin/sh\ncat >~/clipboard\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The Redis of redisPage runs as a daemon.
	t.Cleanup(func() { killDaemon(t, filepath.Join(home, "keyhole-first/redis/redis.pid")) })
	public, operator, redis := freeAddress(t), freeAddress(t), freeAddress(t)
	in := &installation{
		home: home, public: "http://" + public, operator: "http://" + operator, names: map[string]string{},
		addresses: strings.NewReplacer(
			"127.0.0.1:8080", public, "127.0.0.1:8081", operator, "127.0.0.1:7070", s3.Addr,
			"127.0.0.1:6380", redis, "--port 6380", "--port "+port(t, redis), "https://dl.example.com/", "http://"+public+"/",
			// redisPage asks for these two to be replaced, and readers type the other two.
			"S3_ID=keyhole", "S3_ID="+s3test.RootKey, "S3_SECRET=change-me", "S3_SECRET="+s3test.RootSecret,
			"AWS_ACCESS_KEY_ID=keyhole", "AWS_ACCESS_KEY_ID="+s3test.RootKey,
			"AWS_SECRET_ACCESS_KEY=change-me", "AWS_SECRET_ACCESS_KEY="+s3test.RootSecret,
			"https://s3.example.com", proxy.URL, "/home/ada/", home+"/",
		),
		back: strings.NewReplacer(
			public, "127.0.0.1:8080", operator, "127.0.0.1:8081", s3.Addr, "127.0.0.1:7070", redis, "127.0.0.1:6380",
			proxy.URL, "https://s3.example.com", s3test.RootKey, "keyhole", home+"/", "/home/ada/",
		),
	}
	env := environment(t, home, "KEYHOLE_PUBLIC_LISTEN="+public, "KEYHOLE_OPERATOR_LISTEN="+operator,
		"KEYHOLE_OPERATOR_URL=http://"+operator)
	for i, variable := range env {
		if path, is := strings.CutPrefix(variable, "PATH="); is {
			env[i] = "PATH=" + bin + ":" + path
		}
	}
	in.shell = newShell(t, tree, env...)
	return in
}

// killDaemon ends the process with the ID in a file, if it still runs.
func killDaemon(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return // It has ended, or never started.
	}
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
		t.Errorf("the daemon of %s: %v", file, err)
	}
}

// preparationOf returns the index of the first row for a command or for its beginning, or
// -1.
func preparationOf(p printed) int {
	for _, fits := range []func(string) bool{
		func(row string) bool { return p.command == row },
		func(row string) bool { return strings.HasPrefix(p.command, row) },
	} {
		for i, row := range preparations {
			if row.source == p.source && fits(row.command) {
				return i
			}
		}
	}
	return -1
}

// try runs one command as a reader would and compares its output.
func (in *installation) try(t *testing.T, p printed) {
	t.Helper()
	var state preparation
	if i := preparationOf(p); i >= 0 {
		state, in.prepared[i] = preparations[i], true
	}
	if state.stopped {
		in.stopServices(t)
	}
	if state.before != "" {
		in.must(t, in.translate(state.before))
	}
	if state.link != "" {
		in.newLink(t, state.link, state.flags)
	}
	command := in.translate(p.command)
	if anyLink.MatchString(command) {
		own := in.must(t, "keyhole share s3://reports/q3.pdf --quiet")
		command = anyLink.ReplaceAllString(command, strings.TrimSpace(own))
	}
	var output string
	code := 0
	switch {
	case isService(p):
		output = in.service(t, p, command)
	default:
		output, code = in.run(t, inShell(command))
		in.must(t, fmt.Sprintf("OUTPUT=%s/%d.out", in.dir, in.runs))
	}
	if state.after != "" {
		in.must(t, in.translate(state.after))
	}
	failure := regexp.MustCompile(`(?m)^keyhole: `).MatchString(p.prints)
	if failed := code != 0; failed != failure {
		t.Errorf("%s: exit status %d of\n%s\n%s", p.source, code, p.command, output)
		return
	}
	in.compare(t, p, output)
}

// anyLink is the placeholder for a link in sentences.
var anyLink = regexp.MustCompile(`\bLINK\b`)

// translate replaces printed addresses, ids and tokens by those of this run.
func (in *installation) translate(text string) string {
	text = in.addresses.Replace(text)
	for printed, own := range in.names {
		text = strings.ReplaceAll(text, printed, own)
	}
	return text
}

// inShell returns a bash command that runs a command in another shell and checks that the
// shell then completes keyhole.
func inShell(command string) string {
	quoted := "'" + strings.ReplaceAll(command, "'", `'\''`) + "'"
	switch {
	case strings.Contains(command, "completion zsh"):
		return "zsh -fc " + quoted + `'; [[ $_comps[keyhole] = _keyhole ]]'`
	case strings.Contains(command, "completion fish"):
		return "fish -c " + quoted + `'; complete -C "keyhole revo" | string match -q "revoke*"'`
	}
	return command
}

// isService reports whether a command runs until it is stopped.
func isService(p printed) bool {
	return regexp.MustCompile(`^(go run ./cmd/)?keyhole (serve|demo|audit --follow)`).MatchString(p.command) &&
		!strings.Contains(p.command, "--check") && !strings.Contains(p.prints, "keyhole: ")
}

// service runs a command that does not end, until it has done its work. The gateway
// continues to run.
func (in *installation) service(t *testing.T, p printed, command string) string {
	t.Helper()
	if strings.HasPrefix(command, "keyhole serve") {
		// Redis may be late on a busy machine. Commands wait this long for a Redis that is suspended,
		// and keyhole health waits 5 s for the gateway. In the shell, the variable would hide mistakes
		// in redis.timeout.
		command = "env KEYHOLE_REDIS_TIMEOUT=3s " + command
	}
	if strings.Contains(command, "keyhole demo") {
		command += " --public 127.0.0.1:0 --operator 127.0.0.1:0 --s3 127.0.0.1:0"
	}
	running := in.background(t, command)
	if strings.HasPrefix(command, "go run") {
		running.timeout = commandTimeout
	}
	switch {
	case strings.Contains(command, "keyhole serve"):
		in.serve = running
		running.waitFor(t, "the gateway to be ready", func() error {
			_, err := fetch(t, in.operator+"/readyz")
			return err
		})
		// The log is written in the background. This is its last line of the start.
		running.waitFor(t, "the log to name the listeners", running.prints(`"for":"recipients"`, 1))
		return running.output.String()
	case strings.Contains(command, "keyhole demo"):
		in.demo(t, running)
	default:
		// It shows only events from now on, and does not report when it is ready for them.
		running.waitFor(t, p.command+" to show an event", func() error {
			in.must(t, "keyhole share s3://reports/q3.pdf --quiet")
			return running.prints(" issued ", 1)()
		})
	}
	// go run exits with 1 after Ctrl-C, independently of its program.
	if err := running.stop(t, syscall.SIGINT); err != nil && !strings.HasPrefix(command, "go run") {
		t.Errorf("%s ends with %v after Ctrl-C", p.command, err)
	}
	return running.output.String()
}

// demo runs the commands that the demo prints, in another terminal.
func (in *installation) demo(t *testing.T, running *process) {
	t.Helper()
	running.waitFor(t, "the demo to print what to try", running.prints("Ctrl-C", 1))
	commands := regexp.MustCompile(`(?m)^  (\S.*)$`).FindAllStringSubmatch(running.output.String(), -1)
	if len(commands) != 3 {
		t.Fatalf("the demo prints %d commands to try:\n%s", len(commands), running.output)
	}
	in.must(t, `mkdir -p ~/downloads; rm -f ~/downloads/*`)
	for _, command := range commands {
		in.must(t, "(cd ~/downloads && "+command[1]+")")
	}
}

// stopServices ends the gateway as a service manager does.
func (in *installation) stopServices(t *testing.T) {
	t.Helper()
	if err := in.serve.stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("keyhole serve ends with %v after SIGTERM", err)
	}
}

// newLink issues a link for an ID or token that a document prints.
func (in *installation) newLink(t *testing.T, printed, flags string) {
	t.Helper()
	address := strings.TrimSpace(in.must(t, "keyhole share s3://reports/q3.pdf --quiet "+flags))
	own := filepath.Base(address)
	if len(printed) != len(own) { // It is an id, not a token.
		own = regexp.MustCompile(`[a-z2-7]{26}`).FindString(in.must(t, "keyhole show "+address))
	}
	in.names[printed] = own
}

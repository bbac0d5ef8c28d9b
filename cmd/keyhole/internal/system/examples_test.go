//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.yaml.in/yaml/v3"

	"keyhole/gateway/client"
	"keyhole/gateway/identity/issuertest"
)

// examples is the directory of the examples.
const examples = "../../../../deploy/examples"

// runExample runs a program in a directory and returns its output.
func runExample(
	t *testing.T, dir string, env []string, name string, args ...string,
) (stdout, stderr string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// opens fails unless each URL in a text is a link that works, and returns the number.
func opens(t *testing.T, text string) int {
	t.Helper()
	urls := regexp.MustCompile(`http://[^\s>]+`).FindAllString(text, -1)
	for _, url := range urls {
		if a := get(t, http.MethodGet, url); a.status != http.StatusFound {
			t.Errorf("%s answers %d", url, a.status)
		}
	}
	return len(urls)
}

// allLinks returns the number of links that the service has.
func allLinks(t *testing.T, g *instance) int {
	t.Helper()
	page, err := g.client.List(t.Context(), client.ListOptions{Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Links)
}

// The Go example is a module of its own, which uses the client by replace. It issues all
// links or none.
func TestGoExample(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(examples, "go"))); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mod", "edit", "-replace", "keyhole=" + root}, {"vet", "."}, {"build", "-o", "share", "."},
	} {
		if _, stderr, err := runExample(t, dir, nil, "go", args...); err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, stderr)
		}
	}
	in := install(t)
	in.put(t, "a b.txt", []byte("a"))
	in.put(t, "c.txt", []byte("c"))
	g := in.start()
	env := []string{"KEYHOLE_OPERATOR_URL=" + g.operator, "KEYHOLE_KEY=" + in.key}
	share := filepath.Join(dir, "share")
	if stdout, stderr, err := runExample(t, dir, env, share, "reports", "a b.txt", "missing"); err == nil ||
		stdout != "" || !strings.Contains(stderr, "no such object") || allLinks(t, g) != 0 {
		t.Errorf("with a missing object: %v, %q, %q and %d links", err, stdout, stderr, allLinks(t, g))
	}
	stdout, stderr, err := runExample(t, dir, env, share, "reports", "a b.txt", "c.txt")
	if err != nil || opens(t, stdout) != 2 {
		t.Errorf("got %v, %q, %q", err, stdout, stderr)
	}
	if _, _, err := runExample(t, dir, env, share, "reports"); err == nil {
		t.Error("without a key of an object it succeeds")
	}
}

// The Python example prints the URLs, names what is refused, and repeats a batch that was
// not completed without issuing a second link.
func TestPythonExample(t *testing.T) {
	in := install(t)
	in.put(t, "ä \"b\".txt", []byte("a"))
	in.put(t, "c.txt", []byte("c"))
	g := in.start()
	env := []string{"KEYHOLE_OPERATOR_URL=" + g.operator, "KEYHOLE_KEY=" + in.key}
	script, err := filepath.Abs(filepath.Join(examples, "python", "share.py"))
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runExample(t, ".", env, "python3", script, "reports", "ä \"b\".txt", "missing", "c.txt")
	if err == nil || opens(t, stdout) != 2 || !strings.Contains(stderr, "missing: key: there is no such object") {
		t.Errorf("got %v, %q, %q", err, stdout, stderr)
	}
	// A proxy that loses the first answer: the service has issued the links by then.
	lost := false
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = "http", strings.TrimPrefix(g.operator, "http://"), ""
		answer, err := http.DefaultClient.Do(r)
		if err != nil || !lost {
			lost = true
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "<html>no answer")
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body) // the program may have hung up
	}))
	t.Cleanup(proxy.Close)
	before := allLinks(t, g)
	env[0] = "KEYHOLE_OPERATOR_URL=" + proxy.URL
	if _, stderr, err := runExample(t, ".", env, "python3", script, "reports", "c.txt"); err != nil ||
		allLinks(t, g) != before+1 {
		t.Errorf("after a lost answer: %v, %q and %d more links", err, stderr, allLinks(t, g)-before)
	}
}

// The curl example prints the URL, and the answer of the service if it refuses.
func TestCurlExample(t *testing.T) {
	in := install(t)
	in.put(t, `a "b" \c.txt`, []byte("a"))
	g := in.start()
	env := []string{"KEYHOLE_OPERATOR_URL=" + g.operator, "KEYHOLE_KEY=" + in.key}
	script := filepath.Join(examples, "curl", "share.sh")
	stdout, stderr, err := runExample(t, ".", env, "sh", script, "reports", `a "b" \c.txt`)
	if err != nil || opens(t, stdout) != 1 {
		t.Errorf("got %v, %q, %q", err, stdout, stderr)
	}
	stdout, stderr, err = runExample(t, ".", env, "sh", script, "reports", "missing")
	if err == nil || stdout != "" || !strings.Contains(stderr, "object_not_found") {
		t.Errorf("of a missing object: %v, %q, %q", err, stdout, stderr)
	}
	if _, stderr, err := runExample(t, ".", env, "sh", script); err == nil || !strings.Contains(stderr, "usage:") {
		t.Errorf("without arguments: %v, %q", err, stderr)
	}
}

// workflow is the part of a workflow of GitHub Actions that the test runs.
type workflow struct {
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Env   map[string]string `yaml:"env"`
		Steps []struct {
			ID   string            `yaml:"id"`
			Uses string            `yaml:"uses"`
			Env  map[string]string `yaml:"env"`
			Run  string            `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// runner runs the steps of a workflow as GitHub's runner does: bash -e, with files for the
// outputs and the summary.
type runner struct {
	values map[string]string // of ${{ expressions }}
	env    []string
	dir    string
	log    strings.Builder
}

// expand replaces the expressions in a value.
func (r *runner) expand(t *testing.T, value string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{\{ *([A-Za-z_.]+) *\}\}`).ReplaceAllStringFunc(value, func(found string) string {
		name := strings.Trim(found, "${} ")
		known, ok := r.values[name]
		if !ok {
			t.Fatalf("the workflow uses %s, which this test does not know", name)
		}
		return known
	})
}

// step runs one step and keeps its outputs.
func (r *runner) step(t *testing.T, id, script string, env map[string]string) error {
	t.Helper()
	output := filepath.Join(r.dir, "output")
	all := append([]string{
		"GITHUB_OUTPUT=" + output, "GITHUB_STEP_SUMMARY=" + filepath.Join(r.dir, "summary"),
	}, r.env...)
	for name, value := range env {
		all = append(all, name+"="+r.expand(t, value))
	}
	if err := os.WriteFile(output, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runExample(t, r.dir, all, "bash", "-e", "-o", "pipefail", "-c", script)
	r.log.WriteString(stdout + stderr)
	text, readErr := os.ReadFile(output)
	if readErr != nil {
		t.Fatal(readErr)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.values["steps."+id+".outputs."+name] = value
	}
	return err
}

// githubClaims are the claims of a token that GitHub gives to a job (GitHub documentation,
// "OpenID Connect reference").
func githubClaims(issuer *issuertest.Issuer, ref string) map[string]any {
	return issuer.Claims(time.Now(), map[string]any{
		"sub": "repo:example/app:ref:" + ref, "groups": nil, "aud": "keyhole", "jti": "4d9b8c1f",
		"ref": ref, "ref_type": "branch", "ref_protected": "true", "sha": "0123456789abcdef0123456789abcdef01234567",
		"repository": "example/app", "repository_id": "74", "repository_owner": "example", "repository_owner_id": "65",
		"repository_visibility": "private", "run_id": "1234567890", "run_number": "10", "run_attempt": "2",
		"runner_environment": "github-hosted", "actor": "octocat", "actor_id": "12", "workflow": "Share the export",
		"workflow_ref": "example/app/.github/workflows/share.yml@" + ref, "head_ref": "", "base_ref": "",
		"job_workflow_ref": "example/app/.github/workflows/share.yml@" + ref, "event_name": "push",
		"exp": time.Now().Add(5 * time.Minute).Unix(),
	})
}

// runWorkflow runs the example with a token for a branch.
func runWorkflow(t *testing.T, g *instance, token string) (*runner, error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, "github-actions", "share.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	if w.Permissions["id-token"] != "write" {
		t.Fatal("without the permission id-token: write, GitHub gives no token")
	}
	github := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer request-token" || r.URL.Query().Get("audience") != "keyhole" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"count": 1, "value": token})
	}))
	t.Cleanup(github.Close)
	run := &runner{dir: t.TempDir(), values: map[string]string{
		"vars.KEYHOLE_OPERATOR_URL": g.operator, "github.ref_name": "main",
	}, env: []string{
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + github.URL + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=request-token", "GITHUB_RUN_ID=1234567890", "GITHUB_RUN_ATTEMPT=2",
	}}
	steps := 0
	for _, job := range w.Jobs {
		for name, value := range job.Env {
			run.env = append(run.env, name+"="+run.expand(t, value))
		}
		for _, step := range job.Steps {
			if step.Uses != "" || step.Run == "" {
				t.Fatalf("a step uses %q, which this test cannot run", step.Uses)
			}
			if err := run.step(t, step.ID, step.Run, step.Env); err != nil {
				return run, fmt.Errorf("step %s: %w", step.ID, err)
			}
			steps++
		}
	}
	if steps < 2 {
		t.Fatalf("the workflow has %d steps", steps)
	}
	return run, nil
}

// The workflow of GitHub Actions issues a link with the token that GitHub signs for it, as
// the manual configures the service. Another branch is refused.
func TestGitHubActionsExample(t *testing.T) {
	in := install(t)
	in.s3.Put(t, "exports", "main/report.csv", "text/csv", []byte("a,b\n"))
	issuer := issuertest.Start(t)
	key := issuer.AddRSA(t, "k")
	manual, err := os.ReadFile("../../../../deploy/docs/build/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, oidc, found := strings.Cut(string(manual), "operator:\n  oidc:\n")
	oidc, _, closed := strings.Cut(oidc, "```")
	if !found || !closed {
		t.Fatal("scripts.md has no configuration of the provider")
	}
	g := in.start()
	oidc = strings.Replace("  oidc:\n"+oidc, "https://token.actions.githubusercontent.com", issuer.URL, 1)
	g.edit(t, "redis: {", oidc+"redis: {")
	g.hangUp(t)
	sign := func(ref string) string {
		return issuertest.SignAs(t, "JWT", jose.RS256, key, "k", githubClaims(issuer, ref))
	}
	token := sign("refs/heads/main")
	eventually(t, "the provider to be in force", func() error {
		a := get(t, http.MethodGet, g.operator+"/api/v1/links", "Authorization", "Bearer "+token)
		if a.status != http.StatusForbidden {
			return fmt.Errorf("a token that may only issue lists links: %d", a.status)
		}
		return nil
	})
	run, err := runWorkflow(t, g, token)
	if err != nil {
		t.Fatalf("%v\n%s", err, &run.log)
	}
	summary, err := os.ReadFile(filepath.Join(run.dir, "summary"))
	if err != nil || opens(t, string(summary)) != 1 {
		t.Errorf("the summary is %q, %v", summary, err)
	}
	page, err := g.client.List(t.Context(), client.ListOptions{})
	if err != nil || len(page.Links) != 1 || page.Links[0].CreatedBy != "oidc:example/app" ||
		page.Links[0].Labels["run"] != "1234567890" {
		t.Errorf("the links are %+v, %v", page.Links, err)
	}
	log := regexp.MustCompile(`(?m)^::add-mask::.*\n`).ReplaceAllString(run.log.String(), "")
	if strings.Contains(log, token) || regexp.MustCompile(`http://127\S+/[1-9A-Za-z]{22}`).MatchString(log) {
		t.Errorf("the log of the run shows a secret:\n%s", log)
	}
	if run, err := runWorkflow(t, g, sign("refs/heads/other")); err == nil ||
		!strings.Contains(run.log.String(), "forbidden") {
		t.Errorf("another branch: %v\n%s", err, &run.log)
	}
}

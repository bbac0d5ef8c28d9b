//go:build system

package system

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A generator makes a client of the API's description, as it is served, that works.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("oapi-codegen"); err != nil {
		t.Fatal("oapi-codegen is not in PATH: run deploy/test, which builds it")
	}
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	const tools = "../../../../deploy/tools"
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "apiclient"), os.DirFS(filepath.Join(tools, "apiclient"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(tools, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	description := get(t, http.MethodGet, g.operator+"/api/v1/openapi.yaml", "Authorization", "Bearer "+in.key)
	if err := os.WriteFile(filepath.Join(dir, "openapi.yaml"), []byte(description.body), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "KEYHOLE_OPERATOR_URL="+g.operator, "KEYHOLE_KEY="+in.key)
		var stderr bytes.Buffer
		command.Stderr = &stderr // where go says what it downloads
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", name, err, out, stderr.String())
		}
		return string(out)
	}
	run("oapi-codegen", "-package", "main", "-generate", "types,client", "-o", "apiclient/client.gen.go", "openapi.yaml")
	url := strings.TrimSpace(run("go", "run", "./apiclient", "reports", "file.txt"))
	if a := get(t, http.MethodGet, url); a.status != http.StatusGone {
		t.Errorf("the link that it revoked answers %d", a.status)
	}
}

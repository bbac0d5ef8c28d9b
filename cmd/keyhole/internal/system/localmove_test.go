//go:build system

package system

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/redisstore/redistest"
)

// A Redis elsewhere that starts with a copy of the append-only file has every link and
// every revocation. The manual describes the move.
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

	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(secret, []byte(redistest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(text), `mode: local, directory: "`+in.directory+`"`,
		`addresses: ["`+other.Addr+`"], username: `+redistest.Username+`, password_file: "`+secret+`"`, 1)
	if moved == string(text) {
		t.Fatal("the configuration did not change")
	}
	if err := os.WriteFile(g.config, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	g.process = startProcess(t, binary, nil, "serve", "--config", g.config)
	g.waitReady(t)
	wantClick(t, live.URL, http.StatusFound)
	wantClick(t, dead.URL, http.StatusGone)
}

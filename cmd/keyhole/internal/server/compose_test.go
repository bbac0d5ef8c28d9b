package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/config"
)

// The configuration of deploy/compose.yaml is accepted as it is shipped, but for
// the secrets that each installation makes for itself.
func TestComposeConfiguration(t *testing.T) {
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "keyhole.yaml")
	shipped, err := os.ReadFile("../../../../deploy/compose/config/keyhole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	// The containers' secrets lie at paths that this machine has not.
	text := strings.NewReplacer(
		"/run/secrets/redis_password", secret, "/run/secrets/s3_secret_access_key", secret,
	).Replace(string(shipped))
	for path, content := range map[string]string{secret: "of the test\n", file: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := []string{"KEYHOLE_OPERATOR_KEYS_COMPOSE_SHA256=" + operatorkey.Hash("key")}
	if _, _, err := config.Load(config.LoadOptions{Path: file, Environ: own}); err != nil {
		t.Error(err)
	}
	if _, _, err := config.Load(config.LoadOptions{Path: file}); err == nil {
		t.Error("it is accepted without an operator key of its own")
	}
}

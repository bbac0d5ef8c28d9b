package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// A key file that everyone can read is used, with a warning; text that is not a key is
// neither sent nor printed.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := map[string]any{"GET /api/v1/links": api.LinkPage{}}
	f := &fakeAPI{answers: page}
	got := runOver(t, f, "list", "--key-file", write("open", "khk_file\n", 0o644))
	if got.code != command.ExitOK || f.requests[0].key != "Bearer khk_file" {
		t.Errorf("%+v, %+v", got, f.requests)
	}
	has(t, got.stderr, "warning: everyone on this machine can read the key file: chmod 600 ")
	for name, text := range map[string]string{
		"two": "khk_canary\nkhk_canary2\n", "url": "https://canary/", "empty": "", "binary": "canary\x00",
	} {
		f := &fakeAPI{answers: page}
		got := runOver(t, f, "list", "--key-file", write(name, text, 0o600))
		if got.code != command.ExitUsage || len(f.requests) > 0 || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v, %+v", name, got, f.requests)
		}
	}
}

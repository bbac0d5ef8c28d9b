package cli

import (
	"fmt"
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

// A secret may come from a pipe, which has no mode of its own to warn of. Names that are
// no files are reported without the name: users mistake the secret for it.
func TestReadSecretFile(t *testing.T) {
	t.Parallel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	go func() {
		_, _ = writer.WriteString("from a pipe")
		_ = writer.Close()
	}()
	var stderr strings.Builder
	text, err := readSecretFile(&stderr, "key file", fmt.Sprintf("/dev/fd/%d", reader.Fd()), 100)
	if err != nil || text != "from a pipe" || stderr.Len() > 0 {
		t.Errorf("a pipe: %q, %v, %s", text, err, stderr.String())
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "khk_canary"), t.TempDir()} {
		if _, err := readSecretFile(&stderr, "key file", path, 100); err == nil || strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// The limit is inclusive.
	for size, fits := range map[int]bool{10: true, 11: false} {
		path := secretFile(t, strings.Repeat("x", size))
		if text, err := readSecretFile(&stderr, "key file", path, 10); (err == nil) != fits || fits && len(text) != size {
			t.Errorf("%d bytes: %d, %v", size, len(text), err)
		}
	}
}

// Only a file that everyone can read is warned of, with the command that closes it.
func TestSecretFileModes(t *testing.T) {
	t.Parallel()
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		path := secretFile(t, "x")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		if _, err := readSecretFile(&stderr, "passphrase file", path, 10); err != nil {
			t.Fatal(err)
		}
		want := ""
		if warns {
			want = "warning: everyone on this machine can read the passphrase file: chmod 600 " + path + "\n"
		}
		if stderr.String() != want {
			t.Errorf("%o: %q, want %q", mode, stderr.String(), want)
		}
	}
}

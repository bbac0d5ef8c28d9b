package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// A QR code is written into a file that only its owner can read.
func TestShareWritesQRFile(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	for name, begin := range map[string]string{"link.png": "\x89PNG", "link.svg": "<svg"} {
		path := filepath.Join(t.TempDir(), name)
		if got := runOver(t, f, "share", "s3://reports/a", "--qr-file", path); got.code != command.ExitOK {
			t.Fatalf("%+v", got)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), begin) {
			t.Errorf("%s: %.20q, %v", name, text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if got := runOver(t, f, "share", "s3://reports/a", "--qr-file",
		"/does/not/exist/a.png"); got.code != command.ExitUsage {
		t.Errorf("into a missing directory: %+v", got)
	}
}

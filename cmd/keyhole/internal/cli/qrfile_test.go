package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/gateway/api"

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

// The formats are named by the extension, in upper or lower case.
func TestCheckQRFile(t *testing.T) {
	t.Parallel()
	for path, valid := range map[string]bool{
		"": true, "a.png": true, "a.SVG": true, "dir.png/a": false, "a": false, "a.jpg": false, "a.png.txt": false,
	} {
		if err := checkQRFile(path); (err == nil) != valid {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A complete picture replaces a file of its name. A link that is not issued leaves the
// earlier file, and nothing beside it.
func TestQRFileIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "link.svg")
	if err := os.WriteFile(path, []byte("earlier"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused := &fakeAPI{answers: map[string]any{
		"POST /api/v1/links": api.Problem{Status: 403, Code: "forbidden", Detail: "this key may not issue"},
	}}
	if got := runOver(t, refused, "share", "s3://reports/a", "--qr-file", path); got.code != command.ExitFailed {
		t.Errorf("%+v", got)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "earlier" {
		t.Errorf("after a refusal: %q, %v", text, err)
	}
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	if got := runOver(t, f, "share", "s3://reports/a", "--qr-file", path); got.code != command.ExitOK {
		t.Errorf("%+v", got)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "<svg") {
		t.Errorf("after the issue: %.20q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the link: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".keyhole-qr-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// --qr draws the code on standard error, so that standard output has only the URL.
func TestShareDrawsQR(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}}
	got := runOver(t, f, "share", "s3://reports/a", "--qr", "--quiet")
	if got.stdout != testLink().URL+"\n" || !strings.Contains(got.stderr, "█") || strings.Contains(got.stderr, "\x1b") {
		t.Errorf("%+v", got)
	}
}

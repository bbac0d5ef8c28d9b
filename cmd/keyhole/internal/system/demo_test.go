//go:build system

package system

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"keyhole/gateway/client"
)

// TestDemo runs the demo as a new user does: the link that it prints downloads
// the very file, and its S3 server refuses what was tampered with.
func TestDemo(t *testing.T) {
	content := randomBytes(3 << 20)
	file := filepath.Join(t.TempDir(), "my file + ü.bin")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, binary, nil, "demo", file, "--public", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--s3",
		"127.0.0.1:0")
	eventually(t, "the demo to print what to try", func() error {
		if !strings.Contains(p.output.String(), "Ctrl-C") {
			return errors.Join(errors.New(p.output.String()), p.exited())
		}
		return nil
	})
	text := p.output.String()
	url := regexp.MustCompile(`^http://127\.0\.0\.1:\d+/\w{22}`).FindString(text)
	if url == "" {
		t.Fatalf("no link at the beginning of:\n%s", text)
	}

	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the download has %d bytes, %v; the file has %d", len(got), err, len(content))
	}

	signed := get(t, http.MethodGet, url).location
	if a := get(t, http.MethodGet, signed); a.status != http.StatusOK {
		t.Errorf("the signed URL: %d", a.status)
	}
	last := signed[len(signed)-1]
	for name, tampered := range map[string]string{
		"signature": signed[:len(signed)-1] + string("01"[(last&1)^1]),
		"key":       strings.Replace(signed, "my%20file", "my%20fil", 1),
		"lifetime":  strings.Replace(signed, "X-Amz-Expires=35", "X-Amz-Expires=3500", 1),
	} {
		if tampered == signed {
			t.Fatalf("%s: nothing was tampered with in the URL", name)
		}
		if a := get(t, http.MethodGet, tampered); a.status != http.StatusForbidden {
			t.Errorf("tampered %s: %d", name, a.status)
		}
	}
	if a := get(t, http.MethodHead, signed); a.status != http.StatusForbidden {
		t.Errorf("a URL signed for GET answers HEAD: %d", a.status)
	}

	// The commands that it prints are there to be copied.
	operator := regexp.MustCompile(`Operator API +(\S+)`).FindStringSubmatch(text)
	key := regexp.MustCompile(`Operator key +(\S+)`).FindStringSubmatch(text)
	if operator == nil || key == nil || strings.Count(text, "KEYHOLE_KEY="+key[1]) != 2 {
		t.Fatalf("no operator, key or commands in:\n%s", text)
	}
	c, err := client.New(operator[1], key[1])
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.List(t.Context(), client.ListOptions{})
	if err != nil || len(page.Links) != 1 {
		t.Fatalf("%d links, %v", len(page.Links), err)
	}
	if page.Links[0].Object.LastModified.Year() < 2000 {
		t.Errorf("the object was last modified %s", page.Links[0].Object.LastModified)
	}
	if _, err := c.Revoke(t.Context(), page.Links[0].ID, ""); err != nil {
		t.Fatal(err)
	}
	if a := get(t, http.MethodGet, url); a.status != http.StatusGone {
		t.Errorf("after the revocation: %d", a.status)
	}

	if err := p.terminate(t, syscall.SIGINT); err != nil {
		t.Errorf("Ctrl-C ends it with %v", err)
	}
}

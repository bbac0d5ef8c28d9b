//go:build system

package system

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"keyhole/gateway/api"
)

// cutter stands between recipients and the storage, and cuts the next connection
// that has carried so many bytes to them.
type cutter struct {
	addr string
	left atomic.Int64 // bytes until the cut; 0: none
	cuts atomic.Int64
}

// startCutter starts a cutter before an address.
func startCutter(t *testing.T, upstream string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &cutter{addr: listener.Addr().String()}
	go func() {
		for {
			down, err := listener.Accept()
			if err != nil {
				return
			}
			go c.carry(down, upstream)
		}
	}()
	return c
}

// carry carries one connection.
func (c *cutter) carry(down net.Conn, upstream string) {
	defer down.Close()
	up, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, down) // it ends with either side
		_ = up.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := up.Read(buffer)
		if err != nil {
			return
		}
		if left := c.left.Load(); left > 0 && c.left.Add(-int64(n)) <= 0 {
			c.left.Store(0)
			c.cuts.Add(1)
			return
		}
		if _, err := down.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// installBehindCutter makes an installation whose recipients reach the storage
// through a cutter, with an object of 50 MB.
func installBehindCutter(t *testing.T, env ...string) (*instance, *cutter, []byte) {
	t.Helper()
	in := install(t)
	content := randomBytes(50_000_000)
	in.put(t, "file.txt", content)
	c := startCutter(t, strings.TrimPrefix(in.s3.Endpoint(), "http://"))
	return in.start(append(env, "KEYHOLE_STORAGE_MAIN_PUBLIC_ENDPOINT=http://"+c.addr)...), c, content
}

// TestResumeByCookie cuts the download of a link of one click at its half: curl
// completes it through the link by its cookie jar, also when the first URL is
// dead, and no other click is spent.
func TestResumeByCookie(t *testing.T) {
	t.Parallel()
	g, cut, content := installBehindCutter(t, "KEYHOLE_REDIRECT_LIFETIME=5s")
	link := issue(t, g, api.IssueRequest{MaxClicks: new(int64(1))})
	dir := t.TempDir()
	jar, file := filepath.Join(dir, "jar"), filepath.Join(dir, "file")
	curl := func(args ...string) (string, error) {
		t.Helper()
		out, err := exec.Command("curl",
			append([]string{"-sS", "-L", "-o", file, "-w", "%{url_effective}"}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}

	cut.left.Store(25_000_000)
	first, err := curl("-c", jar, "-d", "confirm=1", link.URL)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 18 || cut.cuts.Load() != 1 { // 18: a partial file
		t.Fatalf("the download was not cut: %v, %d cuts", err, cut.cuts.Load())
	}
	half, err := os.Stat(file)
	if err != nil || half.Size() < 20_000_000 || half.Size() >= int64(len(content)) {
		t.Fatalf("%d bytes came before the cut, %v", half.Size(), err)
	}
	first = first[strings.LastIndex(first, "http://"):]
	eventually(t, "the first URL to die", func() error {
		if a := get(t, http.MethodGet, first, "Range", "bytes=0-0"); a.status == http.StatusPartialContent {
			return fmt.Errorf("%d", a.status)
		}
		return nil
	})
	if out, err := curl("-b", jar, "-C", "-", link.URL); err != nil {
		t.Fatalf("resume: %v: %s", err, out)
	}
	sameContent(t, file, content)
	// In parallel ranges, as download managers do.
	for _, part := range []string{"0-999999", "1000000-1999999"} {
		a, err := ask(t.Context(), http.DefaultClient, http.MethodGet, link.URL, nil, "Range", "bytes="+part, "Cookie",
			grantFrom(t, jar))
		if err != nil || a.status != http.StatusPartialContent || len(a.body) != 1_000_000 {
			t.Errorf("range %s: %d, %d bytes, %v", part, a.status, len(a.body), err)
		}
	}
	if n := clicks(t, g, link.ID); n != 1 {
		t.Errorf("%d clicks are spent", n)
	}
	for _, accept := range []string{"text/html", "*/*"} {
		if a := get(t, http.MethodGet, link.URL, "Accept", accept); a.status != http.StatusGone {
			t.Errorf("without the cookie: %d", a.status)
		}
	}
}

// grantFrom reads the grant out of curl's cookie jar.
func grantFrom(t *testing.T, jar string) string {
	t.Helper()
	text, err := os.ReadFile(jar)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	return "keyhole_grant=" + fields[len(fields)-1]
}

// TestChromiumResumes cuts Chromium's download: it goes on at the signed URL by
// itself; later, opening the link again starts anew, without a click.
func TestChromiumResumes(t *testing.T) {
	t.Parallel()
	g, cut, content := installBehindCutter(t)
	link := issue(t, g, api.IssueRequest{MaxClicks: new(int64(1))})
	c := openChromium(t)
	if err := c.navigate(link.URL); err != nil {
		t.Fatal(err)
	}
	told, err := c.evaluate(`document.body.innerText`)
	if err != nil || !strings.Contains(told, "You can download this file once.") ||
		!strings.Contains(told, "Within 10 minutes of the first attempt, this does not count as another download.") {
		t.Errorf("the page says %q, %v", told, err)
	}
	cut.left.Store(25_000_000)
	if _, err := c.evaluate(`document.querySelector("button").click()`); err != nil {
		t.Fatal(err)
	}
	if err := c.downloaded(content); err != nil || cut.cuts.Load() != 1 {
		t.Errorf("the download: %v, %d cuts", err, cut.cuts.Load())
	}
	if err := c.click(link.URL, content); err != nil {
		t.Errorf("opened again: %v", err)
	}
	if n := clicks(t, g, link.ID); n != 1 {
		t.Errorf("%d clicks are spent", n)
	}
}

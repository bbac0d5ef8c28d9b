//go:build system

package system

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clientTimeout bounds one download.
const clientTimeout = 60 * time.Second

// versionOf returns a function that asks a program for its version, and names it
// by the first line that it prints.
func versionOf(program string) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed: run deploy/test or, for -wide, deploy/matrix, which install it", program)
		}
		text, err := exec.Command(program, "--version").CombinedOutput()
		if err != nil {
			t.Fatalf("%s --version: %v\n%s", program, err, text)
		}
		for line := range strings.Lines(string(text)) {
			if number := regexp.MustCompile(`v?\d+\.\d+[\w.-]*`).FindString(line); number != "" {
				return program + " " + number
			}
		}
		t.Fatalf("%s says no version: %s", program, text)
		return ""
	}
}

// versitygwVersion reads the version that Go has built: it says none itself.
func versitygwVersion(t *testing.T) string {
	t.Helper()
	build, err := buildinfo.ReadFile(filepath.Join(os.Getenv("TEST_TOOLS"), "versitygw"))
	if err != nil {
		t.Fatalf("%v: run deploy/test, which builds it and sets TEST_TOOLS", err)
	}
	return "versitygw " + build.Main.Version
}

// gofakes3Version reads the version of the server that is built in.
func gofakes3Version(t *testing.T) string {
	t.Helper()
	build, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test binary knows no modules")
	}
	for _, m := range build.Deps {
		if m.Path == "github.com/rclone/gofakes3" {
			return "gofakes3 " + m.Version
		}
	}
	t.Fatal("gofakes3 is not built in")
	return ""
}

// program is a client that is run once for each download, into a file.
type program struct{ dir string }

// out is the file that the next download goes to, with content in it.
func (p *program) out(content []byte) (string, error) {
	path := filepath.Join(p.dir, "out")
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	if content == nil {
		return path, nil
	}
	return path, os.WriteFile(path, content, 0o600)
}

// run runs it and returns what it printed.
func (p *program) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	// In the C locale wget decodes and breaks the percent signs of a redirect.
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+p.dir, "RCLONE_CONFIG=/dev/null")
	text, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %.500s", err, text)
	}
	return string(text), nil
}

// download runs a command that writes the file, which holds partial before, and
// compares what is in it then. OUT and LINK among args are put in.
func (p *program) download(link string, partial, want []byte, name string, args ...string) error {
	path, err := p.out(partial)
	if err != nil {
		return err
	}
	for i, arg := range args {
		args[i] = strings.NewReplacer("OUT", path, "DIR", p.dir, "LINK", link).Replace(arg)
	}
	if _, err := p.run(name, args...); err != nil {
		return err
	}
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return same(got, want)
}

// length reads the last match of a pattern in what a client printed of a HEAD.
func length(printed string, pattern string, want int) error {
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(printed, -1)
	if len(found) == 0 || found[len(found)-1][1] != strconv.Itoa(want) {
		return fmt.Errorf("HEAD does not say %d bytes: %.500s", want, printed)
	}
	return nil
}

// half is the part of an object that is there before a resume.
func half(content []byte) []byte { return content[:len(content)/2] }

// curl is curl.
type curl struct{ program }

func (c *curl) version(t *testing.T, dir string) string {
	t.Helper()
	c.dir = dir
	return versionOf("curl")(t)
}

func (c *curl) can(operation) bool { return true }

func (c *curl) open(op operation, link string, content []byte) error {
	switch op {
	case opHead:
		printed, err := c.run("curl", "-sSfIL", link)
		if err != nil {
			return err
		}
		return length(printed, `(?im)^content-length: (\d+)`, len(content))
	case opRange:
		return c.download(link, nil, content[rangeFrom:rangeTo], "curl", "-sSfL", "-r",
			fmt.Sprintf("%d-%d", rangeFrom, rangeTo-1), "-o", "OUT", "LINK")
	case opResume:
		return c.download(link, half(content), content, "curl", "-sSfL", "-C", "-", "-o", "OUT", "LINK")
	default:
		return c.download(link, nil, content, "curl", "-sSfL", "-o", "OUT", "LINK")
	}
}

// wget is GNU wget. Its Range is open at the end.
type wget struct{ program }

func (w *wget) version(t *testing.T, dir string) string {
	t.Helper()
	w.dir = dir
	return versionOf("wget")(t)
}

func (w *wget) can(operation) bool { return true }

func (w *wget) open(op operation, link string, content []byte) error {
	switch op {
	case opHead:
		printed, err := w.run("wget", "--spider", "-S", "-nv", link)
		if err != nil {
			return err
		}
		return length(printed, `(?i)content-length: (\d+)`, len(content))
	case opRange:
		return w.download(link, nil, content[rangeFrom:], "wget", "-nv", fmt.Sprintf("--start-pos=%d", rangeFrom), "-O",
			"OUT", "LINK")
	case opResume:
		return w.download(link, half(content), content, "wget", "-nv", "-c", "-O", "OUT", "LINK")
	default:
		return w.download(link, nil, content, "wget", "-nv", "-O", "OUT", "LINK")
	}
}

// aria2 is aria2. Its Range is a download in four parts at once.
type aria2 struct{ program }

func (a *aria2) version(t *testing.T, dir string) string {
	t.Helper()
	a.dir = dir
	return versionOf("aria2c")(t)
}

func (a *aria2) can(operation) bool { return true }

func (a *aria2) open(op operation, link string, content []byte) error {
	common := []string{
		"--no-conf", "--allow-overwrite=true", "--auto-file-renaming=false", "--file-allocation=none",
		"-d", "DIR", "-o", "out",
	}
	switch op {
	case opHead:
		printed, err := a.run("aria2c", "--no-conf", "--dry-run=true", "--use-head=true", "--log=-", "--log-level=info", link)
		if err != nil {
			return err
		}
		return length(printed, `(?i)content-length: (\d+)`, len(content))
	case opRange:
		return a.download(link, nil, content, "aria2c", append(common, "-x4", "-s4", "-k1M", "LINK")...)
	case opResume:
		return a.download(link, half(content), content, "aria2c",
			append(common, "-c", "--allow-overwrite=false", "-x1", "LINK")...)
	default:
		return a.download(link, nil, content, "aria2c", append(common, "-x1", "LINK")...)
	}
}

// rclone is rclone copyurl, which downloads and does nothing else.
type rclone struct{ program }

func (r *rclone) version(t *testing.T, dir string) string {
	t.Helper()
	r.dir = dir
	return strings.Replace(versionOf("rclone")(t), "rclone", "rclone copyurl", 1)
}

func (r *rclone) can(op operation) bool { return op == opGet }

func (r *rclone) open(_ operation, link string, content []byte) error {
	return r.download(link, nil, content, "rclone", "copyurl", "LINK", "OUT")
}

// goClient is Go's net/http.
type goClient struct{}

func (*goClient) version(t *testing.T, _ string) string {
	t.Helper()
	return "Go net/http " + strings.TrimPrefix(runtime.Version(), "go")
}

func (*goClient) can(operation) bool { return true }

func (*goClient) open(op operation, link string, content []byte) error {
	method, byteRange, want := partOf(op, content)
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, link, http.NoBody)
	if err != nil {
		return err
	}
	if byteRange != "" {
		r.Header.Set("Range", byteRange)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != wantedStatus(byteRange):
		return fmt.Errorf("status %d: %.200s", answer.StatusCode, got)
	case op == opHead && answer.ContentLength != int64(len(content)):
		return fmt.Errorf("HEAD says %d bytes", answer.ContentLength)
	case op == opHead:
		return nil
	}
	return same(got, want)
}

// partOf is what a client that is told headers asks for, and what it is to get. A
// resume asks for the second half.
func partOf(op operation, content []byte) (method, byteRange string, want []byte) {
	switch op {
	case opHead:
		return http.MethodHead, "", content
	case opRange:
		return http.MethodGet, fmt.Sprintf("bytes=%d-%d", rangeFrom, rangeTo-1), content[rangeFrom:rangeTo]
	case opResume:
		return http.MethodGet, fmt.Sprintf("bytes=%d-", len(content)/2), content[len(content)/2:]
	default:
		return http.MethodGet, "", content
	}
}

// wantedStatus is that of a whole object, or of a part.
func wantedStatus(byteRange string) int {
	if byteRange != "" {
		return http.StatusPartialContent
	}
	return http.StatusOK
}

// fetchedPart is what a client in another language says of an answer.
type fetchedPart struct {
	Status int    `json:"status"`
	Length string `json:"length"` // Content-Length
	Size   int    `json:"size"`   // of the body
	SHA256 string `json:"sha256"` // of the body, hexadecimal
	Error  string `json:"error"`
}

// check compares it with what was expected.
func (f *fetchedPart) check(op operation, byteRange string, want []byte) error {
	sum := sha256.Sum256(want)
	switch {
	case f.Error != "":
		return errors.New(f.Error)
	case f.Status != wantedStatus(byteRange):
		return fmt.Errorf("status %d", f.Status)
	case op == opHead && f.Length != strconv.Itoa(len(want)):
		return fmt.Errorf("HEAD says %s bytes", f.Length)
	case op != opHead && (f.Size != len(want) || f.SHA256 != hex.EncodeToString(sum[:])):
		return fmt.Errorf("%d bytes arrived, not the %d that were stored", f.Size, len(want))
	}
	return nil
}

// pythonRequests is Python's requests, in one process for all.
type pythonRequests struct {
	stdin  io.Writer
	stdout *bufio.Reader
}

func (p *pythonRequests) version(t *testing.T, _ string) string {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has Debian's python3-requests
	number, err := exec.Command(python, "-c", "import requests; print(requests.__version__)").Output()
	if err != nil {
		t.Fatalf("%s has no requests (%v): run deploy/matrix, which installs it", python, err)
	}
	command := exec.Command(python, "testdata/open_links.py")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // it ends with its input
		if err := command.Wait(); err != nil {
			t.Errorf("open_links.py: %v\n%s", err, &complaints)
		}
	})
	p.stdin, p.stdout = stdin, bufio.NewReader(stdout)
	return "python3-requests " + strings.TrimSpace(string(number))
}

func (p *pythonRequests) can(operation) bool { return true }

func (p *pythonRequests) open(op operation, link string, content []byte) error {
	method, byteRange, want := partOf(op, content)
	if err := json.NewEncoder(p.stdin).Encode(map[string]string{
		"method": method, "url": link,
		"range": byteRange,
	}); err != nil {
		return err
	}
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		return err
	}
	var got fetchedPart
	if err := json.Unmarshal(line, &got); err != nil {
		return err
	}
	return got.check(op, byteRange, want)
}

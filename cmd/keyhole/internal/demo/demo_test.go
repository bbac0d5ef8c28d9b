package demo

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// Without files the demo shares its welcome file; the printed link delivers it.
func TestDemoSharesTheWelcomeFile(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	link := regexp.MustCompile(`(?m)^(http://\S+)  \(2026/welcome to keyhole\.txt, until \d\d:\d\d:\d\d\)$`).
		FindStringSubmatch(d.printed)
	if link == nil {
		t.Fatalf("no link in:\n%s", d.printed)
	}
	response, err := http.Get(link[1])
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK ||
		!strings.HasPrefix(string(body), "This file is in a private bucket.") {
		t.Errorf("%d %q, %v", response.StatusCode, body, err)
	}
	// The printed commands carry the address, the key and the link.
	for _, want := range []string{
		"curl -fLOJ " + link[1], "KEYHOLE_OPERATOR_URL=" + d.operator + " KEYHOLE_KEY=" + d.key, " revoke ",
		"Ctrl-C stops it.",
	} {
		if !strings.Contains(d.printed, want) {
			t.Errorf("%q is not in:\n%s", want, d.printed)
		}
	}
}

// The printed console signs in by its button, once.
func TestDemoSignsInOnce(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	console := regexp.MustCompile(`(?m)^Console +(http://\S+/console/demo/\S+)$`).FindStringSubmatch(d.printed)
	if console == nil || !strings.HasPrefix(console[1], d.operator+"/") {
		t.Fatalf("no console in:\n%s", d.printed)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for i, want := range []string{"Open the console", "Objects · Keyhole", "This address no longer works"} {
		var response *http.Response
		if i == 1 {
			response, err = browser.PostForm(console[1], nil)
		} else {
			response, err = browser.Get(console[1])
		}
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // It was read.
		if err != nil || !strings.Contains(string(page), want) {
			t.Errorf("step %d: %d without %q: %s, %v", i, response.StatusCode, want, page, err)
		}
	}
}

// Files of the user are shared under their names, one link each, from a private bucket.
func TestDemoSharesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"a b.txt", "ü.txt"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	d := startDemo(t, files...)
	for _, want := range []string{"  (a b.txt, until ", "  (ü.txt, until "} {
		if !strings.Contains(d.printed, want) {
			t.Errorf("%q is not in:\n%s", want, d.printed)
		}
	}
	c, err := client.New(d.operator, d.key)
	if err != nil {
		t.Fatal(err)
	}
	// The key of the demo may do everything that the printed commands need.
	link, err := c.Issue(t.Context(), api.IssueRequest{Bucket: reportsBucket, Key: "invoices/2026-0815.txt"})
	if err != nil || link.Sensitive == nil || !*link.Sensitive {
		t.Errorf("an invoice: %+v, %v", link, err)
	}
	if _, err := c.Revoke(t.Context(), link.ID, "done"); err != nil {
		t.Error(err)
	}
	page, err := c.Objects(t.Context(), client.ObjectsOptions{Bucket: filesBucket})
	if err != nil || len(page.Objects) != 3 {
		t.Errorf("the bucket of the files has %+v, %v", page.Objects, err)
	}
	if err := d.stop(); err != nil {
		t.Errorf("the demo ended with %v", err)
	}
}

// Files that cannot be shared are refused before anything starts.
func TestObjectsOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, shared, err := objectsOf([]string{path})
	if err != nil || len(shared) != 1 || shared[0].Bucket != filesBucket || shared[0].Key != "a" ||
		string(shared[0].Content) != "content" || len(objects) != 5 {
		t.Errorf("got %+v, %+v, %v", objects, shared, err)
	}
	if _, shared, err := objectsOf(nil); err != nil || len(shared) != 1 || shared[0].Key != welcomeKey {
		t.Errorf("of no file: %+v, %v", shared, err)
	}
	for name, tt := range map[string]struct {
		files []string
		want  string
	}{
		"missing":   {[]string{path + ".missing"}, "cannot read a file"},
		"directory": {[]string{dir}, "cannot read a file"},
		"twice":     {[]string{path, path}, "two files have the name a"},
	} {
		_, _, err := objectsOf(tt.files)
		var known *command.Error
		if !errors.As(err, &known) || known.Code != command.ExitUsage || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The embedded htmx is the released file of version 2.0.11, and the configuration of the
// pages switches off what the policy forbids anyway.
func TestHtmx(t *testing.T) {
	t.Parallel()
	content, err := staticDir.ReadFile("static/htmx.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717" {
		t.Errorf("htmx.min.js has the SHA-256 %s", got)
	}
	if !bytes.Contains(content, []byte(`version:"2.0.11"`)) {
		t.Error("htmx.min.js does not say that it is version 2.0.11")
	}
	a := newBench(t, nil).visitor(t).get("/console/sign-in")
	for _, n := range a.all("meta") {
		if attribute(n, "name") == "htmx-config" {
			for _, want := range []string{
				`"allowEval":false`, `"includeIndicatorStyles":false`, `"selfRequestsOnly":true`, `"historyCacheSize":0`,
			} {
				if !strings.Contains(attribute(n, "content"), want) {
					t.Errorf("the configuration of htmx lacks %s", want)
				}
			}
			return
		}
	}
	t.Error("the page has no configuration of htmx")
}

// Nothing runs code from a text or an inline script: the policy has no unsafe source, and
// the scripts of the console need none.
func TestNoEval(t *testing.T) {
	t.Parallel()
	content, err := staticDir.ReadFile("static/console.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, banned := range []string{
		"eval(", "new Function", "innerHTML", "outerHTML", "document.write",
		"insertAdjacentHTML", "http://", "https://",
	} {
		if bytes.Contains(content, []byte(banned)) {
			t.Errorf("console.js uses %s", banned)
		}
	}
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self';") {
		t.Errorf("the policy is %s", policy)
	}
	style, err := staticDir.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(style) > 15_000 || bytes.Contains(style, []byte("url(")) || bytes.Contains(style, []byte("@import")) {
		t.Errorf("style.css has %d bytes, or loads something", len(style))
	}
}

// Files have names with a hash of their content, may be kept for ever, and run nothing by
// themselves.
func TestStatic(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	named := regexp.MustCompile(`^/console/static/[a-z.]+\.[0-9a-f]{16}\.(css|js|svg)$`)
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	for source, name := range b.console.static.names {
		path, err := b.console.static.path(source)
		if err != nil || !named.MatchString(path) {
			t.Errorf("%s: %q, %v", source, path, err)
		}
		content, err := staticDir.ReadFile("static/" + source)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			accept string
			gzip   bool
		}{
			{"gzip, deflate, br", true},
			{"GZIP", true},
			{"br;q=1, gzip;q=0.5", true},
			{"identity", false},
			{"gzip;q=0", false},
			{"gzip; q=0.0, br", false},
			{"x-gzip", false},
			{"gzip;q=x", false},
		} {
			a := c.do(http.MethodGet, path, nil, "Accept-Encoding", test.accept)
			sent := []byte(a.text)
			if got := a.header.Get("Content-Encoding"); (got == "gzip") != test.gzip {
				t.Errorf("%s for %q: encoding %q", name, test.accept, got)
				continue
			}
			if test.gzip {
				sent = unzip(t, sent)
			}
			if a.status != http.StatusOK || !bytes.Equal(sent, content) {
				t.Errorf("%s for %q: %d with other content", name, test.accept, a.status)
			}
			if got := a.header.Get("Content-Type"); got != types[source[strings.LastIndex(source, "."):]] {
				t.Errorf("%s: %q", name, got)
			}
			for header, want := range map[string]string{
				"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding",
				"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff",
			} {
				if a.header.Get(header) != want {
					t.Errorf("%s: %s is %q", name, header, a.header.Get(header))
				}
			}
		}
	}
	for _, path := range []string{"style.css", "style.0000000000000000.css", "", "%2e%2e%2fdoc.go", "console.js.gz"} {
		if a := c.get("/console/static/" + path); a.status != http.StatusNotFound ||
			a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %d, %q", path, a.status, a.header.Get("Cache-Control"))
		}
	}
	if strings.Contains(b.log.String(), `"page":"static"`) {
		t.Error("the log has the files of pages")
	}
	if _, err := b.console.static.path("missing.css"); err == nil {
		t.Error("a missing file has a path")
	}
	if got := mediaType("file.bin"); got != "application/octet-stream" {
		t.Errorf("an unknown type: %q", got)
	}
}

// unzip returns the content of gzip.
func unzip(t *testing.T, compressed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatalf("read gzip: %v", err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read gzip: %v", err)
	}
	return content
}

// Pages are compressed, but not the answer to a form: it may show a secret beside text of
// the form, and its length would tell about the secret.
func TestCompressedPages(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).signedIn(t, opsKey)
	plain := c.do(http.MethodGet, "/console/help", nil, "Accept-Encoding", "identity")
	for range 2 { // the second time with the same writer
		zipped := c.do(http.MethodGet, "/console/help", nil, "Accept-Encoding", "gzip")
		if got := string(unzip(t, []byte(zipped.text))); got != plain.text ||
			zipped.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("the compressed page is another one, with Vary %q", zipped.header.Get("Vary"))
		}
	}
	form := c.get(sharePath)
	a := c.do(http.MethodPost, "/console/share", form.fields(t, "/console/share"), "Accept-Encoding", "gzip")
	if a.status != http.StatusOK || a.header.Get("Content-Encoding") != "" || a.byID("link-url") == nil {
		t.Errorf("the page of a new link: %d, encoding %q", a.status, a.header.Get("Content-Encoding"))
	}
}

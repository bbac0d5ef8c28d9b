//go:build system

package system

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// loading is a script that adds an element to the page and tells whether it loaded. %s are
// the name of the element and its attributes.
const loading = `new Promise((resolve) => {
  const element = Object.assign(document.createElement(%q), %s);
  element.onload = () => resolve("loaded " + document.title);
  element.onerror = () => resolve("blocked " + document.title);
  document.head.append(element);
})`

// TestPolicyInChromium puts links into a page of Keyhole as script, style, image and frame,
// as an attacker would who could write into it. The links are of the origin of the page, and
// lead to a script, a style sheet and an image in a bucket. The browser compares the target
// of the redirect with the policy and blocks them. A page without a policy runs the script.
func TestPolicyInChromium(t *testing.T) {
	t.Parallel()
	in := install(t)
	g := in.start()
	c := openChromium(t)
	links := map[string]string{}
	for key, content := range map[string][2]string{
		"a.js":  {"text/javascript", "document.title = 'ran'"},
		"a.css": {"text/css", "body { display: none }"},
		"a.svg": {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`},
	} {
		in.s3.Put(t, "reports", key, content[0], []byte(content[1]))
		link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key, Disposition: "inline"})
		if err != nil {
			t.Fatal(err)
		}
		links[key] = link.URL
	}
	evaluate := func(script string) string {
		t.Helper()
		told, err := c.evaluate(script)
		if err != nil {
			t.Fatal(err)
		}
		return told
	}
	load := func(element, attributes string) string {
		t.Helper()
		return evaluate(fmt.Sprintf(loading, element, attributes))
	}
	c.show(t, blankPage(t))
	script := fmt.Sprintf(`{src: %q}`, links["a.js"])
	if told := load("script", script); told != "loaded ran" {
		t.Fatalf("on a page without a policy: %s", told)
	}
	public := links["a.js"][:strings.LastIndexByte(links["a.js"], '/')]
	c.show(t, public+"/x?lang=de")
	if language := evaluate("document.documentElement.lang + ' ' + getComputedStyle(document.body).display"); language !=
		"de flex" {
		t.Errorf("the page is in %s", language)
	}
	for what, told := range map[string]string{
		"script":       load("script", script),
		"style":        load("link", fmt.Sprintf(`{rel: "stylesheet", href: %q}`, links["a.css"])),
		"image":        load("img", fmt.Sprintf(`{src: %q}`, links["a.svg"])),
		"data: script": load("script", `{src: "data:text/javascript,document.title='ran'"}`),
	} {
		if !strings.HasPrefix(told, "blocked") || strings.Contains(told, "ran") {
			t.Errorf("%s: %s", what, told)
		}
	}
	inline := `const s = document.createElement("script"); s.textContent = "document.title='ran'"; ` +
		`document.head.append(s); document.title`
	if title := evaluate(inline); title == "ran" {
		t.Error("an inline script ran")
	}
	fetched := fmt.Sprintf(`fetch(%q).then(() => "fetched", () => "blocked")`, public+"/x")
	if told := evaluate(fetched); told != "blocked" {
		t.Errorf("the page can fetch: %s", told)
	}
	icon := fmt.Sprintf(`{src: %q}`, evaluate(`document.querySelector("header img").src`))
	if told := load("img", icon); !strings.HasPrefix(told, "loaded") {
		t.Errorf("the icon of the page: %s", told)
	}
}

// TestNoFrameInChromium puts a page of Keyhole into a frame of another site.
func TestNoFrameInChromium(t *testing.T) {
	t.Parallel()
	in := install(t)
	g := in.start()
	in.s3.Put(t, "reports", "a.txt", "text/plain", []byte("a"))
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "a.txt", Confirm: true})
	if err != nil {
		t.Fatal(err)
	}
	c := openChromium(t)
	c.show(t, blankPage(t))
	frame := fmt.Sprintf(`new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.src = %q;
  frame.onload = () => resolve("loaded");
  document.body.append(frame);
})`, link.URL)
	if _, err := c.evaluate(frame); err != nil {
		t.Fatal(err)
	}
	var tree struct {
		FrameTree struct {
			ChildFrames []struct {
				Frame struct{ URL, UnreachableURL string }
			}
		}
	}
	if err := c.call("Page.getFrameTree", nil, &tree); err != nil {
		t.Fatal(err)
	}
	frames := tree.FrameTree.ChildFrames
	if len(frames) != 1 || frames[0].Frame.UnreachableURL != link.URL {
		t.Errorf("the frames are %+v", frames)
	}
}

// blankPage serves a page without a policy. The first page of a new browser may still be
// loading while a script runs on it, and Chromium keeps pages of other schemes from loopback.
func blankPage(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>blank</title><body></body>") // The test fails without the page.
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// show opens a page and waits until it is complete.
func (c *chromium) show(t *testing.T, address string) {
	t.Helper()
	if err := c.call("Page.navigate", map[string]any{"url": address}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page to be complete", func() error {
		told, err := c.evaluate("location.href + ' ' + document.readyState")
		if err == nil && told != address+" complete" {
			err = fmt.Errorf("the page is %s", told)
		}
		return err
	})
}

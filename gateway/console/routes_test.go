package console

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// withoutSessions are the paths of the pages that need no session.
func withoutSessions() []string {
	return []string{
		"/", "/console", "/console/", "/console/static/:file", "/console/sign-in", "/console/sign-in/forget",
		"/console/oidc/sign-in", "/console/oidc/callback", "/console/sign-out", "/console/theme",
	}
}

// example returns a path that a route matches.
func (r *route) example() string {
	path := strings.ReplaceAll(r.path, ":file", "missing.css")
	return strings.ReplaceAll(path, ":id", "aaaaaaaaaaaaaaaaaaaaaaaaaa")
}

// Every route has a label, every action is protected, and only the listed pages need no
// session.
func TestRoutes(t *testing.T) {
	t.Parallel()
	label := regexp.MustCompile(`^[a-z-]+$`)
	seen := map[string]bool{}
	for _, r := range routes() {
		if !label.MatchString(r.page) || pageOf(r.path) != r.page || r.handler == nil {
			t.Errorf("%s %s has the label %q, counted as %q", r.method, r.path, r.page, pageOf(r.path))
		}
		if seen[r.method+r.path] {
			t.Errorf("%s %s exists twice", r.method, r.path)
		}
		seen[r.method+r.path] = true
		if r.method != http.MethodGet && r.method != http.MethodPost ||
			r.changesState != (r.method == http.MethodPost) {
			t.Errorf("%s %s changes state: %t", r.method, r.path, r.changesState)
		}
		free := slices.Contains(withoutSessions(), r.path)
		if r.signedOut && !free || r.path != "/" && !strings.HasPrefix(r.path, base) {
			t.Errorf("%s %s needs no session: %t", r.method, r.path, r.signedOut)
		}
	}
	if got := pageOf("/console/:unknown"); got != "none" {
		t.Errorf("an unknown path is counted as %q", got)
	}
}

// Without a session, a page leads to the sign-in, and an action changes nothing.
func TestRoutesNeedSession(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	for _, r := range routes() {
		if r.signedOut {
			continue
		}
		if r.changesState {
			if a := c.post(r.example(), url.Values{
				"confirm": {"1"},
				"all":     {"1"},
			}); a.status != http.StatusUnauthorized {
				t.Errorf("POST %s: %d", r.path, a.status)
			}
			continue
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := c.do(method, r.example()+"?x=y", nil)
			want := "/console/sign-in?return=" + url.QueryEscape(r.example()+"?x=y")
			if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
				t.Errorf("%s %s: %d to %q", method, r.path, a.status, a.header.Get("Location"))
			}
		}
	}
}

// checkHeaders checks the headers that every answer has.
func checkHeaders(t *testing.T, name string, h http.Header) {
	t.Helper()
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := h.Values(header); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q", name, header, got, want)
		}
	}
	// Addresses of pages must not reach other sites.
	if got := h.Get("Referrer-Policy"); got != "no-referrer" && got != "same-origin" {
		t.Errorf("%s: Referrer-Policy is %q", name, got)
	}
	if id := h.Get("X-Request-Id"); !regexp.MustCompile(`^[a-z2-7]{26}$`).MatchString(id) {
		t.Errorf("%s: the request's name is %q", name, id)
	}
	if got := h.Values("Access-Control-Allow-Origin"); len(got) > 0 {
		t.Errorf("%s allows other origins: %q", name, got)
	}
}

// Every route sends the headers that protect the console, also with errors, redirects and
// without a session: no page is shown in a frame or kept by a cache.
func TestHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for who, c := range map[string]*client{"signed in": b.signedIn(t, opsKey), "signed out": b.visitor(t)} {
		for _, r := range routes() {
			if r.page == "sign-out" {
				continue // it ends the session of the others
			}
			var a answer
			if r.changesState {
				a = c.post(r.example(), url.Values{})
			} else {
				a = c.get(r.example())
			}
			checkHeaders(t, who+": "+r.method+" "+r.path, a.header)
			if kind := a.header.Get("Content-Type"); a.status >= 400 && kind != "text/html; charset=utf-8" {
				t.Errorf("%s: %s %s is %q", who, r.method, r.path, kind)
			}
		}
		a := c.post("/console/sign-out", nil)
		checkHeaders(t, who+": the sign-out", a.header)
		if got := a.header.Get("Clear-Site-Data"); got != `"cache"` {
			t.Errorf("%s: the sign-out keeps cached pages: %q", who, got)
		}
		const forget = "/console/sign-in/forget"
		a = c.get(forget)
		if got := a.header.Get("Clear-Site-Data"); got != `"cache"` ||
			!strings.Contains(c.get("/console/sign-in").text, forget) {
			t.Errorf("%s: the sign-in leaves pages to the back button: %q", who, got)
		}
	}
	c := b.visitor(t)
	for name, a := range map[string]answer{
		"not found": c.get("/console/nothing"), "not allowed": c.do(http.MethodDelete, "/console/objects", nil),
		"misdirected":  c.do(http.MethodGet, "/console/objects", nil, "Host", "evil.example"),
		"cross-origin": c.do(http.MethodPost, "/console/share", nil, "Sec-Fetch-Site", "cross-site"),
	} {
		checkHeaders(t, name, a.header)
	}
	for _, word := range []string{"unsafe", "http:", "https:", "*", "data:", "blob:"} {
		if strings.Contains(policy, word) {
			t.Errorf("the policy allows %s", word)
		}
	}
}

// HEAD gets the headers of GET and no content.
func TestHead(t *testing.T) {
	t.Parallel()
	now := time.Now() // Both answers state ages, and another age may have another length.
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return now } })
	b.storage.keys = keysOf("a", "b")
	id := b.issue(t, nil).Link.ID.String()
	c := b.signedIn(t, opsKey)
	for _, path := range []string{
		"/console/objects?bucket=reports", "/console/links", "/console/links/" + id, "/console/help", "/console/sign-in",
		"/console/nothing", sharePath, c.get("/console/help").asset(t, "link"),
	} {
		get, head := c.do(http.MethodGet, path, nil, "Accept-Encoding", "identity"), c.do(http.MethodHead, path, nil,
			"Accept-Encoding", "identity")
		if head.status != get.status || head.text != "" {
			t.Errorf("%s: HEAD %d with %d bytes, GET %d", path, head.status, len(head.text), get.status)
		}
		for _, header := range []string{"Content-Type", "Content-Length", "Cache-Control", "Vary"} {
			if head.header.Get(header) != get.header.Get(header) {
				t.Errorf("%s: %s is %q, with GET %q", path, header, head.header.Get(header), get.header.Get(header))
			}
		}
	}
}

// asset returns the address of the last file that a page loads with an element.
func (a answer) asset(t *testing.T, element string) string {
	t.Helper()
	for _, n := range slices.Backward(a.all(element)) {
		if address := attribute(n, "href") + attribute(n, "src"); strings.HasPrefix(address, "/console/static/") {
			return address
		}
	}
	t.Fatalf("the page loads no %s", element)
	return ""
}

// sources returns the source of the package, without tests.
func sources(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatalf("read the package: %v", err)
	}
	var all strings.Builder
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("read the package: %v", err)
			}
			all.Write(content)
		}
	}
	return all.String()
}

// Every template is rendered by a handler, every part by a template, and every icon exists.
func TestTemplatesUsed(t *testing.T) {
	t.Parallel()
	static, err := loadStatic()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := parseTemplates(static)
	if err != nil {
		t.Fatal(err)
	}
	code := sources(t)
	for name := range pages {
		if !regexp.MustCompile(`"` + name + `",\s+document{`).MatchString(code) {
			t.Errorf("no handler renders the template %s", name)
		}
	}
	files, err := templateDir.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, file := range files {
		content, err := templateDir.ReadFile("templates/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		text.Write(content)
	}
	for _, defined := range regexp.MustCompile(`{{define "([^"]+)"}}`).FindAllStringSubmatch(text.String(), -1) {
		if !strings.Contains(text.String(), `{{template "`+defined[1]+`"`) {
			t.Errorf("no template uses the part %s", defined[1])
		}
	}
	sprite, err := staticDir.ReadFile("static/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, used := range regexp.MustCompile(`{{template "icon" "([^"]+)"}}`).FindAllStringSubmatch(text.String(), -1) {
		if !strings.Contains(string(sprite), `id="`+used[1]+`"`) {
			t.Errorf("the icon %s does not exist", used[1])
		}
	}
	// Nothing in a template switches the escaping off, or runs inline.
	for _, banned := range []string{
		"<style", " style=", " onclick", " onload", "javascript:", "<script>", "hx-on",
		"js:",
	} {
		if strings.Contains(text.String(), banned) {
			t.Errorf("a template has %q", banned)
		}
	}
	for _, banned := range []string{
		"template.HTML", "template.JS", "template.URL", "template.CSS",
		"http.DetectContentType",
	} {
		if strings.Contains(code, banned) {
			t.Errorf("the package uses %s", banned)
		}
	}
}

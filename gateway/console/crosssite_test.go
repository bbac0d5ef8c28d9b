package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"keyhole/gateway"
)

// consoleAt returns a bench whose listener has names of its own.
func consoleAt(t *testing.T) *bench {
	t.Helper()
	return newBench(t, func(o *Options) {
		o.OperatorURL = "http://keyhole.example.com:8443"
		o.Hosts = []string{"files.internal", "other.internal:8080"}
	})
}

// A page of another site can make no change, not even sign somebody in or out.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	b := consoleAt(t)
	id := b.issue(t, nil).Link.ID
	c := b.signedIn(t, opsKey)
	own := strings.TrimPrefix(b.server.URL, "http://")
	form := url.Values{
		"key": {opsKey}, "theme": {"dark"}, "confirm": {"1"}, "all": {"1"}, "what": {"filter"}, "bucket": {"reports"},
		"note": {"changed"}, "preset": {gateway.PresetHandoff}, "q": {id.String()},
	}
	for _, r := range routes() {
		if !r.changesState {
			continue
		}
		path := strings.ReplaceAll(r.path, ":id", id.String())
		for name, headers := range map[string][]string{
			"cross-site":                {"Sec-Fetch-Site", "cross-site"},
			"same-site":                 {"Sec-Fetch-Site", "same-site"},
			"cross-site of own origin":  {"Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example"},
			"another origin":            {"Origin", "https://evil.example"},
			"another port":              {"Origin", "http://127.0.0.1:1"},
			"no origin":                 {"Origin", "null"},
			"a prefix of the origin":    {"Origin", "http://" + own + ".evil.example"},
			"a suffix of the origin":    {"Origin", "http://evil-files.internal"},
			"the recipients' origin":    {"Origin", "https://dl.example.com"},
			"a trusted name, by https":  {"Origin", "https://files.internal"},
			"a trusted name, no scheme": {"Origin", "files.internal"},
			"an unknown value":          {"Sec-Fetch-Site", "something"},
		} {
			a := c.do(http.MethodPost, path, form, headers...)
			if a.status != http.StatusForbidden || !strings.Contains(a.shown(), "Another site has sent this request") ||
				a.header.Get("Set-Cookie") != "" {
				t.Errorf("%s of %s: %d %s", path, name, a.status, a.shown())
			}
		}
	}
	if link := b.show(t, id); link.State != gateway.StateActive || link.Note != "" || len(b.links(t)) != 1 {
		t.Errorf("another site has changed %+v", link)
	}
	if a := c.get("/console/objects"); a.status != http.StatusOK {
		t.Errorf("another site has ended the session: %d", a.status)
	}
	for _, event := range b.audit(t) {
		if event.Kind != gateway.EventIssued && event.Kind != gateway.EventSignedIn {
			t.Errorf("another site has caused %+v", event)
		}
	}
}

// The pages of the service itself, and programs, can make changes.
func TestSameSite(t *testing.T) {
	t.Parallel()
	b := consoleAt(t)
	c := b.signedIn(t, opsKey)
	for name, headers := range map[string][]string{
		"same origin":         {"Sec-Fetch-Site", "same-origin"},
		"by the user":         {"Sec-Fetch-Site", "none"},
		"an old browser":      {"Origin", b.server.URL},
		"no browser":          {},
		"the operators' name": {"Origin", "http://keyhole.example.com:8443", "Sec-Fetch-Site", "cross-site"},
		"a further name":      {"Origin", "http://files.internal", "Host", "files.internal"},
		"a name with a port":  {"Origin", "http://other.internal:8080", "Host", "other.internal:8080"},
	} {
		a := c.do(http.MethodPost, "/console/theme", url.Values{"theme": {"dark"}}, headers...)
		if a.status != http.StatusSeeOther {
			t.Errorf("%s: %d %s", name, a.status, a.shown())
		}
	}
}

// A foreign name that points to this service (DNS rebinding) gets nothing from it.
func TestHosts(t *testing.T) {
	t.Parallel()
	b := consoleAt(t)
	c := b.signedIn(t, opsKey)
	style := c.get("/console/help").asset(t, "link")
	for _, host := range []string{
		"evil.example", "evil.example:8443", "127.0.0.1.evil.example", "localhost.evil.example", "localhost@evil.example",
		"evil.example.", "keyhole.example.com.evil.example", "xkeyhole.example.com", "example.com", "dl.example.com",
		"files.internal.evil", "0x7f000001", "127.1", "2130706433", "localhost:evil.example", "-", "files.internal:80:80",
	} {
		for _, path := range []string{
			"/console/objects", "/console/sign-in", "/console/help", style, "/",
			"/console/nothing",
		} {
			a := c.do(http.MethodGet, path, nil, "Host", host)
			// net/http itself refuses a host with a character that none has.
			if a.status != http.StatusMisdirectedRequest && a.status != http.StatusBadRequest ||
				strings.Contains(a.text, ">ops<") {
				t.Errorf("%s of %q: %d", path, host, a.status)
			}
		}
		a := c.do(http.MethodPost, "/console/sign-in", url.Values{"key": {opsKey}}, "Host", host, "Origin",
			"http://"+host)
		if a.status < 400 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("sign in at %q: %d", host, a.status)
		}
	}
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:9999", "[::1]", "[::1]:8443", "10.1.2.3:80", "localhost", "LocalHost:8443", "localhost.",
		"keyhole.example.com", "keyhole.example.com:8443", "KEYHOLE.example.com.", "files.internal", "files.internal:81",
		"other.internal", "other.internal:8080",
	} {
		if a := c.do(http.MethodGet, "/console/sign-in", nil, "Host", host); a.status != http.StatusOK {
			t.Errorf("%q: %d", host, a.status)
		}
	}
	a := c.do(http.MethodGet, "/console/objects", nil, "Host", "evil.example")
	if !strings.Contains(a.shown(), "operator.hosts") {
		t.Errorf("the page does not say what to do: %s", a.shown())
	}
}

// The names of the listener have to be addresses.
func TestTrustedNames(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"a control character": {OperatorURL: "https://a\x7f.example"},
		"no scheme":           {OperatorURL: "keyhole.example.com"},
		"a host with a path":  {Hosts: []string{"a.example/console"}},
		"a host with a space": {Hosts: []string{"a b"}},
	} {
		if _, _, err := trusted(&o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	hosts, _, err := trusted(&Options{Secure: true, Hosts: []string{"A.example:8443", "[2001:db8::1]:80"}})
	if err != nil || !hosts["a.example"] || !hosts["2001:db8::1"] || !hosts["localhost"] {
		t.Errorf("the names: %v, %v", hosts, err)
	}
}

// foreignTargets are addresses that must not be reached after a sign-in.
func foreignTargets() []string {
	return []string{
		"", "/", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\\evil.example`,
		`\/evil.example`,
		"https://evil.example", "https:evil.example", "https:/evil.example", "HTTPS://evil.example/console/",
		"http:///console/",
		"javascript:alert(1)", "JavaScript:alert(1)//console/", "data:text/html,x", "mailto:a@b.example", "vbscript:x",
		"/console/../evil", "/console/..", "/console/./../x", "/console/%2e%2e/evil", "/console/.%2e/evil",
		"/console/%2E%2E%2Fx",
		"/console//evil.example", "/console/%2fevil.example", "/console/%2F%2Fevil.example", `/console/\evil.example`,
		"/consoles/x",
		"/console", "console/objects", "/links", "/console/objects\r\nX-Evil: 1", "/console/objects\n",
		"\t/console/objects",
		" /console/objects", "/console/ob\tjects", "/console/\x00", "/console/%", "//evil.example/console/",
		"@evil.example",
		"//evil.example\\@keyhole/console/", "/console:80@evil.example/", "http://keyhole@evil.example/console/",
		"?x=/console/",
		"#/console/", "/%2fevil.example/console/", "/console/sign-in", "/console/sign-out",
		"/console/oidc/sign-in?return=x",
		"/console/theme", "/console/static/x.css", "//127.0.0.1:1/console/", "/ /console/", "/\u2028/console/",
		"\ufeff/console/x",
	}
}

// After a sign-in, and after a change of the colours, only pages of the console are reached.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for _, target := range foreignTargets() {
		for path, form := range map[string]url.Values{
			"/console/sign-in": {"key": {opsKey}, "return": {target}}, "/console/theme": {
				"theme":  {"dark"},
				"return": {target},
			},
		} {
			a := c.post(path, form)
			got := a.header.Get("Location")
			ours := got == "/console/objects" ||
				path == "/console/theme" && target == "/console/sign-in" && got == target
			if a.status != http.StatusSeeOther || !ours || len(a.header.Values("X-Evil")) > 0 {
				t.Errorf("%s with %q: %d to %q", path, target, a.status, got)
			}
		}
		a := c.get("/console/sign-in?return=" + url.QueryEscape(target))
		if got := a.fields(t, "/console/sign-in").Get("return"); got != "/console/objects" {
			t.Errorf("the form returns to %q for %q", got, target)
		}
	}
	for _, target := range []string{
		"/console/objects", "/console/objects?bucket=reports&prefix=a%2Fb%20c", "/console/links?q=//evil.example",
		"/console/links/aaaaaaaa#events", "/console/share?key=..%2F..%2Fx&bucket=b",
	} {
		a := c.post("/console/sign-in", url.Values{"key": {opsKey}, "return": {target}})
		if got := a.header.Get("Location"); got != target {
			t.Errorf("%q: to %q", target, got)
		}
	}
}

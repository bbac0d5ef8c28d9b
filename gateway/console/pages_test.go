package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/storetest"
)

// The root of a browser and the console lead to the objects; other clients get the API.
func TestHome(t *testing.T) {
	t.Parallel()
	c := newBench(t, nil).visitor(t)
	for _, path := range []string{"/", "/console", "/console/"} {
		if a := c.get(path); a.status != http.StatusSeeOther || a.header.Get("Location") != "/console/objects" {
			t.Errorf("%s: %d to %q", path, a.status, a.header.Get("Location"))
		}
	}
	for _, test := range []struct {
		method, path, accept string
		want                 bool
	}{
		{"GET", "/", "text/html,application/xhtml+xml", true},
		{"HEAD", "/", "text/html", true},
		{"POST", "/", "text/html", false},
		{"GET", "/", "application/json", false},
		{"GET", "/", "", false},
		{"GET", "/console", "", true},
		{"POST", "/console/share", "", true},
		{"GET", "/consoles", "text/html", false},
		{"GET", "/links", "text/html", false},
		{"GET", "/metrics", "text/html", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil)
		r.Header.Set("Accept", test.accept)
		if got := Serves(r); got != test.want {
			t.Errorf("%s %s for %q: %t", test.method, test.path, test.accept, got)
		}
	}
}

// The choice of colours is kept in a cookie, and returns to a page of the console.
func TestTheme(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	root := func(a answer) string { return attribute(a.all("html")[0], "data-theme") }
	if got := root(c.get("/console/help")); got != "auto" {
		t.Errorf("at first: %q", got)
	}
	page := c.get("/console/links?state=paused")
	form := page.fields(t, "/console/theme")
	if form.Get("return") != "/console/links?state=paused" || form.Get("theme") != "auto" {
		t.Errorf("the form: %v", form)
	}
	for _, theme := range []string{"dark", "light", "auto"} {
		a := c.post("/console/theme", with(form, "theme", theme))
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/console/links?state=paused" {
			t.Errorf("%s: %d to %q", theme, a.status, a.header.Get("Location"))
		}
		page := c.get("/console/help")
		if got := root(page); got != theme || page.fields(t, "/console/theme").Get("theme") != theme {
			t.Errorf("%s: the page has %q", theme, got)
		}
	}
	for _, theme := range []string{"", "blue", "dark\"><script>"} {
		if a := c.post("/console/theme", url.Values{"theme": {theme}}); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d", theme, a.status)
		}
	}
	a := c.do(http.MethodGet, "/console/sign-in", nil, "Cookie", themeCookie+`=dark"onload="alert(1)`)
	if got := root(a); got != "auto" {
		t.Errorf("a forged cookie: %q", got)
	}
	// The answer to a POST would be lost.
	a = c.post("/console/links", url.Values{"q": {"nothing"}})
	if a.byID("theme") != nil {
		t.Error("the answer to a form offers a change of the colours")
	}
	a = b.visitor(t).post("/console/theme", url.Values{"theme": {"dark"}, "return": {"/console/sign-in"}})
	if got := a.header.Get("Location"); got != "/console/sign-in" {
		t.Errorf("at the sign-in, the theme returns to %q", got)
	}
}

// The help is a page, with the version in its foot.
func TestHelp(t *testing.T) {
	t.Parallel()
	a := newBench(t, nil).signedIn(t, readKey).get("/console/help")
	if a.status != http.StatusOK || !strings.Contains(a.shown(), "Explain a refusal") ||
		!strings.Contains(words(a.page), "Keyhole 1.2.3") {
		t.Errorf("the help: %d %s", a.status, words(a.page))
	}
	if len(a.all("h1")) != 1 || len(a.all("main")) != 1 || a.byID("status") == nil ||
		attribute(a.byID("status"), "role") != "status" {
		t.Error("the page lacks its parts")
	}
}

// Unknown paths and methods get a page that says what to do.
func TestNoSuchPage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for _, test := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/console/nothing", 404, "There is no such page."},
		{"GET", "/console/links/a/b/c", 404, "There is no such page."},
		{"POST", "/console/objects", 405, "This page cannot be used like that."},
		{"DELETE", "/console/links", 405, "This page cannot be used like that."},
		{"PUT", "/console/share", 405, "This page cannot be used like that."},
		{"GET", "/console/sign-out", 405, "This page cannot be used like that."},
		{"GET", "/console/revocations", 405, "This page cannot be used like that."},
		{"BREW", "/console/help", 405, "This page cannot be used like that."},
		{"GET", "/console/static/nothing.css", 404, "There is no such page."},
		{"GET", "/console/static/style.css", 404, "There is no such page."},
		{"GET", "/console/static/..%2ftemplates%2flayout.html", 404, "There is no such page."},
		{"GET", "/console/oidc/sign-in", 404, "There is no such page."},
		{"GET", "/console/oidc/callback?code=x&state=y", 404, "There is no such page."},
	} {
		a := c.do(test.method, test.path, nil, "Sec-Fetch-Site", "same-origin")
		if a.status != test.status || !strings.Contains(a.shown(), test.want) {
			t.Errorf("%s %s: %d %s", test.method, test.path, a.status, a.shown())
		}
		if id := a.header.Get("X-Request-Id"); !strings.Contains(a.shown(), id) {
			t.Errorf("%s %s does not name the request: %s", test.method, test.path, a.shown())
		}
	}
	if log := b.log.String(); strings.Contains(log, "BREW") || strings.Contains(log, "nothing") {
		t.Errorf("the log has what a client invents: %s", log)
	}
}

// The page of an unknown address has the navigation of an operator who has signed in, and no
// other page of that kind has one. Looking for it is no activity of the operator.
func TestNoSuchPageHasNavigation(t *testing.T) {
	t.Parallel()
	b, store := newPartialBench(t)
	sections := []string{"Objects", "Links", "Audit"}
	for _, test := range []struct {
		name, path string
		from       *client
		want       []string
		first      string
	}{
		{"an operator", "/console/nothing", b.signedIn(t, opsKey), sections, "/console/objects"},
		{"a missing file", "/console/static/x.css", b.signedIn(t, opsKey), sections, "/console/objects"},
		{"a reader", "/console/nothing", b.signedIn(t, readKey), []string{"Links", "Audit"}, "/console/links"},
		{"a visitor", "/console/nothing", b.visitor(t), nil, "/console/objects"},
	} {
		store.active = nil
		a := test.from.get(test.path)
		var names []string
		for _, n := range a.all("a") {
			if has(n, "data-shortcut") {
				names = append(names, words(n))
			}
		}
		if a.status != http.StatusNotFound || !slices.Equal(names, test.want) ||
			(a.button("Sign out") != nil) != (test.want != nil) {
			t.Errorf("%s: %d with the navigation %q", test.name, a.status, names)
		}
		if got := a.link("Go to the first page"); got != test.first {
			t.Errorf("%s: the button leads to %q, want %q", test.name, got, test.first)
		}
		if slices.Contains(store.active, true) {
			t.Errorf("%s: the request counts as activity", test.name)
		}
	}
	// A site that has made its own name point here gets no page with the operator's name.
	c := b.signedIn(t, opsKey)
	a := c.do(http.MethodGet, "/console/nothing", nil, "Host", "evil.example")
	if a.status != http.StatusMisdirectedRequest || strings.Contains(a.text, "Sign out") {
		t.Errorf("a foreign name: %d %s", a.status, a.shown())
	}
}

// Without Redis, the page of an unknown address says so all the same, without navigation.
func TestNoSuchPageWithoutRedis(t *testing.T) {
	t.Parallel()
	store, stop := storetest.OpenWithOutage(t)
	b := newBenchOver(t, store, nil, nil)
	c := b.signedIn(t, opsKey)
	id := c.session()
	stop()
	a := c.get("/console/nothing")
	if a.status != http.StatusNotFound || !strings.Contains(a.shown(), "There is no such page.") ||
		a.button("Sign out") != nil {
		t.Errorf("without Redis: %d %s", a.status, a.shown())
	}
	if log := b.log.String(); !strings.Contains(log, "error page without navigation") || strings.Contains(log, id) {
		t.Errorf("the log: %s", log)
	}
}

// A panic gets a page with the request's name. Its value, which may be a secret, is nowhere.
func TestPanic(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	b.storage.panics = "panic-canary"
	a := c.get("/console/objects?bucket=reports")
	if a.status != http.StatusInternalServerError || !strings.Contains(a.shown(), "The service has made a mistake.") ||
		!strings.Contains(a.shown(), a.header.Get("X-Request-Id")) {
		t.Errorf("a panic: %d %s", a.status, a.shown())
	}
	log := b.log.String()
	if strings.Contains(a.text+log, "canary") {
		t.Errorf("the value of the panic is shown: %s %s", a.shown(), log)
	}
	if !strings.Contains(log, "handler panicked") || !strings.Contains(log, "stubStorage") {
		t.Errorf("the log lacks the stack: %s", log)
	}
	b.storage.panics = nil
	if a = c.get("/console/objects?bucket=reports"); a.status != http.StatusOK {
		t.Errorf("after the panic: %d", a.status)
	}
}

// An internal error is logged and not shown.
func TestInternalError(t *testing.T) {
	t.Parallel()
	status, view := describe(errors.New("secret detail"))
	if status != http.StatusInternalServerError || strings.Contains(view.Message+view.Advice+view.Code, "secret") {
		t.Errorf("an unknown error: %d %+v", status, view)
	}
}

// Every code of an error has a status, and every status a heading.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for code, want := range map[gateway.Code]int{
		gateway.CodeBadRequest: 400, gateway.CodeUnauthorized: 401, gateway.CodeForbidden: 403, gateway.CodeOutOfScope: 403,
		gateway.CodeNotFound: 404, gateway.CodeNotActive: 409, gateway.CodeAmbiguous: 409,
		gateway.CodeIdempotencyConflict: 409,
		gateway.CodePrecondition:        412, gateway.CodeTooLarge: 413, gateway.CodeInvalid: 422,
		gateway.CodeRateLimited: 429,
		gateway.CodeUnavailable: 503, gateway.CodeNotConfirmed: 503,
	} {
		status, view := describe(&gateway.Error{Code: code, Message: "what to do", Err: errors.New("secret detail")})
		if status != want || view.Message != "what to do" || view.Code != string(code) ||
			view.Heading == "Something went wrong" {
			t.Errorf("%s: %d %+v", code, status, view)
		}
	}
}

// A form may have a note and labels at their limits, but not any size.
func TestFormSize(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	for _, path := range []string{
		"/console/share", "/console/links", "/console/revocations", "/console/theme",
		"/console/sign-in",
	} {
		a := c.post(path, url.Values{"x": {strings.Repeat("x", maxForm)}})
		if a.status != http.StatusRequestEntityTooLarge ||
			!strings.Contains(a.shown(), fmt.Sprintf("larger than %d bytes", maxForm)) {
			t.Errorf("%s: %d %s", path, a.status, a.shown())
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/console/links",
		strings.NewReader("q=%zz"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", plainCookie+"="+c.session())
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("a form that cannot be read: %d", response.StatusCode)
	}
	// The largest selection of a page fits.
	form := url.Values{"confirm": {"1"}}
	for range linksLimit {
		form.Add("id", strings.Repeat("a", 52))
	}
	if a := c.post("/console/revocations", form); a.status == http.StatusRequestEntityTooLarge {
		t.Error("a selection does not fit")
	}
}

// A request that takes longer than its limit gets a page that says so.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	b.console.o.RequestTimeout = 1 // a nanosecond
	a := c.get("/console/objects")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("over the time limit: %d %s", a.status, a.shown())
	}
}

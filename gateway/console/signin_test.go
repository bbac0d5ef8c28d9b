package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A page sends a visitor to the sign-in, which returns to the page.
func TestSignIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	a := c.get("/console/objects?bucket=reports")
	if got := a.header.Get("Location"); a.status != http.StatusSeeOther ||
		got != "/console/sign-in?return=%2Fconsole%2Fobjects%3Fbucket%3Dreports" {
		t.Fatalf("signed out: %d to %q", a.status, got)
	}
	a = c.get(a.header.Get("Location"))
	if a.status != http.StatusOK || attribute(a.byID("key"), "type") != "password" {
		t.Fatalf("the form: %d %s", a.status, a.text)
	}
	form := url.Values{"key": {opsKey}, "return": {"/console/objects?bucket=reports"}}
	if a = c.post("/console/sign-in", form); a.status != http.StatusSeeOther ||
		a.header.Get("Location") != "/console/objects?bucket=reports" {
		t.Fatalf("the sign-in: %d to %q", a.status, a.header.Get("Location"))
	}
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"keyhole_console=", "Path=/console", "HttpOnly", "SameSite=Lax"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	if a = c.get("/console/objects"); a.status != http.StatusOK || !strings.Contains(words(a.page), "ops") {
		t.Errorf("signed in: %d %s", a.status, words(a.page))
	}
	if a = c.post("/console/sign-out", nil); a.status != http.StatusSeeOther {
		t.Errorf("the sign-out: %d", a.status)
	}
	if a = c.get("/console/objects"); a.status != http.StatusSeeOther {
		t.Errorf("signed out again: %d", a.status)
	}
	if log := b.log.String(); strings.Contains(log, "canary") {
		t.Errorf("the log has the key: %s", log)
	}
}

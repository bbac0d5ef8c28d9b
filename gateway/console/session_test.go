package console

import (
	"encoding/base64"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/admission"
	"keyhole/gateway/storetest"
)

// session returns the ID of the session that the browser has, or "".
func (c *client) session() string {
	address, err := url.Parse(c.b.server.URL + "/console/objects")
	if err != nil {
		c.t.Fatalf("parse the address: %v", err)
	}
	for _, cookie := range c.http.Jar.Cookies(address) {
		if cookie.Name == plainCookie {
			return cookie.Value
		}
	}
	return ""
}

// A wrong key gets the form again, and nothing about the key is anywhere.
func TestWrongKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	for _, key := range []string{"wrong-key-canary", "", "   ", strings.Repeat("x", maxKey+1), "x.y.z"} {
		a := c.post("/console/sign-in", url.Values{"key": {key}, "return": {"/console/links?state=paused"}})
		if a.status != http.StatusUnauthorized || attribute(a.byID("key"), "aria-invalid") != "true" ||
			!strings.Contains(attribute(a.byID("key"), "aria-describedby"), "key-error") || a.byID("key-error") == nil {
			t.Errorf("%.20q: %d %s", key, a.status, a.shown())
		}
		form := a.fields(t, "/console/sign-in")
		if form.Get("return") != "/console/links?state=paused" || form.Get("key") != "" {
			t.Errorf("%.20q: the form has %v", key, form)
		}
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%.20q: a cookie is set", key)
		}
	}
	if log := b.log.String(); strings.Contains(log, "canary") {
		t.Errorf("the log has the key: %s", log)
	}
	for _, event := range b.audit(t) {
		t.Errorf("a failed sign-in is in the audit: %+v", event)
	}
}

// After too many wrong keys, the sign-in refuses, but not the right key.
func TestTooManyWrongKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	for range gateway.MaxKeyFailures {
		c.post("/console/sign-in", url.Values{"key": {"guess"}})
	}
	a := c.post("/console/sign-in", url.Values{"key": {"guess"}})
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" ||
		!strings.Contains(a.shown(), "too many wrong keys") {
		t.Errorf("after too many: %d %s", a.status, a.shown())
	}
	if a = c.post("/console/sign-in", url.Values{"key": {opsKey}}); a.status != http.StatusSeeOther {
		t.Errorf("the right key: %d", a.status)
	}
}

// Each sign-in makes a new session and ends the one before. An ID that the browser did not
// get from here is never a session.
func TestSessionIDs(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.visitor(t)
	address, err := url.Parse(b.server.URL + "/console")
	if err != nil {
		t.Fatalf("parse the address: %v", err)
	}
	fixed := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("a", 32)))
	c.http.Jar.SetCookies(address, []*http.Cookie{{Name: plainCookie, Value: fixed, Path: "/console"}})
	if a := c.get("/console/objects"); a.status != http.StatusSeeOther ||
		!strings.Contains(a.header.Get("Location"), "&ended=") {
		t.Errorf("a fixed ID: %d to %q", a.status, a.header.Get("Location"))
	}
	if a := c.post("/console/sign-in", url.Values{"key": {opsKey}}); a.status != http.StatusSeeOther {
		t.Fatalf("the sign-in: %d", a.status)
	}
	first := c.session()
	if first == fixed || first == "" {
		t.Fatalf("the session has the fixed ID %q", first)
	}
	if a := c.post("/console/sign-in", url.Values{"key": {opsKey}}); a.status != http.StatusSeeOther {
		t.Fatalf("the second sign-in: %d", a.status)
	}
	second := c.session()
	if second == first {
		t.Error("the second sign-in has the same ID")
	}
	for name, id := range map[string]string{
		"the one before": first, "fixed": fixed, "truncated": second[:len(second)-1], "longer": second + "A",
		"empty": "", "another case": strings.ToUpper(second), "no base64": "%%%", "quoted": `"` + second[1:] + `"`,
	} {
		v := b.visitor(t)
		v.http.Jar.SetCookies(address, []*http.Cookie{{Name: plainCookie, Value: id, Path: "/console"}})
		if a := v.get("/console/objects"); a.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, a.status)
		}
		if a := v.post("/console/share", url.Values{}); a.status != http.StatusUnauthorized {
			t.Errorf("%s: POST gets %d", name, a.status)
		}
	}
	if a := c.get("/console/objects"); a.status != http.StatusOK {
		t.Errorf("the session itself: %d", a.status)
	}
	if log := b.log.String(); strings.Contains(log, first) || strings.Contains(log, second) {
		t.Error("the log has the ID of a session")
	}
}

// Over https, the cookie has the prefix __Host- with all that it requires, and the other
// cookie is not read.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Secure, o.OperatorURL = true, "https://keyhole.example.com" })
	c := b.visitor(t)
	a := c.post("/console/sign-in", url.Values{"key": {opsKey}})
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the cookies: %q", a.header["Set-Cookie"])
	}
	got := cookies[0]
	if got.Name != "__Host-keyhole" || got.Path != "/" || got.Domain != "" || !got.Secure || !got.HttpOnly ||
		got.SameSite != http.SameSiteLaxMode || got.MaxAge != 0 {
		t.Errorf("the cookie: %+v", got)
	}
	for name, want := range map[string]int{secureCookie: http.StatusOK, plainCookie: http.StatusSeeOther} {
		if a := b.visitor(t).do(http.MethodGet, "/console/objects", nil, "Cookie",
			name+"="+got.Value); a.status != want {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	a = c.do(http.MethodPost, "/console/sign-out", nil, "Cookie", secureCookie+"="+got.Value, "Sec-Fetch-Site",
		"same-origin")
	if removed := a.header.Get("Set-Cookie"); !strings.Contains(removed, "__Host-keyhole=;") ||
		!strings.Contains(removed, "Max-Age=0") ||
		!strings.Contains(removed, "Secure") || !strings.Contains(removed, "Path=/") {
		t.Errorf("the sign-out: %q", removed)
	}
	a = b.visitor(t).do(http.MethodGet, "/console/objects", nil, "Cookie", secureCookie+"="+got.Value)
	if a.status != http.StatusSeeOther {
		t.Errorf("after the sign-out, the ID still works: %d", a.status)
	}
}

// A key that leaves the configuration ends its sessions, also if its operator has a new key,
// and also if the key comes back.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	before, other := b.signedIn(t, opsKey), b.signedIn(t, readKey)
	rotated := slices.Clone(b.keys)
	rotated[0].SHA256 = hashOf("new-ops-key")
	b.operators.SetKeys(rotated)
	if a := before.get("/console/objects"); a.status != http.StatusSeeOther {
		t.Errorf("the session of the removed key: %d", a.status)
	}
	if a := other.get("/console/links"); a.status != http.StatusOK {
		t.Errorf("the session of another key: %d", a.status)
	}
	if a := b.signedIn(t, "new-ops-key").get("/console/objects"); a.status != http.StatusOK {
		t.Errorf("the session of the new key: %d", a.status)
	}
	b.operators.SetKeys(b.keys)
	if a := before.get("/console/objects"); a.status != http.StatusSeeOther {
		t.Errorf("the key came back, and its session: %d", a.status)
	}
	// Rights are those of the configuration in force.
	reduced := slices.Clone(b.keys)
	reduced[0].Can, reduced[0].Objects = []gateway.Action{gateway.ActionBrowse}, []gateway.Pattern{"exports/*"}
	c := b.signedIn(t, opsKey)
	b.operators.SetKeys(reduced)
	if a := c.get("/console/links"); a.status != http.StatusForbidden {
		t.Errorf("a right that was taken away: %d", a.status)
	}
	if a := c.get("/console/objects?bucket=reports"); a.status != http.StatusNotFound {
		t.Errorf("a scope that was reduced: %d", a.status)
	}
}

// A session ends when it is idle; an automatic refresh does not keep it.
func TestIdleSession(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	if a := c.do(http.MethodGet, "/console/objects", nil, refreshHeader, "1"); a.status != http.StatusOK {
		t.Fatalf("a refresh: %d", a.status)
	}
	b.sessions.SetLimits(time.Nanosecond, 12*time.Hour)
	if a := c.get("/console/objects"); a.status != http.StatusSeeOther {
		t.Errorf("an idle session: %d", a.status)
	}
	b.sessions.SetLimits(30*time.Minute, time.Nanosecond)
	if a := b.visitor(t).post("/console/sign-in", url.Values{"key": {opsKey}}); a.status == http.StatusSeeOther {
		if a = c.get("/console/objects"); a.status != http.StatusSeeOther {
			t.Errorf("a session at its end: %d", a.status)
		}
	}
}

// Sign-ins and sign-outs are in the audit under the name of the operator.
func TestSignInEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, readKey)
	c.post("/console/sign-out", nil)
	c.post("/console/sign-out", nil) // of nobody
	events := b.audit(t)
	if len(events) != 2 || events[0].Kind != gateway.EventSignedOut || events[1].Kind != gateway.EventSignedIn {
		t.Fatalf("the events: %+v", events)
	}
	for _, event := range events {
		if event.Actor != "reader" || event.Address != "127.0.0.1" {
			t.Errorf("%s by %q from %q", event.Kind, event.Actor, event.Address)
		}
	}
}

// The requests of a session count for the limit of its operator.
func TestRateOfSessions(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	limited := admission.New(admission.Options{
		Keys: b.keys, RequestsPerMinute: 3, Logger: b.console.o.Logger, Now: time.Now,
	})
	b.console.o.Sessions = admission.NewSessions(admission.SessionsOptions{
		Authenticator: limited, Store: b.store, Idle: time.Hour, Max: time.Hour, Logger: b.console.o.Logger, Now: time.Now,
	})
	c := b.signedIn(t, opsKey)
	for range 2 {
		if a := c.get("/console/help"); a.status != http.StatusOK {
			t.Fatalf("within the limit: %d", a.status)
		}
	}
	a := c.get("/console/help")
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" ||
		!strings.Contains(words(a.page), "ops") {
		t.Errorf("over the limit: %d %s", a.status, a.shown())
	}
}

// A form that was sent after the session had ended keeps every field, and is sent again
// only by the operator.
func TestRepeatForm(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := b.signedIn(t, opsKey)
	a := c.get(sharePath)
	form := with(a.fields(t, "/console/share"), "note", "\n\nA note\nof <three> lines\n", "labels", "a=1\nb=2",
		"confirm", "1")
	form["allow"] = []string{"203.0.113.0/24", "second value"}
	if a = c.post("/console/sign-out", nil); a.status != http.StatusSeeOther {
		t.Fatalf("the sign-out: %d", a.status)
	}
	a = c.post("/console/share", form)
	if a.status != http.StatusUnauthorized || !strings.Contains(a.shown(), "What you entered is still here") {
		t.Fatalf("signed out: %d %s", a.status, a.shown())
	}
	again := a.fields(t, "/console/share")
	if len(again) != len(form) {
		t.Errorf("the fields are %v, were %v", again, form)
	}
	for name, values := range form {
		if !slices.Equal(again[name], values) {
			t.Errorf("%s is %q, was %q", name, again[name], values)
		}
	}
	for _, n := range a.all("meta") {
		if has(n, "http-equiv") {
			t.Error("the page acts by itself")
		}
	}
	for _, n := range a.all("form") {
		if has(n, "hx-post") || has(n, "hx-trigger") || has(n, "data-refresh") {
			t.Error("the form is sent by itself")
		}
	}
	if got := a.link("Sign in in a new tab"); !strings.HasPrefix(got, "/console/sign-in?return=") {
		t.Errorf("the sign-in is at %q", got)
	}
	if len(b.links(t)) != 0 {
		t.Error("a link was created")
	}
	c.post("/console/sign-in", url.Values{"key": {opsKey}})
	again["allow"] = []string{"203.0.113.0/24"}
	if a = c.post("/console/share", again); a.status != http.StatusOK || len(b.links(t)) != 1 {
		t.Errorf("sent again: %d %s", a.status, a.shown())
	}
	// A form that is too large is not kept.
	a = b.visitor(t).post("/console/share", url.Values{"note": {strings.Repeat("x", maxForm+1)}})
	if a.status != http.StatusUnauthorized || len(a.text) > maxForm/4 || strings.Contains(a.shown(), "still here") {
		t.Errorf("a large form: %d with %d bytes", a.status, len(a.text))
	}
}

// The form of the sign-in warns if a key would travel unencrypted, and says why it is shown.
func TestSignInNotices(t *testing.T) {
	t.Parallel()
	for _, clear := range []bool{false, true} {
		c := newBench(t, func(o *Options) { o.ClearText = clear }).visitor(t)
		a := c.get("/console/sign-in?ended=")
		if got := strings.Contains(a.shown(), "This connection is not encrypted"); got != clear {
			t.Errorf("clear text %t: the page warns: %t", clear, got)
		}
		if !strings.Contains(a.shown(), "Your session has ended") || len(a.all("nav")) != 0 {
			t.Errorf("after the end of a session: %s", a.shown())
		}
		if a = c.get("/console/sign-in"); strings.Contains(a.shown(), "ended") {
			t.Errorf("the first time: %s", a.shown())
		}
	}
}

// Without Redis, nobody is signed in or out, and the page says what to do.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	store, stop := storetest.OpenWithOutage(t)
	b := newBenchOver(t, store, nil, nil)
	c := b.signedIn(t, opsKey)
	stop()
	for _, a := range []answer{
		c.get("/console/objects"), c.post("/console/share",
			url.Values{"bucket": {"reports"}}), c.post("/console/sign-out", nil),
		b.visitor(t).post("/console/sign-in", url.Values{"key": {opsKey}}),
	} {
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "5" ||
			!strings.Contains(a.shown(), "Redis is unavailable; try again") || a.header.Get("Set-Cookie") != "" {
			t.Errorf("without Redis: %d %s", a.status, a.shown())
		}
	}
	if a := b.visitor(t).get("/console/sign-in"); a.status != http.StatusOK {
		t.Errorf("the form: %d", a.status)
	}
	if c.session() == "" {
		t.Error("the browser has lost a session that was not ended")
	}
}

// Two browsers of one operator have sessions of their own.
func TestTwoBrowsers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	one, two := b.signedIn(t, opsKey), b.signedIn(t, opsKey)
	one.post("/console/sign-out", nil)
	if a := two.get("/console/objects"); a.status != http.StatusOK {
		t.Errorf("the other browser: %d", a.status)
	}
	if _, err := cookiejar.New(nil); err != nil || one.session() != "" {
		t.Errorf("the cookie after the sign-out: %q, %v", one.session(), err)
	}
}

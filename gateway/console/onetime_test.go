package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// The page of the demo signs one browser in, by its button alone.
func TestOneTimeSignIn(t *testing.T) {
	t.Parallel()
	once := NewOneTimeSignIn(opsKey, time.Now)
	b := newBench(t, func(o *Options) { o.OneTimeSignIn = once })
	c := b.visitor(t)
	for range 3 { // Looking has no effect.
		a := c.get(once.Path())
		if forms := a.all("form"); a.status != http.StatusOK || attribute(forms[0], "action") != once.Path() ||
			len(a.all("main")) != 1 || words(a.all("button")[0]) != "Open the console" || a.header.Get("Set-Cookie") != "" {
			t.Fatalf("the page: %d %s", a.status, a.text)
		}
	}
	if a := c.get("/console/objects"); a.status != http.StatusSeeOther {
		t.Fatalf("signed in by looking: %d", a.status)
	}
	for _, wrong := range []string{once.Path() + "A", once.Path()[:len(once.Path())-1], oneTimePath + "x"} {
		if a := c.post(wrong, nil); a.status != http.StatusGone {
			t.Errorf("a wrong secret: %d", a.status)
		}
	}
	if a := c.do(http.MethodPost, once.Path(), url.Values{}, "Sec-Fetch-Site", "cross-site"); a.status !=
		http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	if a := c.post(once.Path(), nil); a.status != http.StatusSeeOther || a.header.Get("Location") != "/console/objects" {
		t.Fatalf("the button: %d %s", a.status, a.text)
	}
	if a := c.get("/console/objects"); a.status != http.StatusOK {
		t.Errorf("signed in: %d", a.status)
	}
	other := b.visitor(t)
	for _, a := range []answer{other.get(once.Path()), other.post(once.Path(), nil)} {
		if a.status != http.StatusGone || a.link("Sign in") != "/console/sign-in" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("the second time: %d %s", a.status, words(a.page))
		}
	}
	if log := b.log.String(); strings.Contains(log, strings.TrimPrefix(once.Path(), oneTimePath)) ||
		strings.Contains(log, "canary") || !strings.Contains(log, `"page":"demo"`) {
		t.Errorf("the log: %s", log)
	}
}

// The sign-in ends after ten minutes, and at the first of many who press at once.
func TestOneTimeSignInEnds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	once := NewOneTimeSignIn(opsKey, func() time.Time { return now })
	secret := strings.TrimPrefix(once.Path(), oneTimePath)
	now = now.Add(10*time.Minute - 1)
	if !once.open(secret) {
		t.Error("it ended before ten minutes")
	}
	now = now.Add(1)
	if once.open(secret) || once.take(secret) {
		t.Error("it works after ten minutes")
	}
	once = NewOneTimeSignIn(opsKey, time.Now)
	secret = strings.TrimPrefix(once.Path(), oneTimePath)
	var pressing sync.WaitGroup
	taken := make(chan bool, 50)
	for range cap(taken) {
		pressing.Go(func() { taken <- once.take(secret) })
	}
	pressing.Wait()
	close(taken)
	n := 0
	for ok := range taken {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of %d were signed in", n, cap(taken))
	}
}

// Other machines have no such page, and neither has a service without the option.
func TestOneTimeSignInIsLocal(t *testing.T) {
	t.Parallel()
	once := NewOneTimeSignIn(opsKey, time.Now)
	b := newBench(t, func(o *Options) {
		o.OneTimeSignIn, o.Proxies = once, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	c := b.visitor(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if a := c.do(method, once.Path(), nil, "X-Forwarded-For", "192.0.2.1"); a.status != http.StatusNotFound {
			t.Errorf("%s from another machine: %d", method, a.status)
		}
	}
	if !once.open(strings.TrimPrefix(once.Path(), oneTimePath)) {
		t.Error("another machine has used it up")
	}
	b = newBench(t, nil)
	c = b.visitor(t)
	for _, a := range []answer{c.get(once.Path()), c.post(once.Path(), nil)} {
		if a.status != http.StatusNotFound {
			t.Errorf("without the option: %d", a.status)
		}
	}
}

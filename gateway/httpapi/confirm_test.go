package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyhole/gateway"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
)

// confirming makes a bench with a link that needs confirmation.
func confirming(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, nil)
	b.store.confirms, b.store.outcome = true, gateway.OutcomePage
	b.store.secrets.Key = [16]byte([]byte("0123456789abcdef"))
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	b.store.spent = gateway.Spent{Outcome: gateway.OutcomeRedirected, Now: now, GrantEnd: now.Add(10 * time.Minute)}
	return b
}

// post sends a form to the link.
func (b *bench) post(form url.Values, headers ...string) answer {
	return ask(b.api.Public(), "POST", "/"+liveToken, form.Encode(),
		append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

func TestConfirmationPage(t *testing.T) {
	t.Parallel()
	for _, headers := range [][]string{{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}, nil} {
		b := confirming(t)
		a := ask(b.api.Public(), "GET", "/"+liveToken, "", headers...)
		if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" || a.header.Get("Set-Cookie") != "" {
			t.Fatalf("got %d as %s", a.status, a.header.Get("Content-Type"))
		}
		policy := a.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "; form-action 'self' https://s3.example.com;") {
			t.Errorf("the form may not lead to the bucket: %s", policy)
		}
		page := pagetest.Parse(t, []byte(a.body))
		if title := pagetest.Text(pagetest.One(t, page, "title")); title != "File link" {
			t.Errorf("the title is %q", title)
		}
		for _, meta := range pagetest.Elements(page, "meta") {
			if strings.Contains(fmt.Sprint(meta.Attr), "q3") {
				t.Errorf("a preview tag names the file: %v", meta.Attr)
			}
		}
		form := pagetest.One(t, page, "form")
		if pagetest.Attribute(form, "method") != "post" || pagetest.Attribute(form, "action") != "" {
			t.Errorf("the form is %v", form.Attr)
		}
		inputs := map[string]string{}
		for _, input := range pagetest.Elements(page, "input") {
			inputs[pagetest.Attribute(input, "name")] = pagetest.Attribute(input, "value")
		}
		if inputs["confirm"] != "1" || len(inputs["nonce"]) != 38 || len(inputs) != 2 {
			t.Errorf("it sends %v", inputs)
		}
		var told []string
		for _, dd := range pagetest.Elements(page, "dd") {
			told = append(told, pagetest.Text(dd))
		}
		const want = "q3.pdf|PDF document|1.2 MB|s3.example.com|1 November 2026, 13:00 UTC"
		if got := strings.Join(told, "|"); !strings.HasPrefix(got, want) || !strings.Contains(got, "|for <you>|") {
			t.Errorf("it says %q, want %q, the distance from now, the note and the reference", got, want)
		}
		if !strings.Contains(a.body, "2 downloads were left") || !strings.Contains(a.body, "Within 10 minutes") {
			t.Errorf("it does not say how often, and how long a download can be resumed:\n%s", a.body)
		}
		pagetest.WantConfined(t, page)
		if n := b.count(t, "keyhole_clicks_total{method=GET,outcome=page}"); n != 1 {
			t.Errorf("counted %v pages", n)
		}
	}
	head := ask(confirming(t).api.Public(), "HEAD", "/"+liveToken, "")
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: got %d with %d bytes", head.status, len(head.body))
	}
}

func TestNonceIsNewOnEachPage(t *testing.T) {
	t.Parallel()
	b := confirming(t)
	first, second := ask(b.api.Public(), "GET", "/"+liveToken, ""), ask(b.api.Public(), "GET", "/"+liveToken, "")
	if first.body == second.body {
		t.Error("two pages have one nonce")
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	b := confirming(t)
	a := b.post(url.Values{"confirm": {"1"}})
	if a.status != 303 || a.header.Get("Location") != presigned || a.body != "" {
		t.Fatalf("got %d to %s", a.status, a.header.Get("Location"))
	}
	wantPublicHeaders(t, "the spending answer", a.header)
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 2 {
		t.Fatalf("got the cookies %v", cookies)
	}
	if mark := cookies[1]; mark.Name != "keyhole_downloaded" || mark.Value != "1" || mark.Path != "/"+liveToken ||
		!mark.HttpOnly || !mark.Secure || mark.SameSite != http.SameSiteLaxMode {
		t.Errorf("the mark of a download is %+v", mark)
	}
	c := cookies[0]
	if c.Name != "keyhole_grant" || c.Path != "/"+liveToken || c.MaxAge != 600 || !c.HttpOnly || !c.Secure ||
		c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %+v", c)
	}
	for method, status := range map[string]int{"GET": 302, "HEAD": 302} {
		resumed := ask(b.api.Public(), method, "/"+liveToken, "", "Cookie", c.Name+"="+c.Value)
		if resumed.status != status || resumed.header.Get("Location") != presigned {
			t.Errorf("%s with the cookie: got %d", method, resumed.status)
		}
	}
	if n := b.count(t, "keyhole_clicks_total{method=GET,outcome=resumed}"); n != 1 {
		t.Errorf("counted %v resumed", n)
	}
	for _, forged := range []string{"", "x", c.Value[1:], "B" + c.Value[1:], c.Value + "A", strings.ToUpper(c.Value)} {
		if a := ask(b.api.Public(), "GET", "/"+liveToken, "", "Accept", "text/html", "Cookie",
			c.Name+"="+forged); a.status != 200 || a.header.Get("Location") != "" {
			t.Errorf("cookie %q: got %d", forged, a.status)
		}
	}
	insecure := newBench(t, func(o *Options) { o.PublicURL = "http://127.0.0.1:8080" })
	insecure.store.confirms, insecure.store.outcome, insecure.store.spent = true, gateway.OutcomePage, b.store.spent
	if a := insecure.post(url.Values{"confirm": {"1"}}); a.status != 303 ||
		strings.Contains(a.header.Get("Set-Cookie"), "Secure") {
		t.Errorf("over http: got %d and %s", a.status, a.header.Get("Set-Cookie"))
	}
}

func TestFormsThatConfirmNothing(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct{ kind, body string }{
		"nothing": {form, ""},
		"no type": {"", "confirm=1"},
		"JSON":    {"application/json", `{"confirm":1}`},
		"multipart": {
			"multipart/form-data; boundary=x",
			"--x\r\nContent-Disposition: form-data; name=\"confirm\"\r\n\r\n1\r\n--x--\r\n",
		},
		"another value":     {form, "confirm=true"},
		"in capitals":       {form, "CONFIRM=1"},
		"twice":             {form, "confirm=1&confirm=1"},
		"two passphrases":   {form, "confirm=1&passphrase=a&passphrase=b"},
		"a broken escape":   {form, "confirm=1&passphrase=%zz"},
		"too large":         {form, "confirm=1&passphrase=" + strings.Repeat("x", 4096)},
		"in the query only": {form, "nonce="},
	} {
		b := confirming(t)
		r := httptest.NewRequest(http.MethodPost, "/"+liveToken+"?confirm=1", strings.NewReader(tt.body))
		r.Header.Set("Accept", "application/json")
		if tt.kind != "" {
			r.Header.Set("Content-Type", tt.kind)
		}
		w := httptest.NewRecorder()
		b.api.Public().ServeHTTP(w, r)
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"bad_request"`) {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
		// A plain link takes no notice of what a POST holds.
		open := newBench(t, nil)
		if a := ask(open.api.Public(), "POST", "/"+liveToken, tt.body, "Content-Type", tt.kind); a.status != 303 {
			t.Errorf("%s: a plain link answers %d", name, a.status)
		}
	}
}

func TestPassphrasePage(t *testing.T) {
	t.Parallel()
	b := confirming(t)
	b.store.secrets.Passphrase = "\x01" + strings.Repeat("k", 48)
	b.store.try = gateway.PassphraseAttempt{Reserved: "try"}
	page := ask(b.api.Public(), "GET", "/"+liveToken, "")
	if !strings.Contains(page.body, `type="password" name="passphrase"`) {
		t.Errorf("there is no field for the passphrase:\n%s", page.body)
	}
	form := url.Values{"confirm": {"1"}, "passphrase": {"passphrase-canary"}}
	wrong := b.post(form, "Accept", "text/html")
	if wrong.status != 403 || !strings.Contains(wrong.body, `role="alert"`) ||
		!strings.Contains(wrong.body, `name="nonce"`) || strings.Contains(wrong.body, "canary") {
		t.Errorf("got %d:\n%s", wrong.status, wrong.body)
	}
	if p := b.post(form, "Accept", "application/json").problem(t); p.Code != "wrong_passphrase" {
		t.Errorf("got %s", p.Code)
	}
	b.store.try = gateway.PassphraseAttempt{Wait: 90*time.Second + time.Millisecond}
	limited := b.post(form, "Accept", "application/json")
	if p := limited.problem(t); p.Code != "rate_limited" || limited.status != 429 ||
		limited.header.Get("Retry-After") != "91" {
		t.Errorf("got %d %s, retry after %s", limited.status, p.Code, limited.header.Get("Retry-After"))
	}
	if strings.Contains(b.log.String(), "canary") {
		t.Errorf("the log holds the passphrase: %s", b.log)
	}
}

func TestMissLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeNotFound
	handler := b.api.Public()
	for range 100 {
		if a := ask(handler, "GET", "/favicon.ico", ""); a.status != 404 {
			t.Fatalf("what cannot be a token: got %d", a.status)
		}
	}
	for i := range 60 {
		if a := ask(handler, "GET", "/"+liveToken, ""); a.status != 404 {
			t.Fatalf("miss %d: got %d", i+1, a.status)
		}
	}
	b.store.outcome = gateway.OutcomeRedirected
	a := ask(handler, "GET", "/"+liveToken, "", "Accept", "application/json")
	if p := a.problem(t); a.status != 429 || p.Code != "rate_limited" || a.header.Get("Retry-After") == "" {
		t.Errorf("a link after 60 misses: got %d", a.status)
	}
	if len(b.store.attempts) != 60 {
		t.Errorf("the store was asked %d times", len(b.store.attempts))
	}
	if n := b.count(t, "keyhole_misses_total{}"); n != 60 {
		t.Errorf("counted %v misses", n)
	}
}

func TestKeyFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	handler := b.api.Operator()
	for i := range 30 {
		if a := ask(handler, "GET", "/api/v1/links", "", "Authorization", "Bearer wrong"); a.status != 401 {
			t.Fatalf("failure %d: got %d", i+1, a.status)
		}
	}
	a := ask(handler, "GET", "/api/v1/links", "", "Authorization", "Bearer wrong")
	if p := a.problem(t); a.status != 429 || p.Code != "rate_limited" || a.header.Get("Retry-After") == "" {
		t.Errorf("after 30 failures: got %d %s", a.status, p.Code)
	}
	if a := ask(handler, "GET", "/api/v1/links", "", "Authorization", "Bearer "+opsKey); a.status != 200 {
		t.Errorf("a right key from there: got %d", a.status)
	}
}

// If the confirmation page cannot be rendered, the recipient gets 503 with all its headers,
// and the log has the cause.
func TestUnwritableAnswer(t *testing.T) {
	t.Parallel()
	for name, render := range map[string]func() ([]byte, error){
		"an error": func() ([]byte, error) { return nil, errors.New("broken template") },
		"a panic":  func() ([]byte, error) { panic("broken template") },
	} {
		b := confirming(t)
		b.api.renderConfirmation = func(*pages.Locale, pages.Confirmation) ([]byte, error) { return render() }
		a := ask(b.api.Public(), "GET", "/"+liveToken, "", "Accept", "text/html, application/json;q=0.9")
		if a.status != 503 || a.header.Get("Retry-After") != "5" || a.header.Get("Set-Cookie") != "" ||
			!strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "Not available now") {
			t.Errorf("%s: got %d %s: %.200s", name, a.status, a.header, a.body)
		}
		if policy := a.header.Get("Content-Security-Policy"); policy != pages.Policy("") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
		if n := b.count(t, "keyhole_clicks_total{method=GET,outcome=unavailable}"); n != 1 {
			t.Errorf("%s: %v clicks are counted as unavailable: %v", name, n, b.counters(t))
		}
		if !strings.Contains(b.log.String(), `"outcome":"unavailable"`) || !strings.Contains(b.log.String(), `"error":"`) {
			t.Errorf("%s: the log says %s", name, b.log)
		}
	}
}

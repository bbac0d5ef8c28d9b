package httpapi

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/pages/pagetest"
)

// cookiesOf returns the cookies that an answer sets, by name.
func cookiesOf(a answer) map[string]*http.Cookie {
	found := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		found[c.Name] = c
	}
	return found
}

// Only a click that a limited link counts marks the browser. The mark belongs to the link
// and is Secure only if recipients come over https.
func TestMarkOfADownload(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		b, _ := shaping(t, func(o *Options) {
			if !secure {
				o.PublicURL = "http://dl.example.com"
			}
		})
		for request, limited := range map[string]bool{
			`{"bucket":"exports","key":"a","pin":"none","max_clicks":2}`:                      true,
			`{"bucket":"exports","key":"a","pin":"none","confirm":true}`:                      false,
			`{"bucket":"exports","key":"a","pin":"none","passphrase":"open sesame"}`:          false,
			`{"bucket":"exports","key":"a","pin":"none"}`:                                     false,
			`{"bucket":"exports","key":"a","pin":"none","max_clicks":1,"passphrase":"sesam"}`: true,
		} {
			path, _ := b.issue(t, request)
			path = path[strings.LastIndexByte(path, '/'):]
			passphrase := "open sesame"
			if strings.Contains(request, "sesam\"") {
				passphrase = "sesam"
			}
			for _, wrong := range []answer{
				ask(b.api.Public(), "HEAD", path, ""), ask(b.api.Public(), "GET", path+"/", ""),
				b.postTo(path, url.Values{}),
			} {
				if c := cookiesOf(wrong)[downloadedCookie]; c != nil {
					t.Errorf("%s: %d sets %v", request, wrong.status, c)
				}
			}
			a := b.postTo(path, url.Values{"confirm": {"1"}, "passphrase": {passphrase}})
			if a.status != 303 {
				t.Fatalf("%s: got %d %s", request, a.status, a.body)
			}
			cookies := cookiesOf(a)
			mark := cookies[downloadedCookie]
			if (mark != nil) != limited || len(cookies) > 2 {
				t.Errorf("%s: the cookies are %v", request, a.header["Set-Cookie"])
			}
			for _, c := range cookies {
				if c.Path != path || !c.HttpOnly || c.Secure != secure || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
					t.Errorf("%s: the cookie %+v", request, c)
				}
			}
			if mark != nil && (mark.Value != "1" || mark.MaxAge != 30*24*3600) {
				t.Errorf("%s: the mark is %+v", request, mark)
			}
		}
	}
}

// postTo sends a form to a path.
func (b *bench) postTo(path string, form url.Values, headers ...string) answer {
	return ask(b.api.Public(), "POST", path, form.Encode(),
		append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// The browser that used up a link reads that it has the file, under the same status and
// code. A forged mark changes the words of a used-up link, and nothing else.
func TestUsedUpByThisBrowser(t *testing.T) {
	t.Parallel()
	b, _ := shaping(t, nil)
	used, _ := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","max_clicks":1}`)
	open, _ := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","max_clicks":1}`)
	secret, _ := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","passphrase":"open sesame"}`)
	revoked, id := b.issue(t, `{"bucket":"exports","key":"a","pin":"none","max_clicks":1}`)
	if a := b.operator(opsKey, "DELETE", "/api/v1/links/"+id, ""); a.status != 200 {
		t.Fatalf("revoke: %d", a.status)
	}
	click := b.postTo(used, url.Values{"confirm": {"1"}})
	mark := cookiesOf(click)[downloadedCookie]
	if click.status != 303 || mark == nil {
		t.Fatalf("got %d with %v", click.status, click.header)
	}
	for _, method := range []string{"GET", "POST"} {
		for _, value := range []string{mark.Value, "", "x", "<b>canary</b>", strings.Repeat("9", 3000)} {
			cookie := []string{"Accept", "text/html", "Cookie", downloadedCookie + "=" + value}
			a := ask(b.api.Public(), method, used, "", cookie...)
			page := pagetest.Parse(t, []byte(a.body))
			title := pagetest.Text(pagetest.One(t, page, "h1"))
			if a.status != 410 || title != "You have downloaded this file" || a.header["Set-Cookie"] != nil ||
				strings.Contains(a.body, "canary") {
				t.Errorf("%s with %.20q: %d %q", method, value, a.status, title)
			}
		}
	}
	for _, path := range []string{used, open, secret, revoked, "/x", "/" + liveToken} {
		for _, accept := range []string{"text/html", "application/json", "*/*"} {
			with := ask(b.api.Public(), "GET", path, "", "Accept", accept, "Cookie", downloadedCookie+"=1")
			without := ask(b.api.Public(), "GET", path, "", "Accept", accept)
			if with.status != without.status || with.header.Get("Location") != "" || with.header["Set-Cookie"] != nil {
				t.Errorf("%s as %s: %d with the mark, %d without", path, accept, with.status, without.status)
			}
			words := path == used && accept == "text/html"
			if path != open && path != secret && (with.body != without.body) != words {
				t.Errorf("%s as %s: the mark changes the words: %v", path, accept, !words)
			}
		}
	}
}

// A client whose address nobody knows reads no address.
func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, client := range []netip.Addr{{}, netip.MustParseAddr("2001:db8::1")} {
		err := b.api.refusalOf(newPageRequest(), &gateway.Attempt{Client: client},
			&gateway.Answer{Outcome: gateway.OutcomeAddressNotAllowed})
		html := writtenPage(t, b, err, newPageRequest())
		var shown []string
		for _, dd := range pagetest.Elements(pagetest.Parse(t, html), "dd") {
			shown = append(shown, pagetest.Text(dd))
		}
		var want []string
		if client.IsValid() {
			want = []string{client.String()}
		}
		if !slices.Equal(shown, want) {
			t.Errorf("%v: the page shows %q, want %q", client, shown, want)
		}
	}
}

// newPageRequest returns the request of a browser.
func newPageRequest() *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/x"}, Header: http.Header{"Accept": {"text/html"}}}
}

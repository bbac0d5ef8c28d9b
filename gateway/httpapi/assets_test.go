package httpapi

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keyhole/gateway"
	"keyhole/gateway/pages"
	"keyhole/gateway/pages/pagetest"
)

// branded makes a bench whose pages have a logo and links.
func branded(t *testing.T, mediaType string) *bench {
	t.Helper()
	return newBench(t, func(o *Options) {
		o.Pages.Branding = pages.Branding{
			Organization: "Example", Logo: pages.Logo{Content: []byte("logo of " + mediaType), MediaType: mediaType},
			Links: []pages.FooterLink{{Name: "Imprint", URL: "https://example.com/imprint"}},
		}
	})
}

// assetPaths returns the paths of the assets that a page loads, by name.
func assetPaths(t *testing.T, address string) map[string]string {
	t.Helper()
	a := wire(t, address, line("GET", "/x", "Accept: text/html"))
	page := pagetest.Parse(t, []byte(a.body))
	found := map[string]string{}
	for n := range page.Descendants() {
		for _, attribute := range []string{"href", "src"} {
			if path := pagetest.Attribute(n, attribute); strings.HasPrefix(path, pages.AssetPrefix) {
				name, _, _ := strings.Cut(strings.TrimPrefix(path, pages.AssetPrefix), ".")
				found[name] = path
			}
		}
	}
	return found
}

// wantAsset fails the test unless an answer is an asset with exactly the headers of one.
func wantAsset(t *testing.T, what string, a answer, mediaType, cache string, length int) {
	t.Helper()
	a.header.Del("Date")
	a.header.Del("Connection")
	want := http.Header{
		"Cache-Control": {cache}, "Content-Security-Policy": {"default-src 'none'; sandbox"},
		"Content-Type": {mediaType}, "Content-Length": {strconv.Itoa(length)},
		"Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"}, "X-Robots-Tag": {"noindex, nofollow"},
	}
	if a.status != 200 || !maps.EqualFunc(a.header, want, slices.Equal) {
		t.Errorf("%s: got %d %v, want %v", what, a.status, a.header, want)
	}
}

// Every asset that a page loads is served for a year. With another hash, the path finds the
// current file, which nobody may keep. Over a real server, GET and HEAD.
func TestAssets(t *testing.T) {
	t.Parallel()
	const forever = "public, max-age=31536000, immutable"
	b := branded(t, "image/png")
	address := serve(t, b.api.Public())
	paths := assetPaths(t, address)
	types := map[string]string{
		"style": "text/css; charset=utf-8", "script": "text/javascript; charset=utf-8", "icon": "image/svg+xml",
		"logo": "image/png",
	}
	if len(paths) != len(types) {
		t.Fatalf("the page loads %v", paths)
	}
	for name, path := range paths {
		get := wire(t, address, line("GET", path))
		wantAsset(t, path, get, types[name], forever, len(get.body))
		hash := strings.Split(path, ".")[1]
		other := strings.Replace(path, hash, "0123456789abcdef", 1)
		for _, target := range []string{path + "?lang=de&" + strings.Repeat("x", 9000), "http://evil.example" + path} {
			a := wire(t, address, line("GET", target, "Accept: text/html"))
			wantAsset(t, target[:20], a, types[name], forever, len(get.body))
		}
		head := wire(t, address, line("HEAD", path))
		wantAsset(t, "HEAD "+path, head, types[name], forever, len(get.body))
		earlier := wire(t, address, line("GET", other))
		wantAsset(t, other, earlier, types[name], "no-store", len(get.body))
		if earlier.body != get.body || head.body != "" || len(get.body) == 0 {
			t.Errorf("%s: %d, %d and %d bytes", path, len(get.body), len(earlier.body), len(head.body))
		}
		for _, method := range []string{"PUT", "OPTIONS", "DELETE", "TRACE", "get"} {
			if a := wire(t, address, line(method, path)); a.status != 405 {
				t.Errorf("%s %s: got %d", method, path, a.status)
			}
		}
		uniform := wire(t, address, line("POST", "/x"))
		if a := wire(t, address, line("POST", path)); a.status != 404 || a.body != uniform.body {
			t.Errorf("POST %s: got %d", path, a.status)
		}
	}
	if len(b.store.attempts) != 0 {
		t.Errorf("the store was asked %+v", b.store.attempts)
	}
}

// Every other path below /-/, and every other spelling of an asset's path, is the usual
// 404, in each form.
func TestPathsThatAreNoAssets(t *testing.T) {
	t.Parallel()
	address := serve(t, branded(t, "image/svg+xml").api.Public())
	style := assetPaths(t, address)["style"]
	logo := assetPaths(t, address)["logo"]
	for _, accept := range []string{"text/html", "application/json", "*/*"} {
		uniform := wire(t, address, line("GET", "/x", "Accept: "+accept))
		uniform.header.Del("Date")
		for _, target := range []string{
			"/-", "/-/", "/-/x", "/-/style", "/-/style.css", "/-/" + liveToken, "/-/%2e%2e/" + liveToken, "/-/../" + liveToken,
			"/-/%2e%2e/", "/-/..", "//-/" + style[3:], "/" + style, "/-//" + style[3:], "/./" + style[1:], style + "/",
			strings.Replace(style, ".css", "%2ecss", 1), strings.Replace(style, "/-/", "/%2d/", 1), style + "%00",
			strings.Replace(style, ".css", ".CSS", 1), strings.ToUpper(style), style + ".map", style + ";x=1", style + "%3f",
			strings.Replace(style, ".css", ".js", 1), style[:len(style)-5] + ".css", "/-/logo.0123456789abcdef.html",
			strings.Replace(logo, ".svg", ".svgz", 1), "/-/style.0123456789abcdeg.css", "/-/.0123456789abcdef.css",
			"/-/style." + strings.Repeat("0", 8000) + ".css", "http://evil.example/" + style, "/-/style%00.0123456789abcdef.css",
			strings.Replace(style, ".", "..", 1), "/-/script.0123456789abcdef.css", "/-\\" + style[3:],
			"/-/é.0123456789abcdef.css",
		} {
			a := wire(t, address, line("GET", target, "Accept: "+accept))
			a.header.Del("Date")
			if a.status != 404 || a.body != uniform.body || !maps.EqualFunc(a.header, uniform.header, slices.Equal) {
				t.Errorf("%.60q as %s: got %d %v", target, accept, a.status, a.header)
			}
		}
	}
}

// A page loads its assets over HTTP/2 too, and gets the same headers.
func TestPagesOverHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(branded(t, "image/png").api.Public())
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS12
	get := func(path string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Accept-Language", "fr")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.ProtoMajor != 2 {
			t.Fatalf("%s: HTTP/%d, %v", path, response.ProtoMajor, err)
		}
		return answer{response.StatusCode, response.Header, string(body), false}
	}
	page := get("/x?lang=ar")
	wantLanguage(t, "HTTP/2", page, "ar")
	wantPublicHeaders(t, "HTTP/2", page.header)
	_, path, _ := strings.Cut(page.body, `<script src="`)
	path, _, _ = strings.Cut(path, `"`)
	script := get(path)
	if script.header.Get("Strict-Transport-Security") != transportPolicy {
		t.Errorf("%s: got %v", path, script.header)
	}
	script.header.Del("Strict-Transport-Security") // beyond what an asset has over plain http
	wantAsset(t, path, script, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", len(script.body))
	if a := get("/-/%2e%2e/x"); a.status != 404 {
		t.Errorf("got %d", a.status)
	}
}

// Over HTTP/1.0 every answer ends its connection, an asset too.
func TestAssetsOverHTTP10(t *testing.T) {
	t.Parallel()
	address := serve(t, branded(t, "image/png").api.Public())
	for name, path := range assetPaths(t, address) {
		request := "GET " + path + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"
		answers := exchange(t, address, request)
		if n := strings.Count(answers, "HTTP/1."); n != 1 || !strings.Contains(answers, "Connection: close") {
			t.Errorf("%s: %d answers:\n%.300s", name, n, answers)
		}
	}
}

// Headers of a stranger are in no answer, and change no more than the language and words.
func TestHostileHeadersOfPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeUsedUp
	public := b.api.Public()
	for _, value := range []string{
		"canary", `"><script>canary</script>`, "de\x00canary", strings.Repeat("canary,", 2000),
		strings.Repeat("-", 5000) + "canary",
		strings.Repeat("a-", 1000) + "canary", "de;q=canary", "*;q=1, canary", "\xff\xfecanary", "canary\u202e",
	} {
		for name, headers := range map[string][]string{
			"Accept-Language": {"Accept-Language", value}, "Cookie": {"Cookie", downloadedCookie + "=" + value},
			"two cookies": {"Cookie", downloadedCookie + "=1; " + downloadedCookie + "=" + value},
			"Accept":      {"Accept", value}, "User-Agent": {"User-Agent", value}, "Referer": {"Referer", value},
			"X-Forwarded-For": {"X-Forwarded-For", value}, "X-Forwarded-Host": {"X-Forwarded-Host", value},
		} {
			token := liveToken[:21] + strconv.Itoa(len(value)%8+1)
			a := ask(public, "GET", "/"+token, "", append(headers, "Accept", "text/html")...)
			if all := fmt.Sprint(a.header) + a.body; strings.Contains(all, "canary") || a.status != 410 && a.status != 429 {
				t.Errorf("%s %.30q: got %d %.200s", name, value, a.status, all)
			}
			if language := a.header.Get("Content-Language"); language != "en" && language != "de" {
				t.Errorf("%s %.30q: a page in %q", name, value, language)
			}
		}
	}
}

package httpapi

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway"
)

// flipped returns liveToken with the case of its letters swapped: another token.
func flipped() string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, liveToken)
}

// Request targets are sent unchanged over a real connection, because a client library would
// correct them.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	address := serve(t, b.api.Public())
	uniform := wire(t, address, line("GET", "/x"))
	tok := "/" + liveToken
	for _, target := range []string{
		"/", "//", tok + "/", "/" + tok, "/a/.." + tok, "/." + tok, tok + "/..", "/%2e%2e", "/%2e" + tok, "/a%2Fb",
		"/%2F" + liveToken,
		tok + "%00", tok + "%20", tok + "+", tok + "%0d%0aSet-Cookie:x=1", "/%ff%fe", "/é", "/\xff\xfe", tok + ";x=1",
		tok + "%3Fa",
		tok + "%23a", tok + "#a", "/" + liveToken[:21], tok + "1", "/%34" + liveToken[1:], "/" + strings.Repeat("%34", 22),
		"/" + gateway.IDOf(liveToken).String(), "/" + strings.ToUpper(gateway.IDOf(liveToken).String()),
		"/" + flipped()[:21] + "0",
		"/*", "*", "/?", "/[a]", "/{tag}", "/" + strings.Repeat("*", 22), "/" + strings.Repeat("?", 22), "/:token",
		"/" + liveToken[:21] + "l",
		"/" + strings.Repeat("A", 16<<10), "http://evil.example/", "http://evil.example//" + liveToken,
		"http://evil.example" + tok + "/", "http://evil.example/%34" + liveToken[1:],
		"/api/v1/links", "/metrics", "/console/", "/robots.txt/", "/ROBOTS.TXT", "//robots.txt", "/%72obots.txt",
	} {
		a := wire(t, address, line("GET", target))
		if a.status != 404 || a.body != uniform.body || len(a.header) != len(uniform.header) {
			t.Errorf("%.60q: got %d %v, want the uniform 404", target, a.status, a.header)
		}
		wantPublicHeaders(t, fmt.Sprintf("%.60q", target), a.header)
	}
	if len(b.store.attempts) != 0 {
		t.Errorf("the store was asked %d times for what cannot be a token", len(b.store.attempts))
	}
	// What cannot be read as a request target at all ends before any handler.
	for _, target := range []string{"/%zz", "/%", "/%4", tok + "%", "/%zz" + tok} {
		if a := wire(t, address, line("GET", target)); a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%q: got %d", target, a.status)
		}
	}
}

func TestTargetsThatAreTheLink(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/" + liveToken, "/" + liveToken + "?x=1", "/" + liveToken + "?", "/" + liveToken + "?/../%zz&" +
			strings.Repeat("y", 1000),
		"http://evil.example/" + liveToken, "https://evil.example:444/" + liveToken + "?x=1",
	} {
		b := newBench(t, nil)
		a := wire(t, serve(t, b.api.Public()), line("GET", target))
		if a.status != 302 || !slices.Equal(a.header["Location"], []string{presigned}) {
			t.Errorf("%.60q: got %d to %q", target, a.status, a.header["Location"])
		}
		if len(b.store.attempts) != 1 || b.store.attempts[0].ID != gateway.IDOf(liveToken) {
			t.Errorf("%.60q: the store was asked %+v", target, b.store.attempts)
		}
	}
	// A token in another case has the shape of one, so the store is asked for it
	// and not for the other.
	b := newBench(t, nil)
	b.store.outcome = gateway.OutcomeNotFound
	other := strings.ReplaceAll(liveToken, "Q", "q")
	if a := wire(t, serve(t, b.api.Public()), line("GET", "/"+other)); a.status != 404 ||
		b.store.attempts[0].ID == gateway.IDOf(liveToken) {
		t.Errorf("got %d, %+v", a.status, b.store.attempts)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	address := serve(t, b.api.Public())
	requests := []string{
		line("OPTIONS", "*"), line("CONNECT", "dl.example.com:443"), line("CONNECT", "/"+liveToken),
		line("PRI", "*"), line("OPTIONS", "/robots.txt"), line("PUT", "/x"),
	}
	for _, method := range []string{
		"OPTIONS", "TRACE", "FOO", "PUT", "DELETE", "PATCH", "get", "Head", "PROPFIND",
		strings.Repeat("A", 1000),
	} {
		requests = append(requests, line(method, "/"+liveToken), line(method, "/x"))
	}
	var first answer
	for i, request := range requests {
		a := wire(t, address, request)
		if i == 0 {
			first = a
		}
		// The same for live and dead, and for what is no path at all.
		if a.status != 405 || a.header.Get("Allow") != "GET, HEAD, POST" || a.body != first.body {
			t.Errorf("%.40q: got %d, Allow %q, %.40q", request, a.status, a.header.Get("Allow"), a.body)
		}
		wantPublicHeaders(t, fmt.Sprintf("%.40q", request), a.header)
	}
	if len(b.store.attempts) != 0 {
		t.Errorf("the store was asked %+v", b.store.attempts)
	}
	if n := b.count(t, "keyhole_clicks_total{method=other,outcome=method_not_allowed}"); n != float64(len(requests)) {
		t.Errorf("counted %v, want %d", n, len(requests))
	}
	for _, header := range []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: HEAD", "X-Method-Override: POST"} {
		if a := wire(t, address, line("GET", "/"+liveToken, header)); a.status != 302 {
			t.Errorf("%s: got %d", header, a.status)
		}
	}
	for _, attempt := range b.store.attempts {
		if attempt.Method != "GET" {
			t.Errorf("a GET was judged as %s", attempt.Method)
		}
	}
}

func TestPostWithABody(t *testing.T) {
	t.Parallel()
	address := serve(t, newBench(t, nil).api.Public())
	for _, body := range []string{"confirm=1", "", "<xml>", strings.Repeat("x", 64<<10)} {
		request := line("POST", "/"+liveToken, "Content-Type: application/x-www-form-urlencoded",
			fmt.Sprintf("Content-Length: %d", len(body))) + body
		if a := wire(t, address, request); a.status != 303 || a.header.Get("Location") != presigned {
			t.Errorf("%d bytes: got %d", len(body), a.status)
		}
	}
}

func TestRequestsThatMeanTwoThings(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	address := serve(t, b.api.Public())
	for name, request := range map[string]string{
		"two lengths":     line("POST", "/"+liveToken, "Content-Length: 1", "Content-Length: 2") + "ab",
		"no host":         "GET /" + liveToken + " HTTP/1.1\r\nConnection: close\r\n\r\n",
		"two hosts":       line("GET", "/"+liveToken, "Host: evil.example"),
		"space in a name": line("GET", "/"+liveToken, "Host : evil.example"),
	} {
		if a := wire(t, address, request); a.status != 400 {
			t.Errorf("%s: got %d", name, a.status)
		}
	}
	if len(b.store.attempts) != 0 {
		t.Errorf("the store was asked %+v", b.store.attempts)
	}
	// Length and chunks at once: answered, and the connection ends with it.
	both := "POST /" + liveToken + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" +
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
	if a := wire(t, address, both); a.status != 303 || !a.closed {
		t.Errorf("length and chunks: got %d, closed: %v", a.status, a.closed)
	}
}

func TestPrefetchNeverCounts(t *testing.T) {
	t.Parallel()
	tests := map[[2]string]int{
		{"Sec-Purpose", "prefetch"}: 400, {"Sec-Purpose", "prefetch;prerender"}: 400,
		{"Sec-Purpose", "Prefetch; anonymous-client-ip"}: 400, {"Sec-Purpose", " prefetch "}: 400,
		{"Purpose", "prefetch"}: 400, {"Purpose", "Prefetch"}: 400, {"Purpose", "preview"}: 400,
		{"X-Purpose", "preview"}: 400, {"X-Purpose", "prefetch"}: 400, {"X-Purpose", ": preview"}: 400,
		{"X-moz", "prefetch"}: 400,
		{"Sec-Purpose", ""}:   302, {"Sec-Purpose", "prerender"}: 302, {"Sec-Purpose", "navigate"}: 302,
		{"Sec-Purpose", "prefetching"}: 302,
		{"Purpose", ""}:                302, {"Purpose", "download"}: 302, {"X-Purpose", "prefetching"}: 302,
		{"X-moz", "1"}: 302,
	}
	for header, status := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			b := newBench(t, nil)
			a := ask(b.api.Public(), method, "/"+liveToken, "", header[0], header[1])
			if a.status != status {
				t.Errorf("%q, %s: got %d, want %d", header, method, a.status, status)
			}
			if asked := len(b.store.attempts); (asked == 1) != (status == 302) {
				t.Errorf("%q, %s: the store was asked %d times", header, method, asked)
			}
		}
	}
	// A second line of the header counts too.
	if a := ask(newBench(t, nil).api.Public(), "GET", "/"+liveToken, "", "Purpose", "x", "Purpose",
		"prefetch"); a.status != 400 {
		t.Errorf("in the second line: got %d", a.status)
	}
	// The shape is judged first: nothing is said about what cannot be a token.
	if a := ask(newBench(t, nil).api.Public(), "GET", "/x", "", "Sec-Purpose", "prefetch"); a.status != 404 {
		t.Errorf("malformed: got %d", a.status)
	}
}

// A confirmation in a wrong form and a link that a browser loaded ahead of its user are both
// bad_request, each with its own text.
func TestBadRequestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := confirming(t)
	const multipart = "--x\r\nContent-Disposition: form-data; name=\"confirm\"\r\n\r\n1\r\n--x--\r\n"
	form := ask(b.api.Public(), "POST", "/"+liveToken, multipart, "Content-Type", "multipart/form-data; boundary=x",
		"Accept", "application/json")
	p := form.problem(t)
	if form.status != 400 || p.Code != "bad_request" ||
		!strings.Contains(p.Detail, "application/x-www-form-urlencoded") || strings.Contains(p.Detail, "in advance") {
		t.Errorf("a multipart form: %d %s %q", form.status, p.Code, p.Detail)
	}
	ahead := ask(b.api.Public(), "GET", "/"+liveToken, "", "Sec-Purpose", "prefetch", "Accept", "application/json")
	p = ahead.problem(t)
	if ahead.status != 400 || p.Code != "bad_request" || !strings.Contains(p.Detail, "in advance") ||
		strings.Contains(p.Detail, "confirm") {
		t.Errorf("a prefetch: %d %s %q", ahead.status, p.Code, p.Detail)
	}
}

// No answer lets a page of another site read it. So such a page cannot learn where a link
// leads, or fetch an object in the name of its visitor.
func TestNoCrossOrigin(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
		a := ask(b.api.Public(), method, "/"+liveToken, "", "Origin", "https://app.example.com",
			"Access-Control-Request-Method", "GET")
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Cross-Origin-Resource-Policy" {
				t.Errorf("%s: %d with %s", method, a.status, name)
			}
		}
		if method == "OPTIONS" && a.status != 405 {
			t.Errorf("a preflight: got %d", a.status)
		}
	}
}

func TestForgedHostNeverReachesAnAnswer(t *testing.T) {
	t.Parallel()
	headers := []string{
		"Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "Forwarded",
		"host=evil.example;proto=gopher",
		"X-Original-Url", "/evil.example", "X-Rewrite-Url", "/evil.example", "X-Forwarded-Prefix", "/evil.example",
		"Origin", "https://evil.example",
	}
	b := newBench(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	click := ask(b.api.Public(), "GET", "http://evil.example/"+liveToken, "", headers...)
	refusal := ask(b.api.Public(), "GET", "http://evil.example/x", "", append(headers, "Accept", "text/html")...)
	issue := ask(b.api.Operator(), "POST", "http://evil.example/api/v1/links", `{"bucket":"exports","key":"a"}`,
		append(headers, "Authorization", "Bearer "+opsKey, "Content-Type", "application/json")...)
	if click.header.Get("Location") != presigned {
		t.Errorf("the click goes to %q", click.header.Get("Location"))
	}
	if issue.status != 201 || !strings.Contains(issue.body, `"url":"https://dl.example.com/`) ||
		!strings.HasPrefix(issue.header.Get("Location"), "/api/v1/links/") {
		t.Errorf("the issue answers %d: %s", issue.status, issue.body)
	}
	for _, a := range []answer{click, refusal, issue} {
		if all := fmt.Sprint(a.header) + a.body; strings.Contains(all, "evil") || strings.Contains(all, "gopher") {
			t.Errorf("the answer holds what was forged: %s", all)
		}
	}
}

func TestForwardedAddress(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat("203.0.113.9,", 10000), ",")
	tests := []struct {
		name, proxies, peer string
		forwarded           []string
		want                string
	}{
		{"no proxies", "", "192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1"},
		{"no proxies, from loopback", "", "127.0.0.1:1", []string{"203.0.113.9"}, "127.0.0.1"},
		{"another proxy", "10.0.0.0/8", "192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1"},
		{"private, not configured", "10.0.0.0/8", "172.16.0.1:1", []string{"203.0.113.9"}, "172.16.0.1"},
		{"loopback, not configured", "10.0.0.0/8", "127.0.0.1:1", []string{"203.0.113.9"}, "127.0.0.1"},
		{"the proxy", "10.0.0.0/8", "10.1.1.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"the proxy without a word", "10.0.0.0/8", "10.1.1.1:1", nil, "10.1.1.1"},
		{"forged before the proxy's", "10.0.0.0/8", "10.1.1.1:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"forged in a line of its own", "10.0.0.0/8", "10.1.1.1:1", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		{"a chain of proxies", "10.0.0.0/8", "10.1.1.1:1", []string{"198.51.100.1, 203.0.113.9, 10.2.2.2"}, "203.0.113.9"},
		{"IPv6", "2001:db8::/32", "[2001:db8::1]:1", []string{"2001:db9::7"}, "2001:db9::7"},
		{"mapped", "10.0.0.0/8", "[::ffff:10.1.1.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"markup", "10.0.0.0/8", "10.1.1.1:1", []string{"<script>"}, "10.1.1.1"},
		{"a zone", "10.0.0.0/8", "10.1.1.1:1", []string{"::1%eth0"}, "10.1.1.1"},
		{"a port", "10.0.0.0/8", "10.1.1.1:1", []string{"203.0.113.9:8080"}, "203.0.113.9"},
		{"IPv6 in brackets", "10.0.0.0/8", "10.1.1.1:1", []string{"[2001:db9::7]"}, "2001:db9::7"},
		{"IPv6 with a port", "10.0.0.0/8", "10.1.1.1:1", []string{"[2001:db9::7]:443"}, "2001:db9::7"},
		{"garbage before the proxy's", "10.0.0.0/8", "10.1.1.1:1", []string{"\x00, <script>, 203.0.113.9"}, "203.0.113.9"},
		{"garbage between proxies", "10.0.0.0/8", "10.1.1.1:1", []string{"203.0.113.9, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"proxies alone", "10.0.0.0/8", "10.1.1.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"nothing", "10.0.0.0/8", "10.1.1.1:1", []string{""}, "10.1.1.1"},
		{"commas", "10.0.0.0/8", "10.1.1.1:1", []string{",,,"}, "10.1.1.1"},
		{"10,000 entries", "10.0.0.0/8", "10.1.1.1:1", []string{many}, "203.0.113.9"},
		{"10,000 entries of a stranger", "10.0.0.0/8", "192.0.2.1:1", []string{many}, "192.0.2.1"},
		{"a peer without an address", "", "@", nil, ""},
		{"a peer with a zone", "", "[fe80::1%eth0]:1", nil, "fe80::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *Options) {
				if tt.proxies != "" {
					o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tt.proxies)}
				}
			})
			askFrom(b, tt.peer, tt.forwarded)
			if len(b.store.attempts) != 1 || b.store.attempts[0].Address != tt.want {
				t.Errorf("got %+v, want %s", b.store.attempts, tt.want)
			}
			if strings.Contains(b.log.String(), "script") || strings.Contains(b.log.String(), "eth0") {
				t.Errorf("the log holds what was forged: %s", b.log)
			}
		})
	}
}

// A peer on this host or in a private network that sends X-Forwarded-For and is not a trusted
// proxy causes one warning. Peers elsewhere may send anything and cause none.
func TestForgottenProxy(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]int{
		"10.1.1.1:1": 1, "192.168.0.9:1": 1, "[fd00::1]:1": 1, // private
		"127.0.0.1:1": 1, "[::1]:1": 1, "[::ffff:127.0.0.1]:1": 1, // on the same host
		"169.254.1.1:1": 1, "[fe80::1%eth0]:1": 1, // link-local
		"100.64.0.1:1": 1, "100.127.255.255:1": 1, // carrier-grade NAT, also the addresses of overlay networks
		"203.0.113.1:1": 0, "100.63.255.255:1": 0, "100.128.0.0:1": 0, "[2001:db8::1]:1": 0, // strangers
		"172.16.0.1:1": 0, // a proxy that is configured
	} {
		b := newBench(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")} })
		askFrom(b, peer, nil)
		if log := b.log.String(); strings.Contains(log, "public.trusted_proxies") {
			t.Errorf("%s: a warning about a peer that passes nothing on: %s", peer, log)
		}
		for range 3 {
			askFrom(b, peer, []string{"203.0.113.9"})
		}
		if got := strings.Count(b.log.String(), "public.trusted_proxies"); got != want {
			t.Errorf("%s: %d warnings, want %d: %s", peer, got, want, b.log)
		}
	}
}

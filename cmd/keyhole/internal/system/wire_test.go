//go:build system

package system

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRawRequests sends requests byte for byte, as no well-behaved client would.
// TOK stands for the token of a live link: only what is exactly its path opens
// it, and nothing in a request reaches the Location.
func TestRawRequests(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := share(t, g)
	token := link.URL[strings.LastIndexByte(link.URL, '/')+1:]
	for _, tt := range slices.Concat(rawClicks(), rawMisses(link.ID, token), rawRefusals()) {
		tt.send(t, g, token, in.s3.Endpoint()+"/reports/file.txt?")
	}
	// GET, POST, two with a query, the absolute form and four with odd headers.
	if shown, err := g.client.Show(t.Context(), link.ID); err != nil || shown.Clicks != 8 {
		t.Errorf("%d clicks, %v; want 8", shown.Clicks, err)
	}
}

// rawRequest is a request as it is sent, and the status of its answer.
type rawRequest struct {
	line    string // of the request, without HTTP/1.1
	headers string
	want    int
}

// send sends the request and checks its answer. Only the answer to a click redirects, to a
// URL that begins with object.
func (tt *rawRequest) send(t *testing.T, g *instance, token, object string) {
	t.Helper()
	line := strings.ReplaceAll(tt.line, "TOK", token)
	a := raw(t, g.public, line+" HTTP/1.1\r\nHost: evil.example\r\n"+tt.headers+"Connection: close\r\n\r\n")
	name := fmt.Sprintf("%.60s %.40s", tt.line, tt.headers)
	if a.status != tt.want {
		t.Errorf("%s: %d, want %d", name, a.status, tt.want)
	}
	redirects := a.status == http.StatusFound || a.status == http.StatusSeeOther
	if strings.HasPrefix(a.location, object) != redirects {
		t.Errorf("%s: %d with Location %q", name, a.status, a.location)
	}
	if a.status == http.StatusMethodNotAllowed && a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("%s: Allow %q", name, a.header.Get("Allow"))
	}
	if a.status != 431 && !strings.Contains(line, "%zz") && a.header.Get("Cache-Control") != "no-store, no-transform" {
		t.Errorf("%s: Cache-Control %q", name, a.header.Get("Cache-Control"))
	}
}

// rawClicks are requests that open the link.
func rawClicks() []rawRequest {
	return []rawRequest{
		{"GET /TOK", "", 302},
		{"HEAD /TOK", "", 302},
		{"POST /TOK", "Content-Length: 0\r\n", 303},
		{"GET /TOK?x=1", "", 302},
		{"GET /TOK?", "", 302},
		{"GET http://evil.example/TOK", "", 302},
		{"GET /TOK", "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\nForwarded: host=evil.example\r\n", 302},
		{"GET /TOK", "X-HTTP-Method-Override: DELETE\r\n", 302},
		{"GET /TOK", "X-Forwarded-For: <script>, ::1%eth0, 10.0.0.1\r\n", 302},
	}
}

// rawMisses are requests for other paths than the link's, and clicks that a browser makes
// ahead of its user.
func rawMisses(id, token string) []rawRequest {
	return []rawRequest{
		{"GET /", "", 404},
		{"GET /x", "", 404},
		{"GET /TOK/", "", 404},
		{"GET //TOK", "", 404},
		{"GET /a/../TOK", "", 404},
		{"GET /./TOK", "", 404},
		{"GET /%2e%2e", "", 404},
		{"GET /a%2Fb", "", 404},
		{"GET /TOK%00", "", 404},
		{"GET /TOK%20", "", 404},
		{"GET /TOK+", "", 404},
		{"GET /TOK%0d%0aSet-Cookie:x", "", 404},
		{"GET /%ff%fe", "", 404},
		{"GET /\xc3\xa9", "", 404},
		{"GET /TOK;x=1", "", 404},
		{"GET /TOK%3Fa", "", 404},
		{"GET /TOK#a", "", 404},
		{"GET /" + id, "", 404},
		{"GET /" + otherCase(token), "", 404},
		{"GET /%" + strconv.FormatInt(int64(token[0]), 16) + token[1:], "", 404}, // the token, its first letter escaped
		{"GET /*", "", 404},
		{"GET /[a]", "", 404},
		{"GET /{" + token[:20] + "}", "", 404},
		{"GET /metrics", "", 404},
		{"GET /api/v1/links", "", 404},
		{"GET /livez", "", 404},
		{"GET /%zz", "", 400},
		{"GET /TOK", "Sec-Purpose: prefetch\r\n", 400},
		{"GET /TOK", "Sec-Purpose: prefetch;prerender\r\n", 400},
	}
}

// otherCase returns a token whose first letter has the other case.
func otherCase(token string) string {
	flipped := []byte(token)
	for i, c := range flipped {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			flipped[i] = c ^ 0x20
			break
		}
	}
	return string(flipped)
}

// rawRefusals are methods that the listener does not have, and requests that are too large.
func rawRefusals() []rawRequest {
	return []rawRequest{
		{"OPTIONS /TOK", "", 405},
		{"OPTIONS /x", "", 405},
		{"OPTIONS *", "", 405},
		{"PUT /TOK", "Content-Length: 0\r\n", 405},
		{"DELETE /TOK", "", 405},
		{"PATCH /TOK", "Content-Length: 0\r\n", 405},
		{"TRACE /TOK", "", 405},
		{"CONNECT evil.example:443", "", 405},
		{"FOO /TOK", "", 405},

		{"GET /" + strings.Repeat("1", 70<<10), "", 431},
		{"GET /TOK", "X-Large: " + strings.Repeat("x", 33<<10) + "\r\n", 431},
	}
}

// A request whose end a proxy may find elsewhere ends its connection: what the proxy
// may have taken for a second request is not answered, and is no click.
func TestSmuggledRequest(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	link := share(t, g)
	click := "GET " + strings.TrimPrefix(link.URL, g.public) + " HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, base := range []string{g.public, g.operator} {
		for _, first := range []string{
			"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"POST /x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"GET /x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
			"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		} {
			connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(connection, first+click)
			answers, err := io.ReadAll(connection)
			if n := strings.Count(string(answers), "HTTP/1."); err != nil || n != 1 {
				t.Errorf("%.40q: %v, %d answers, want 1:\n%s", first, err, n, answers)
			}
		}
	}
	if shown, err := g.client.Show(t.Context(), link.ID); err != nil || shown.Clicks != 0 {
		t.Errorf("%d clicks, %v, want 0", shown.Clicks, err)
	}
}

// raw sends one request byte for byte.
func raw(t *testing.T, base, request string) answer {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server that has heard enough may close before it has read everything.
	_, _ = io.WriteString(connection, request)
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.40q: %v", request, err)
	}
	defer response.Body.Close()
	return answer{status: response.StatusCode, header: response.Header, location: response.Header.Get("Location")}
}

// Both listeners speak TLS, and metrics have an address of their own, where the
// configuration says so.
func TestListeners(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	ca := newAuthority(t)
	g, apart := in.startWithTLS(ca)
	c := unfollowed()
	c.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.roots, MinVersion: tls.VersionTLS12}}
	for url, want := range map[string]int{
		"http://" + apart + "/metrics":                 http.StatusOK,
		"http://" + apart + "/livez":                   http.StatusOK,
		"http://" + apart + "/readyz":                  http.StatusOK,
		"http://" + apart + "/api/v1/links":            http.StatusNotFound,
		"https" + g.operator[4:] + "/metrics":          http.StatusNotFound,
		"https" + g.operator[4:] + "/livez":            http.StatusNotFound,
		"https" + g.operator[4:] + "/api/v1/links":     http.StatusUnauthorized,
		"https" + g.public[4:] + "/favicon.ico":        http.StatusNotFound,
		"https" + g.public[4:] + "/robots.txt":         http.StatusOK,
		"http" + g.public[4:] + "/robots.txt":          http.StatusBadRequest, // plain HTTP on a TLS port
		"https" + g.operator[4:] + "/api/v1/nowhere":   http.StatusNotFound,
		"https" + g.operator[4:] + "/console/anything": http.StatusNotFound,
	} {
		a, err := ask(t.Context(), c, http.MethodGet, url, nil)
		if err != nil || a.status != want {
			t.Errorf("%s: %d, %v; want %d", url, a.status, err, want)
		}
	}
}

package httpapi

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// askRaw sends one request as it is and returns the answer.
func askRaw(t *testing.T, address, request string) (status int, header http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const fields = "\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n"
	if _, err := conn.Write([]byte(request + fields)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return response.StatusCode, response.Header
}

// The redirect keeps the path byte by byte, and never takes the host from the client.
func TestRedirectToHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(NewRedirect("https://dl.example.com", nil))
	server.Config.DisableGeneralOptionsHandler = true // as in package listen
	server.Start()
	defer server.Close()
	const base = "https://dl.example.com"
	for request, want := range map[string]string{
		"GET / HTTP/1.1":                              "/",
		"GET /TOKEN HTTP/1.1":                         "/TOKEN",
		"HEAD /TOKEN HTTP/1.1":                        "/TOKEN",
		"POST /TOKEN HTTP/1.1":                        "/TOKEN",
		"FOO /TOKEN HTTP/1.1":                         "/TOKEN",
		"GET /TOKEN?x=1&url=//evil.example HTTP/1.1":  "/TOKEN",
		"GET /TOKEN?lang=de HTTP/1.1":                 "/TOKEN?lang=de",
		"GET /TOKEN?lang=de%0d%0aX:y HTTP/1.1":        "/TOKEN",
		"GET /TOKEN?lang=de&x=1 HTTP/1.1":             "/TOKEN?lang=de",
		"GET //evil.example/x HTTP/1.1":               "//evil.example/x",
		"GET ///evil.example HTTP/1.1":                "///evil.example",
		"GET /\\evil.example HTTP/1.1":                "/%5Cevil.example",
		"GET /@evil.example HTTP/1.1":                 "/@evil.example",
		"GET http://evil.example/TOKEN HTTP/1.1":      "/TOKEN",
		"GET http://evil.example HTTP/1.1":            "/",
		"GET http:evil.example HTTP/1.1":              "/",
		"OPTIONS * HTTP/1.1":                          "/",
		"CONNECT evil.example:443 HTTP/1.1":           "/",
		"GET /a%2Fb%0d%0aSet-Cookie:x HTTP/1.1":       "/a%2Fb%0d%0aSet-Cookie:x",
		"GET /a/../%2e%2e/b HTTP/1.1":                 "/a/../%2e%2e/b",
		"GET /%ff%fe HTTP/1.1":                        "/%ff%fe",
		"GET /TOKEN%00 HTTP/1.1":                      "/TOKEN%00",
		"GET /TOKEN#x HTTP/1.1":                       "/TOKEN%23x",
		"GET /.well-known/acme-challenge HTTP/1.1":    "/.well-known/acme-challenge",
		"GET /.well-known/acme-challengex HTTP/1.1":   "/.well-known/acme-challengex",
		"GET /x/.well-known/acme-challenge/ HTTP/1.1": "/x/.well-known/acme-challenge/",
	} {
		status, header := askRaw(t, server.Listener.Addr().String(), request)
		if status != http.StatusFound || header.Get("Location") != base+want ||
			header.Get("Cache-Control") != "no-store, no-transform" || header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", request, status, header)
		}
	}
	status, _ := askRaw(t, server.Listener.Addr().String(), "GET /%zz HTTP/1.1")
	if status != http.StatusBadRequest {
		t.Errorf("an invalid escape: %d", status)
	}
}

// Challenges go to their own handler. Without one they are not found, and not redirected.
func TestRedirectChallenges(t *testing.T) {
	challenges := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("answer to " + r.URL.Path))
	})
	for name, tt := range map[string]struct {
		challenges http.Handler
		status     int
		body       string
	}{
		"without": {nil, http.StatusNotFound, "404 page not found\n"},
		"with":    {challenges, http.StatusOK, "answer to /.well-known/acme-challenge/abc"},
	} {
		answer := httptest.NewRecorder()
		NewRedirect("https://dl.example.com", tt.challenges).ServeHTTP(answer,
			httptest.NewRequest(http.MethodGet, "/.well-known/acme-challenge/abc", strings.NewReader("")))
		if answer.Code != tt.status || answer.Body.String() != tt.body ||
			!strings.Contains(answer.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("%s: %d %q %v", name, answer.Code, answer.Body, answer.Header())
		}
	}
}

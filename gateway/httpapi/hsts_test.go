package httpapi

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Strict-Transport-Security is sent over https only, and a client cannot forge the scheme.
func TestStrictTransport(t *testing.T) {
	for name, tt := range map[string]struct {
		peer, forwarded string
		tls, want       bool
	}{
		"https":                         {peer: "192.0.2.1:1", tls: true, want: true},
		"plain http":                    {peer: "192.0.2.1:1"},
		"https at a proxy":              {peer: "10.0.0.1:1", forwarded: "https", want: true},
		"plain http at a proxy":         {peer: "10.0.0.1:1", forwarded: "http"},
		"a client that claims https":    {peer: "192.0.2.1:1", forwarded: "https"},
		"a proxy that says two schemes": {peer: "10.0.0.1:1", forwarded: "https, http"},
	} {
		a := &API{o: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
		request := httptest.NewRequest(http.MethodGet, "/x", nil)
		request.RemoteAddr = tt.peer
		if tt.tls {
			request.TLS = &tls.ConnectionState{}
		}
		if tt.forwarded != "" {
			request.Header.Set("X-Forwarded-Proto", tt.forwarded)
		}
		answer := httptest.NewRecorder()
		a.strictTransport(http.NotFoundHandler()).ServeHTTP(answer, request)
		got := answer.Header().Get("Strict-Transport-Security")
		if (got == transportPolicy) != tt.want || len(got) > 0 != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

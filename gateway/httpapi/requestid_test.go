package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"keyhole/gateway"
)

// askOperatorFrom sends a request from a peer. headers are names and values in turn.
func askOperatorFrom(b *bench, peer, target string, headers ...string) answer {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr = peer
	r.Header.Set("Authorization", "Bearer "+opsKey)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.api.Operator().ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// Every answer to an operator has a name, and the log has the same name.
func TestRequestsHaveNames(t *testing.T) {
	t.Parallel()
	generated := regexp.MustCompile(`^[a-z2-7]{26}$`)
	b := newBench(t, nil)
	seen := map[string]bool{}
	for _, target := range []string{"/api/v1/links", "/api/v1/links?state=x", "/api/v1/none", "/", "/livez"} {
		a := askOperatorFrom(b, "192.0.2.9:1", target)
		name := a.header.Get("X-Request-Id")
		if !generated.MatchString(name) || seen[name] {
			t.Errorf("%s: %q", target, name)
		}
		seen[name] = true
		if a.status >= 400 && a.problem(t).RequestID != name {
			t.Errorf("%s: the problem names %q, the header %q", target, a.problem(t).RequestID, name)
		}
		if logged := strings.Contains(b.log.String(), `"request_id":"`+name+`"`); logged != (target != "/livez") {
			t.Errorf("%s: in the log: %v", target, logged)
		}
	}
	b.store.err = gateway.ErrUnavailable
	if a := askOperatorFrom(b, "192.0.2.9:1", "/api/v1/links"); a.status != 503 ||
		a.problem(t).RequestID != a.header.Get("X-Request-Id") || a.header.Get("X-Request-Id") == "" {
		t.Errorf("while Redis is away: %d %s", a.status, a.body)
	}
	if a := ask(b.api.Public(), "GET", "/"+liveToken, ""); a.header.Get("X-Request-Id") != "" {
		t.Error("a recipient's answer has a name")
	}
}

// Only a trusted proxy names a request, and only with a well-formed name.
func TestNamesOfClients(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.OperatorProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	const trusted, other = "192.0.2.9:1", "198.51.100.9:1"
	tests := []struct {
		peer, sent string
		kept       bool
	}{
		{trusted, "a", true},
		{trusted, "Abc.-_09", true},
		{trusted, strings.Repeat("x", 64), true},
		{other, "abc", false},
		{trusted, strings.Repeat("x", 65), false},
		{trusted, "", false},
		{trusted, "a b", false},
		{trusted, "a\nlevel=ERROR", false},
		{trusted, "é", false},
		{trusted, "a/b", false},
		{trusted, "a,b", false},
	}
	for _, tt := range tests {
		a := askOperatorFrom(b, tt.peer, "/api/v1/links", "X-Request-Id", tt.sent)
		if got := a.header["X-Request-Id"]; len(got) != 1 || (got[0] == tt.sent) != tt.kept || got[0] == "" {
			t.Errorf("%q from %s: got %q", tt.sent, tt.peer, got)
		}
	}
	a := askOperatorFrom(b, trusted, "/api/v1/links", "X-Request-Id", "one", "X-Request-Id", "two")
	if name := a.header.Get("X-Request-Id"); name == "one" || name == "two" {
		t.Errorf("two names: got %q", name)
	}
}

// The address of an operator behind a trusted proxy is the address that the proxy reports.
func TestOperatorBehindAProxy(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.OperatorProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	for peer, want := range map[string]string{
		"192.0.2.9:1": "203.0.113.7", // from X-Forwarded-For
		"10.0.0.1:1":  "10.0.0.1",    // not a trusted proxy
	} {
		askOperatorFrom(b, peer, "/api/v1/links", "X-Forwarded-For", "198.51.100.1, 203.0.113.7")
		lines := b.lines(t)
		if got := lines[len(lines)-1]["address"]; got != want {
			t.Errorf("from %s: the log has %v, want %s", peer, got, want)
		}
	}
}

package request

import (
	"net/http"
	"net/netip"
	"regexp"
	"testing"
)

// The client is the peer, unless the peer is a trusted proxy: then it is the newest address
// that no trusted proxy has.
func TestClient(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, tt := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":              {"192.0.2.1:7", []string{"203.0.113.7"}, "192.0.2.1"},
		"a proxy":               {"10.0.0.1:7", []string{"203.0.113.7"}, "203.0.113.7"},
		"forged before":         {"10.0.0.1:7", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"two proxies":           {"10.0.0.1:7", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"two headers":           {"10.0.0.1:7", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		"with a port":           {"10.0.0.1:7", []string{"[2001:db9::1]:443"}, "2001:db9::1"},
		"not an address":        {"10.0.0.1:7", []string{"203.0.113.7, unknown"}, "10.0.0.1"},
		"a zone":                {"10.0.0.1:7", []string{"fe80::1%eth0"}, "10.0.0.1"},
		"a header of the proxy": {"10.0.0.1:7", nil, "10.0.0.1"},
		"IPv4 as IPv6":          {"[::ffff:192.0.2.1]:7", nil, "192.0.2.1"},
		"an IPv6 proxy":         {"[2001:db8::1]:7", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Header: http.Header{}, RemoteAddr: tt.peer}
			if tt.forwarded != nil {
				r.Header["X-Forwarded-For"] = tt.forwarded
			}
			if got := Client(r, proxies); got != netip.MustParseAddr(tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	if got := Client(&http.Request{RemoteAddr: "@"}, proxies); got.IsValid() {
		t.Errorf("a peer without an address: %s", got)
	}
}

// Only a trusted proxy names a request, with a well-formed name.
func TestID(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	drawn := regexp.MustCompile(`^[a-z2-7]{26}$`)
	for name, tt := range map[string]struct {
		peer string
		sent []string
		kept bool
	}{
		"of a proxy":        {"10.0.0.1:7", []string{"abc-1.2_3"}, true},
		"of no proxy":       {"192.0.2.1:7", []string{"abc"}, false},
		"two names":         {"10.0.0.1:7", []string{"abc", "def"}, false},
		"empty":             {"10.0.0.1:7", []string{""}, false},
		"with a line break": {"10.0.0.1:7", []string{"a\nb"}, false},
		"longer than 64":    {"10.0.0.1:7", []string{string(make([]byte, 65))}, false},
		"none":              {"10.0.0.1:7", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{Header: http.Header{IDHeader: tt.sent}, RemoteAddr: tt.peer}
			first, second := ID(r, proxies), ID(r, proxies)
			if tt.kept != (first == second) || tt.kept && first != tt.sent[0] || !tt.kept && !drawn.MatchString(first) {
				t.Errorf("got %q and %q", first, second)
			}
		})
	}
}

// Chunked requests and HTTP/1.0 are ambiguous.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		r    http.Request
		want bool
	}{
		"plain":    {http.Request{ProtoMajor: 1, ProtoMinor: 1}, false},
		"HTTP/2":   {http.Request{ProtoMajor: 2}, false},
		"HTTP/1.0": {http.Request{ProtoMajor: 1}, true},
		"chunked":  {http.Request{ProtoMajor: 1, ProtoMinor: 1, TransferEncoding: []string{"chunked"}}, true},
	} {
		if got := Ambiguous(&tt.r); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

package request

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// FuzzForwardedFor checks that X-Forwarded-For has no effect from a peer that is not a
// trusted proxy, and that from a trusted proxy the client is one of its addresses.
func FuzzForwardedFor(f *testing.F) {
	for _, value := range []string{
		"203.0.113.7", "<script>, ::1%eth0", "10.0.0.1, [2001:db8::1]:443", ",,,",
		"10.0.0.1,203.0.113.7,10.0.0.2", "::ffff:203.0.113.7",
	} {
		f.Add(value, "203.0.113.9")
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, first, second string) {
		r := &http.Request{Header: http.Header{"X-Forwarded-For": {first, second}}, RemoteAddr: "192.0.2.1:1"}
		if got := Client(r, proxies); got != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%q, %q of no proxy: %s", first, second, got)
		}
		r.RemoteAddr = "10.1.2.3:1"
		got := Client(r, proxies)
		if got == netip.MustParseAddr("10.1.2.3") {
			return
		}
		named := false
		for entry := range strings.SplitSeq(first+","+second, ",") {
			addr, ok := forwarded(strings.Trim(entry, " \t"))
			named = named || ok && addr == got
		}
		if !got.IsValid() || got.Zone() != "" || !named {
			t.Errorf("%q, %q: %s, which nobody has named", first, second, got)
		}
	})
}

package audit_test

import (
	"net/netip"
	"testing"

	"keyhole/gateway/audit"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, address        string
		full, truncated, off string
	}{
		{"IPv4", "192.0.2.77", "192.0.2.77", "192.0.2.0/24", ""},
		{"IPv4 in IPv6", "::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24", ""},
		{"IPv6", "2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48", ""},
		{"zone", "fe80::1%eth0", "fe80::1", "fe80::/48", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := netip.MustParseAddr(tt.address)
			for privacy, want := range map[audit.Privacy]string{
				audit.PrivacyFull: tt.full, audit.PrivacyTruncated: tt.truncated, audit.PrivacyOff: tt.off,
			} {
				if got := privacy.Address(addr); got != want {
					t.Errorf("%s: got %q, want %q", privacy, got, want)
				}
			}
		})
	}
}

func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	for _, privacy := range []audit.Privacy{audit.PrivacyFull, audit.PrivacyTruncated, audit.PrivacyOff} {
		if got := privacy.Address(netip.Addr{}); got != "" {
			t.Errorf("%s keeps %q of no address", privacy, got)
		}
	}
}

func TestParsePrivacy(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"full", "truncated", "off"} {
		if p, err := audit.ParsePrivacy(good); err != nil || string(p) != good {
			t.Errorf("%q: got %q, %v", good, p, err)
		}
	}
	for _, bad := range []string{"", "Full", "hashed", "none"} {
		if p, err := audit.ParsePrivacy(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, p)
		}
	}
}

package audit_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"keyhole/gateway/audit"
)

// keys hands out the day itself as its key, or err.
type keys struct {
	err   error
	asked []string
}

func (k *keys) DailyKey(_ context.Context, day string) ([]byte, error) {
	k.asked = append(k.asked, day)
	return []byte(day), k.err
}

// keep writes an address as p keeps it.
func keep(p audit.Privacy, addr netip.Addr) string {
	return audit.NewKeeper(p, nil, time.Now).Address(addr)
}

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
				if got := keep(privacy, addr); got != want {
					t.Errorf("%s: got %q, want %q", privacy, got, want)
				}
			}
		})
	}
}

func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	for _, privacy := range []audit.Privacy{audit.PrivacyFull, audit.PrivacyTruncated, audit.PrivacyOff} {
		if got := keep(privacy, netip.Addr{}); got != "" {
			t.Errorf("%s keeps %q of no address", privacy, got)
		}
	}
}

// TestHashed sees addresses hashed under a key of the day: the same for one address
// on one day, another for another, and none while there is no key.
func TestHashed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 23, 59, 0, 0, time.FixedZone("", -3600)) // the 2nd in UTC
	source := &keys{err: errors.New("away")}
	keeper := audit.NewKeeper(audit.PrivacyHashed, source, func() time.Time { return now })
	one, other := netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("192.0.2.78")
	if err := keeper.Refresh(t.Context()); !errors.Is(err, source.err) {
		t.Errorf("refresh while the keys are away: %v", err)
	}
	if got := keeper.Address(one); got != "" {
		t.Errorf("without a key it keeps %q", got)
	}
	source.err, source.asked = nil, nil
	for range 3 {
		if err := keeper.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(source.asked) != 2 || source.asked[0] != "2026-11-02" || source.asked[1] != "2026-11-03" {
		t.Errorf("asked for %v, want today and tomorrow once", source.asked)
	}
	// printf 192.0.2.77 as 4 bytes | openssl dgst -sha256 -hmac 2026-11-02
	const want = "hash:f516afc169bbe6b1"
	first := keeper.Address(one)
	if first != want || keeper.Address(netip.MustParseAddr("::ffff:192.0.2.77")) != want {
		t.Errorf("hashed %q, want %q", first, want)
	}
	if keeper.Address(other) == first {
		t.Error("two addresses have one hash")
	}
	now = now.Add(24 * time.Hour)
	if second := keeper.Address(one); second == first || second == "" {
		t.Errorf("the next day it is %q, the day before %q", second, first)
	}
	now = now.Add(48 * time.Hour)
	if got := keeper.Address(one); got != "" {
		t.Errorf("days later, without a key of that day, it keeps %q", got)
	}
}

func TestParsePrivacy(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"full", "truncated", "hashed", "off"} {
		if p, err := audit.ParsePrivacy(good); err != nil || string(p) != good {
			t.Errorf("%q: got %q, %v", good, p, err)
		}
	}
	for _, bad := range []string{"", "Full", "hash", "none"} {
		if p, err := audit.ParsePrivacy(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, p)
		}
	}
}

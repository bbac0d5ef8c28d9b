package gateway

import (
	"net/netip"
	"testing"
)

// An address selects itself and the recorded networks that contain it, and a network
// selects what overlaps it. A hash selects itself only.
func TestAddressFilter(t *testing.T) {
	t.Parallel()
	today := func(netip.Addr) string { return "hash:0011223344556677" }
	for _, tt := range []struct {
		filter   string
		recorded func(netip.Addr) string
		selects  []string
		others   []string
	}{
		{"192.0.2.7", nil, []string{"192.0.2.7", "192.0.2.0/24"}, []string{"192.0.2.8", "198.51.100.0/24", "", "hash:00"}},
		{"::ffff:192.0.2.7", nil, []string{"192.0.2.7"}, []string{"192.0.2.8"}},
		{"192.0.2.7", today, []string{"192.0.2.7", "hash:0011223344556677"}, []string{"hash:1111223344556677", ""}},
		{"192.0.2.77/24", nil, []string{"192.0.2.1", "192.0.2.0/24", "192.0.0.0/16"}, []string{"192.0.3.1", "192.0.3.0/24"}},
		{"2001:db8::/32", nil, []string{"2001:db8::1", "2001:db8:1::/48"}, []string{"2001:db9::1", "192.0.2.7"}},
		{"hash:0011", nil, []string{"hash:0011"}, []string{"hash:00112", "192.0.2.7", ""}},
	} {
		f, err := ParseAddressFilter(tt.filter, tt.recorded)
		if err != nil {
			t.Errorf("%s: %v", tt.filter, err)
		}
		for want, all := range map[bool][]string{true: tt.selects, false: tt.others} {
			for _, recorded := range all {
				if got := f.Selects(recorded); got != want {
					t.Errorf("%s selects %q: %v", tt.filter, recorded, got)
				}
			}
		}
	}
	for _, bad := range []string{"", "hash:", "192.0.2", "192.0.2.0/33", "fe80::1%eth0", "example.com"} {
		if _, err := ParseAddressFilter(bad, nil); err == nil {
			t.Errorf("%q is a filter", bad)
		}
	}
	if !(AddressFilter{}).Selects("") {
		t.Error("the zero value selects no event without an address")
	}
}

// A query that no event can match is refused before the store is asked.
func TestContradictoryAudit(t *testing.T) {
	t.Parallel()
	for want, queries := range map[bool][]AuditQuery{
		true: {
			{Actor: "ci", Outcome: OutcomeExpired},
			{Kind: EventIssued, Outcome: OutcomeExpired},
			{Kind: EventErased, Outcome: OutcomeExpired},
			{Kind: EventRefused, Actor: "ci"},
		},
		false: {
			{},
			{Actor: "ci"},
			{Outcome: OutcomeExpired},
			{Kind: EventRevoked, Actor: "ci"},
			{Kind: EventErased, Actor: "ci"},
			{Kind: EventRefused, Outcome: OutcomeExpired},
		},
	} {
		for _, q := range queries {
			f := newFixture(t, nil)
			_, err := f.service.Audit(t.Context(), everything(), q)
			if (err != nil) != want || want && f.store.calls != 0 {
				t.Errorf("%+v: %v after %d calls", q, err, f.store.calls)
			}
		}
	}
}

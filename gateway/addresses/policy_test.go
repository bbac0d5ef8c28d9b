package addresses_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"keyhole/gateway/addresses"
)

// keys returns the day itself as its key, together with err.
type keys struct {
	err   error
	asked []string
}

func (k *keys) DailyKey(_ context.Context, day string) ([]byte, error) {
	k.asked = append(k.asked, day)
	return []byte(day), k.err
}

// format returns addr as a policy of that mode records it.
func format(m addresses.Mode, addr netip.Addr) string {
	return addresses.NewPolicy(m, nil, time.Now).Format(addr)
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
			for mode, want := range map[addresses.Mode]string{
				addresses.ModeFull: tt.full, addresses.ModeTruncated: tt.truncated, addresses.ModeOff: tt.off,
			} {
				if got := format(mode, addr); got != want {
					t.Errorf("%s: got %q, want %q", mode, got, want)
				}
			}
		})
	}
}

func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	for _, mode := range []addresses.Mode{addresses.ModeFull, addresses.ModeTruncated, addresses.ModeOff} {
		if got := format(mode, netip.Addr{}); got != "" {
			t.Errorf("%s records %q for no address", mode, got)
		}
	}
}

// One address has one hash on one day, and another hash on the next day. Two addresses
// have two hashes. Without a key nothing is recorded.
func TestHashed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 23, 59, 0, 0, time.FixedZone("", -3600)) // the 2nd in UTC
	source := &keys{err: errors.New("unavailable")}
	policy := addresses.NewPolicy(addresses.ModeHashed, source, func() time.Time { return now })
	one, other := netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("192.0.2.78")
	if err := policy.Refresh(t.Context()); !errors.Is(err, source.err) {
		t.Errorf("refresh while the keys are unavailable: %v", err)
	}
	if got := policy.Format(one); got != "" {
		t.Errorf("without a key it records %q", got)
	}
	source.err, source.asked = nil, nil
	for range 3 {
		if err := policy.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(source.asked) != 2 || source.asked[0] != "2026-11-02" || source.asked[1] != "2026-11-03" {
		t.Errorf("asked for %v, want today and tomorrow once", source.asked)
	}
	// printf 192.0.2.77 as 4 bytes | openssl dgst -sha256 -hmac 2026-11-02
	const want = "hash:f516afc169bbe6b1"
	first := policy.Format(one)
	if first != want || policy.Format(netip.MustParseAddr("::ffff:192.0.2.77")) != want {
		t.Errorf("hashed %q, want %q", first, want)
	}
	if policy.Format(other) == first {
		t.Error("two addresses have one hash")
	}
	now = now.Add(24 * time.Hour)
	if second := policy.Format(one); second == first || second == "" {
		t.Errorf("the next day it is %q, the day before %q", second, first)
	}
	now = now.Add(48 * time.Hour)
	if got := policy.Format(one); got != "" {
		t.Errorf("days later, without a key of that day, it records %q", got)
	}
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"full", "truncated", "hashed", "off"} {
		if p, err := addresses.ParseMode(good); err != nil || string(p) != good {
			t.Errorf("%q: got %q, %v", good, p, err)
		}
	}
	for _, bad := range []string{"", "Full", "hash", "none"} {
		if p, err := addresses.ParseMode(bad); err == nil {
			t.Errorf("%q is parsed as %q", bad, p)
		}
	}
}

// Format uses the key that Refresh fetched a day before, so that no click waits at midnight.
func TestHashedAcrossMidnight(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 23, 59, 59, 0, time.UTC)
	source := &keys{}
	policy := addresses.NewPolicy(addresses.ModeHashed, source, func() time.Time { return now })
	if err := policy.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	now, source.asked = now.Add(time.Second), nil
	if got := policy.Format(netip.MustParseAddr("192.0.2.77")); got == "" || len(source.asked) != 0 {
		t.Errorf("just after midnight it records %q and asks for %v", got, source.asked)
	}
}

// Addresses are formatted while the keys are refreshed. The race detector watches.
func TestFormatWhileRefreshing(t *testing.T) {
	t.Parallel()
	policy := addresses.NewPolicy(addresses.ModeHashed, &keys{}, time.Now)
	var both sync.WaitGroup
	both.Go(func() {
		for range 100 {
			if err := policy.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	both.Go(func() {
		for range 100 {
			policy.Format(netip.MustParseAddr("192.0.2.77"))
		}
	})
	both.Wait()
}

// Forms has what Format records in every mode.
func TestForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	source := &keys{}
	hashed := addresses.NewPolicy(addresses.ModeHashed, source, func() time.Time { return now })
	if err := hashed.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	var known [][]byte
	for _, day := range addresses.KeyDays(now) {
		key, err := source.DailyKey(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, key)
	}
	for _, text := range []string{"203.0.113.9", "::ffff:203.0.113.9", "2001:db8:1:2::9"} {
		addr := netip.MustParseAddr(text)
		forms := addresses.Forms(addr, known)
		for _, want := range []string{
			hashed.Format(addr), addresses.NewPolicy(addresses.ModeFull, nil, time.Now).Format(addr),
			addresses.NewPolicy(addresses.ModeTruncated, nil, time.Now).Format(addr),
		} {
			if want == "" || !slices.Contains(forms, want) {
				t.Errorf("%s: %q is not in %q", text, want, forms)
			}
		}
	}
	if days := addresses.KeyDays(now); days[0] != "2026-11-02" || days[len(days)-1] != "2026-10-29" {
		t.Errorf("the days are %v", days)
	}
}

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFileOfTheGreatestSize reads a file of just the limit, and no larger one.
func TestFileOfTheGreatestSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyhole.yaml")
	if err := os.WriteFile(file, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]bool{4095: false, 4096: true, 4097: true} {
		if data, _, err := readFile(file, limit); (err == nil) != want || err == nil && len(data) != 4096 {
			t.Errorf("with a limit of %d: %d bytes, %v", limit, len(data), err)
		}
	}
}

// TestShortestCaps shortens presets that are not stated to the shortest caps.
func TestShortestCaps(t *testing.T) {
	c, _, err := loadText(minimal+"policy: {caps: {sensitive: 1s, not_stated: 1s, not_sensitive: 1s}}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Policy.Presets; p != (Presets{time.Second, time.Second, time.Second, time.Second}) {
		t.Errorf("the presets are %+v", p)
	}
}

// TestRequestsPerMinute takes numbers from none to a million.
func TestRequestsPerMinute(t *testing.T) {
	for value, want := range map[string]bool{"-1": false, "0": true, "1": true, "1000000": true, "1000001": false} {
		if _, _, err := loadText(minimal, nil, "KEYHOLE_OPERATOR_REQUESTS_PER_MINUTE="+value); (err == nil) != want {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// TestSameHost compares hosts of two listeners on one port. A name is not resolved: it is
// the same as that name only.
func TestSameHost(t *testing.T) {
	for hosts, want := range map[[2]string]bool{
		{"127.0.0.1", "localhost"}:           true,
		{"127.0.0.1", "127.0.0.2"}:           false,
		{"127.0.0.1", "0.0.0.0"}:             true,
		{"::1", "0.0.0.0"}:                   false,
		{"::1", "::"}:                        true,
		{"192.0.2.1", ""}:                    true,
		{"a.example", "A.EXAMPLE"}:           true,
		{"a.example", "b.example"}:           false,
		{"a.example", "0.0.0.0"}:             false,
		{"a.example", "::"}:                  false,
		{"a.example", "192.0.2.1"}:           false,
		{"0.0.0.0", "::ffff:192.0.2.1"}:      true,
		{"::ffff:192.0.2.1", "192.0.2.1"}:    true,
		{"::ffff:192.0.2.1", "198.51.100.1"}: false,
	} {
		for _, pair := range [][2]string{hosts, {hosts[1], hosts[0]}} {
			if got := sameHost(pair[0], pair[1]); got != want {
				t.Errorf("%q and %q are the same: %v", pair[0], pair[1], got)
			}
		}
	}
}

func TestQuoteIsShort(t *testing.T) {
	for n, want := range map[int]string{60: strings.Repeat("é", 60), 61: strings.Repeat("é", 60) + "…"} {
		if got := quote(strings.Repeat("é", n)); got != `"`+want+`"` {
			t.Errorf("of %d characters: %s", n, got)
		}
	}
}

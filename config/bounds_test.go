package config

import (
	"os"
	"path/filepath"
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

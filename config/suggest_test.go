package config

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	keys := []string{"addresses", "username", "password_file", "timeout", "tls", "mode", "url"}
	for name, want := range map[string]string{
		"adresses":               "addresses",
		"timeuot":                "timeout",
		"time":                   "timeout",
		"user":                   "username",
		"TIMEOUT":                "",
		"ulr":                    "url",
		"ur":                     "url",
		"u":                      "",
		"tsl":                    "tls",
		"mod":                    "mode",
		"tim":                    "timeout",
		"pass":                   "password_file",
		"xyz":                    "",
		"":                       "",
		"colour":                 "",
		"passwordfile":           "password_file",
		strings.Repeat("a", 5e6): "",
	} {
		if got := Nearest(name, keys); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "abd", 1},
		{"abc", "acb", 1},
		{"abcd", "acbx", 2},
		{"abc", "ab", 1},
		{"ab", "abc", 1},
		{"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

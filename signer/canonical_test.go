package signer

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestAppendEscapedEveryByte holds each of the 256 bytes against the rule as
// AWS words it, not against the masks.
func TestAppendEscapedEveryByte(t *testing.T) {
	const kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for i := range 256 {
		in := string([]byte{byte(i)})
		want := fmt.Sprintf("%%%02X", i)
		if i < 128 && strings.Contains(kept, in) {
			want = in
		}
		if got := string(appendEscaped(nil, in, false)); got != want {
			t.Errorf("query: byte %#02x: got %q, want %q", i, got, want)
		}
		if in == "/" {
			want = "/"
		}
		if got := string(appendEscaped(nil, in, true)); got != want {
			t.Errorf("path: byte %#02x: got %q, want %q", i, got, want)
		}
	}
}

func TestAppendEscaped(t *testing.T) {
	for _, c := range []struct {
		in, path, query string
	}{
		{"", "", ""},
		{"plain-key_1.txt~", "plain-key_1.txt~", "plain-key_1.txt~"},
		{"a b", "a%20b", "a%20b"},
		{"a+b", "a%2Bb", "a%2Bb"},
		{"a//b/", "a//b/", "a%2F%2Fb%2F"},
		{"%2e%2e/x", "%252e%252e/x", "%252e%252e%2Fx"},
		{"100%", "100%25", "100%25"},
		{"?#&;='\"\\", "%3F%23%26%3B%3D%27%22%5C", "%3F%23%26%3B%3D%27%22%5C"},
		{"é", "%C3%A9", "%C3%A9"},         // NFC
		{"e\u0301", "e%CC%81", "e%CC%81"}, // NFD
		{"🔑", "%F0%9F%94%91", "%F0%9F%94%91"},
		{"\xff\xfe", "%FF%FE", "%FF%FE"},
	} {
		if got := string(appendEscaped([]byte("pre"), c.in, true)); got != "pre"+c.path {
			t.Errorf("path of %q: got %q, want %q", c.in, got, "pre"+c.path)
		}
		if got := string(appendEscaped(nil, c.in, false)); got != c.query {
			t.Errorf("query of %q: got %q, want %q", c.in, got, c.query)
		}
		if back, err := url.PathUnescape(c.path); err != nil || back != c.in {
			t.Errorf("path of %q comes back as %q, %v", c.in, back, err)
		}
	}
}

func TestAppendParameter(t *testing.T) {
	if got := string(appendParameter([]byte("a=1"), "b", "x y/z")); got != "a=1&b=x%20y%2Fz" {
		t.Errorf("got %q", got)
	}
	if got := string(appendParameter([]byte("a=1"), "b", "")); got != "a=1" {
		t.Errorf("an empty value: got %q", got)
	}
}

func TestHasDotSegment(t *testing.T) {
	for path, want := range map[string]bool{
		".": true, "..": true, "a/.": true, "a/..": true, "./a": true, "../a": true, "a/./b": true, "a/../b": true,
		"/..": true, "../": true,
		"": false, "/": false, "...": false, "a..": false, "..a": false, "a/..b/c": false, ".a": false, "a//b": false,
		"%2e%2e/x": false, `..\a`: false,
	} {
		if got := hasDotSegment(path); got != want {
			t.Errorf("hasDotSegment(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestHasControl(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "a b": false, "é": false, "\u0080": false,
		"\x00": true, "a\r\nSet-Cookie: x": true, "\t": true, "\x1f": true, "\x7f": true,
	} {
		if got := hasControl(s); got != want {
			t.Errorf("hasControl(%q) = %v, want %v", s, got, want)
		}
	}
}

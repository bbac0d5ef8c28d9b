package httpapi

import (
	"strings"
	"testing"
)

func TestMediaRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		item, media string
		weight      float64
	}{
		{"text/html", "text/html", 1},
		{" Text/HTML ", "text/html", 1},
		{"text/html;q=0.5", "text/html", .5},
		{"text/html ; Q = 0.5", "text/html", .5},
		{"text/html;level=1;q=0.25", "text/html", .25},
		{"text/html;q=0", "text/html", 0},
		{"text/html;q=1.000", "text/html", 1},
		{"text/html;charset=utf-8", "text/html", 1},
		{"text/html;q=", "text/html", 0},
		{"text/html;q=x", "text/html", 0},
		{"text/html;q=-1", "text/html", 0},
		{"text/html;q=2", "text/html", 0},
		{"text/html;q=NaN", "text/html", 0},
		{"text/html;q=Inf", "text/html", 0},
		{"text/html;q=1e400", "text/html", 0},
		{"*/*;q=0.1", "*/*", .1},
		{"", "", 1},
		{";", "", 1},
		{";q=0.5", "", .5},
	}
	for _, tt := range tests {
		if media, weight := mediaRange(tt.item); media != tt.media || weight != tt.weight {
			t.Errorf("%q: got %q %v, want %q %v", tt.item, media, weight, tt.media, tt.weight)
		}
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		headers []string
		want    form
	}{
		{nil, formText},
		{[]string{""}, formText},
		{[]string{"*/*"}, formText},
		{[]string{"text/plain"}, formText},
		{[]string{"text/*"}, formText},
		{[]string{"image/avif,image/webp,*/*;q=0.8"}, formText},
		{[]string{"text/html"}, formHTML},
		{[]string{"application/xhtml+xml"}, formHTML},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, formHTML}, // browsers
		{[]string{"text/html;q=0.1"}, formHTML},
		{[]string{"application/json"}, formJSON},
		{[]string{"application/problem+json"}, formJSON},
		{[]string{"application/*"}, formJSON},
		{[]string{"application/json, text/plain, */*"}, formJSON}, // axios
		{[]string{"application/json;q=0.9, text/html;q=0.8"}, formJSON},
		{[]string{"application/json;q=0.8, text/html;q=0.9"}, formHTML},
		{[]string{"application/json, text/html"}, formHTML},
		{[]string{"application/json", "text/html;q=0.5"}, formJSON},
		{[]string{"text/html;q=0"}, formText},
		{[]string{"text/html;q=0, application/json;q=0.1"}, formJSON},
		{[]string{"application/json;q=0, text/html;q=0"}, formText},
		{[]string{"text/html;q=nonsense"}, formText},
		{[]string{"TEXT/HTML"}, formHTML},
		{[]string{"text/htmlx", "xtext/html"}, formText},
		{[]string{strings.Repeat("text/html;q=0,", 2000) + "application/json"}, formJSON},
	}
	for _, tt := range tests {
		if got := accepted(tt.headers); got != tt.want {
			t.Errorf("%.80q: got %d, want %d", tt.headers, got, tt.want)
		}
	}
}

func FuzzAccepted(f *testing.F) {
	for _, seed := range []string{"text/html", "a/b;q=0.5,*/*", ";;;,,,", "application/json;q=1;q=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := accepted([]string{header})
		lower := strings.ToLower(header)
		if got == formHTML && !strings.Contains(lower, "html") || got == formJSON &&
			!strings.Contains(lower, "application/") {
			t.Errorf("%q: got %d, which it does not name", header, got)
		}
	})
}

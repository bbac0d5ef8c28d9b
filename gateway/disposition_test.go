package gateway

import (
	"mime"
	"strings"
	"testing"
)

func TestContentDisposition(t *testing.T) {
	t.Parallel()
	tests := []struct {
		disposition, filename, want string
	}{
		{"attachment", "q3.pdf", `attachment; filename="q3.pdf"`},
		{"inline", "q3 (final).pdf", `inline; filename="q3 (final).pdf"`},
		{"attachment", "größe.txt", `attachment; filename="gr__e.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt`},
		{"attachment", "📄.txt", `attachment; filename="_.txt"; filename*=UTF-8''%F0%9F%93%84.txt`},
		{
			"attachment", `a"; filename=x.exe`,
			`attachment; filename="a_; filename=x.exe"; filename*=UTF-8''a%22%3B%20filename%3Dx.exe`,
		},
		{"attachment", `a\b`, `attachment; filename="a_b"; filename*=UTF-8''a%5Cb`},
		{"attachment", "100%41.txt", `attachment; filename="100_41.txt"; filename*=UTF-8''100%2541.txt`},
		{"attachment", "a'b;c.txt", `attachment; filename="a'b;c.txt"`},
		{"attachment", "~ azAZ09!.txt", `attachment; filename="~ azAZ09!.txt"`},
		{
			"attachment", "é`azAZ09!~{@[/:",
			"attachment; filename=\"_`azAZ09!~{@[/:\"; filename*=UTF-8''%C3%A9`azAZ09!~%7B%40%5B%2F%3A",
		},
		{"attachment", "é\u0080\u007f ", `attachment; filename="___ "; filename*=UTF-8''%C3%A9%C2%80%7F%20`},
		{"inline", "", `inline; filename=""`},
	}
	for _, tt := range tests {
		if got := contentDisposition(tt.disposition, tt.filename); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.filename, got, tt.want)
		}
	}
}

// Go's own parser of RFC 2231 and 6266 must read back exactly the name.
func FuzzContentDisposition(f *testing.F) {
	for _, seed := range []string{
		"q3.pdf", "größe.txt", `a"b`, "a%41", "'", ";", "=?utf-8?q?x?=", "日本語.csv", "می\u200cخواهم.txt",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = SaveAs("", name)
		header := contentDisposition(DispositionAttachment, name)
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q is not plain ASCII", header)
		}
		media, params, err := mime.ParseMediaType(header)
		if err != nil || media != DispositionAttachment {
			t.Fatalf("%q: %q, %v", header, media, err)
		}
		if params["filename"] != name {
			t.Fatalf("%q says %q, want %q", header, params["filename"], name)
		}
	})
}

func TestSaveAs(t *testing.T) {
	t.Parallel()
	tests := []struct{ filename, key, want string }{
		{"", "a/b/c.txt", "c.txt"},
		{"", "c.txt", "c.txt"},
		{"", "dir/", "dir"},
		{"", "a//", "a"},
		{"", "///", "download"},
		{"x.txt", "a/b", "x.txt"},
		{"", "a/b\\c.txt", "b_c.txt"},
		{"", "a/exe.\u202efdp", "exe._fdp"},
		{"", "a/tab\there", "tab_here"},
		{"", "a/می\u200cخواهم.txt", "می\u200cخواهم.txt"},
		{"", "a/क्\u200dष.txt", "क्\u200dष.txt"},
		{"", "a/👩\u200d💻.txt", "👩\u200d💻.txt"},
		{"", "a/\u200c\u200d", "download"},
		{"", "a/.\u200d", "download"},
		{"", "a/l\u200er\u200fa\u061cm", "l_r_a_m"},
		{"", "a/\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069", "________"},
		{"", "a/" + strings.Repeat("n", 219) + "👩\u200d💻.txt", strings.Repeat("n", 219) + "👩.txt"},
		{"", "a/%2e%2e", "%2e%2e"},
		{"", "a/\xff.txt", "_.txt"},
		{"", "a/" + strings.Repeat("n", 230), strings.Repeat("n", 230)},
		{"", "a/" + strings.Repeat("n", 231), strings.Repeat("n", 230)},
		{"", "a/" + strings.Repeat("ä", 200) + ".tar.gz", strings.Repeat("ä", 113) + ".gz"},
		{"", "a/x" + strings.Repeat("ä", 200), "x" + strings.Repeat("ä", 114)},
		{
			"", "a/" + strings.Repeat("n", 200) + "." + strings.Repeat("x", 100),
			strings.Repeat("n", 200) + "." + strings.Repeat("x", 29),
		},
		{strings.Repeat("n", 255), "a", strings.Repeat("n", 255)},
	}
	for _, tt := range tests {
		if got := SaveAs(tt.filename, tt.key); got != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.filename, tt.key, got, tt.want)
		}
	}
}

// AWS refuses a response-content-type that is not plain ASCII, and a control
// character could end the header.
func TestContentType(t *testing.T) {
	t.Parallel()
	const other = "application/octet-stream"
	for approved, want := range map[string]string{
		"":                          "",
		"text/plain; charset=utf-8": "text/plain; charset=utf-8",
		"~ !":                       "~ !",
		"text/plain; name=é":        other,
		"text/plain; name=\u202e":   other,
		"é":                         other,
		"text/plain\x80":            other,
		"text/plain\xff":            other,
		"text/plain\x7f":            other,
		"text/plain\x1f":            other,
		"text/plain\t":              other,
		"text/plain\r\nX: y":        other,
	} {
		if got := contentType(approved); got != want {
			t.Errorf("%q: got %q, want %q", approved, got, want)
		}
	}
}

package term

import (
	"bytes"
	"testing"
)

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := PrintJSON(&out, map[string]string{"a b": "é\u009b\u202e\u007f\U000e0001\n\x1b€"}); err != nil {
		t.Fatal(err)
	}
	const want = "{\n  \"a b\": \"é\\u009b\\u202e\\u007f\\udb40\\udc01\\n\\u001b€\"\n}\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// What demo prints is copied into a shell.
func TestShellWord(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/usr/bin/keyhole": "/usr/bin/keyhole", "/tmp/a b/keyhole": "'/tmp/a b/keyhole'",
		"/tmp/it's/$x": `'/tmp/it'\''s/$x'`, "": "''",
	} {
		if got := ShellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

// Text of other people is shown, and never obeyed by a terminal.
func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                   "",
		"a b.pdf":            "a b.pdf",
		"größe 日本語 🙂":        "größe 日本語 🙂",
		"a\x1b[2Jb":          `a\x1b[2Jb`,
		"tab\tand\nline\r":   `tab\tand\nline\r`,
		"\u202egpj.exe":      `\u202egpj.exe`,
		"zero\u200bwidth":    `zero\u200bwidth`,
		"c1\u009b31m":        `c1\u009b31m`,
		"not UTF-8 \x9b\xff": `not UTF-8 \x9b\xff`,
		"\ufffd":             "\ufffd", // the character itself, which is valid
		"no-break\u00a0":     "no-break\u00a0",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// JSON stays JSON: only what a terminal could obey is written as an escape.
func TestEscapeJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{\n  \"a\": \"é\"\n}": "{\n  \"a\": \"é\"\n}",
		"\"\u202e\"":           `"\u202e"`,
		"\"\x7f\"":             `"\u007f"`,
		"\"\U000e0001\"":       `"\udb40\udc01"`,
	} {
		if got := EscapeJSON(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if err := PrintJSON(&bytes.Buffer{}, func() {}); err == nil {
		t.Error("a function is encoded")
	}
}

func TestOrDash(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "-", "a": "a", " ": " "} {
		if got := OrDash(in); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

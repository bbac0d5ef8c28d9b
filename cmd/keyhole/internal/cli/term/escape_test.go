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

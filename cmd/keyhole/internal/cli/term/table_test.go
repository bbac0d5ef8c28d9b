package term

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"ID", "STATE", "OBJECT"},
		{"a", "active", "s3://reports/" + strings.Repeat("long/", 20) + "end.pdf"},
		{"日本", "revoked", "s3://b/e\u0301"},
		{"x\x1b[2J", "expired", "k"},
	}
	wide := tableText(rows, screen{})
	if strings.Contains(wide, "\x1b") || strings.Contains(wide, "…") ||
		!strings.Contains(wide, strings.Repeat("long/", 20)) {
		t.Errorf("without a terminal:\n%s", wide)
	}
	if !strings.Contains(wide, "\nx\\x1b[2J  expired  k\n") || !strings.Contains(wide, "\n日本      revoked  s3://b/") {
		t.Errorf("the columns are\n%s", wide)
	}
	narrow := tableText(rows, screen{Width: 50, coloured: true})
	for line := range strings.Lines(narrow) {
		bare := strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[2m", "", "\x1b[0m",
			"").Replace(strings.TrimSuffix(line, "\n"))
		if strings.Contains(bare, "\x1b") || Columns(bare) > 50 {
			t.Errorf("%d columns, or more than a colour: %q", Columns(bare), line)
		}
	}
	if !strings.Contains(narrow, "\x1b[32mactive\x1b[0m   ") || !strings.Contains(narrow, "…") ||
		!strings.Contains(narrow, "end.pdf\n") {
		t.Errorf("on a terminal:\n%s", narrow)
	}
	const folded = "ID  STATE\n    OBJECT\na   active\n    s3://repo…ng/end.pdf\n"
	if got := tableText(rows[:2], screen{Width: 24}); got != folded {
		t.Errorf("on a narrow one: got\n%s\nwant\n%s", got, folded)
	}
	for width := 1; width <= 140; width++ {
		got := tableText(rows, screen{Width: width})
		for _, cell := range []string{"ID", "revoked", "日本", "s3://b/e\u0301", "expired"} {
			if !strings.Contains(got, cell) {
				t.Errorf("in %d columns there is no %q:\n%s", width, cell, got)
			}
		}
	}
	if got := tableText(nil, screen{Width: 10}); got != "" {
		t.Errorf("nothing is %q", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"},
		{"abcdef", 5, "ab…ef"},
		{"abcdef", 4, "a…ef"},
		{"日本語テスト", 7, "日…ト"},
		{"e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301…e\u0301"},
	} {
		got := cut(tt.text, tt.columns)
		if Columns(got) > tt.columns {
			t.Errorf("%q is %d columns, more than %d", got, Columns(got), tt.columns)
		}
		if got != tt.want {
			t.Errorf("%q in %d columns: got %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

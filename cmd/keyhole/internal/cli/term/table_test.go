package term

import (
	"slices"
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

// A terminal shows East Asian letters in two columns, and accents in none.
func TestColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "ｆｕｌｌ": 8, "ﾊﾝ": 2, "a\u20dd": 1,
	} {
		if got := Columns(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// A column that does not fit begins an indented line; the last one wraps in each row.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		widths []int
		width  int
		begins []int
		wraps  []bool
	}{
		"unlimited":       {[]int{10, 5, 90}, 0, []int{0, 12, 19}, []bool{false, false, false}},
		"everything fits": {[]int{10, 5, 20}, 40, []int{0, 12, 19}, []bool{false, false, false}},
		"the last wraps":  {[]int{10, 5, 90}, 30, []int{0, 12, 4}, []bool{false, false, true}},
		"all wrap":        {[]int{10, 15, 90}, 12, []int{0, 4, 4}, []bool{false, true, true}},
		"one column":      {[]int{90}, 10, []int{0}, []bool{false}},
	} {
		begins, wraps := beginnings(tt.widths, tt.width)
		if !slices.Equal(begins, tt.begins) || !slices.Equal(wraps, tt.wraps) {
			t.Errorf("%s: got %v %v, want %v %v", name, begins, wraps, tt.begins, tt.wraps)
		}
	}
}

// The states that links can have are coloured by whether they still work.
func TestPrintTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := PrintTable(&out, [][]string{{"ID", "STATE"}, {"a", "active"}, {"b"}}); err != nil {
		t.Fatal(err)
	}
	if want := "ID  STATE\na   active\nb\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

package main

import (
	"strings"
	"testing"
)

// source returns a file with this text after its package clause.
func source(t *testing.T, text string) (*tree, *file) {
	t.Helper()
	tree := parsed(t, map[string]string{"p.go": "package p\n" + text})
	return tree, tree.packages[0].files[0]
}

func TestGoComments(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"none":                {"", 0},
		"one line":            {"// a\n", 1},
		"three lines":         {"// a\n//\n// b\n", 3},
		"indented":            {"\nfunc f() {\n\t// a\n}\n", 1},
		"behind code":         {"\nvar a = 1 // a\n", 0},
		"block":               {"/* a\n\nb */\n", 3},
		"block in one line":   {"/* a */\n", 1},
		"block behind code":   {"\nvar a = 1 /* a\nb */\n", 0},
		"block before code":   {"\n/* a */ var a = 1\n", 1},
		"text with slashes":   {"\nvar a = \"// a\"\n", 0},
		"raw text":            {"\nvar a = `\n// a\n`\n", 0},
		"directive of Go":     {"\n//go:noinline\nfunc f() {}\n", 0},
		"directive of a lint": {"\n//nolint:errcheck // a\nfunc f() {}\n", 0},
		"directive below":     {"\n// f is.\n//\n//go:noinline\nfunc f() {}\n", 2},
		"two groups":          {"// a\n\n// b\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			tree, f := source(t, tt.text)
			if got := goComments(tree, f, splitLines(f.text)); got != tt.want {
				t.Errorf("%d lines, want %d", got, tt.want)
			}
		})
	}
}

func TestLuaComments(t *testing.T) {
	for text, want := range map[string]int{
		"":                                0,
		"return 1\n":                      0,
		"-- a\nreturn 1\n":                1,
		"  -- a\n\n-- b\n":                2,
		"return 1 -- a\n":                 0,
		"local a = '-- a'\n":              0,
		"-- KEYS[1]\n-- ARGV[1]\n-- \n--": 4,
	} {
		if got := luaComments(splitLines(text)); got != want {
			t.Errorf("%q: %d lines, want %d", text, got, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	tree, f := source(t, `
func one() {}

func three() {
	_ = func() {}
}

type T struct{}

func (T) Method() int {
	return 1
}

var literal = func() {
	_ = 1
}
`)
	var got []string
	for _, fn := range functions(tree, f) {
		got = append(got, fn.name+" "+strings.Repeat("|", fn.lines))
	}
	wantLines(t, got, "p.go:3 one |", "p.go:5 three |||", "p.go:11 Method |||")
}

func TestUndocumented(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"function":              {"func F() {}", "F"},
		"unexported function":   {"func f() {}", ""},
		"with a comment":        {"// F is.\nfunc F() {}", ""},
		"comment apart":         {"// F is.\n\nfunc F() {}", "F"},
		"method":                {"// T is.\ntype T int\n\nfunc (T) M() {}", "M"},
		"method of a pointer":   {"// T is.\ntype T int\n\nfunc (t *T) M() {}", "M"},
		"of a hidden type":      {"type t int\n\nfunc (t) M() {}", ""},
		"of a generic type":     {"// T is.\ntype T[E any] struct{}\n\nfunc (T[E]) M() {}", "M"},
		"of a hidden generic":   {"type t[E any] struct{}\n\nfunc (*t[E]) M() {}", ""},
		"of two parameters":     {"type t[E, F any] struct{}\n\nfunc (t[E, F]) M() {}", ""},
		"type":                  {"type T int", "T"},
		"types in a group":      {"type (\n\tT int\n\t// U is.\n\tU int\n)", "T"},
		"constant":              {"const C = 1", "C"},
		"constants":             {"// All.\nconst (\n\tC = 1\n\tD = 2\n)", ""},
		"comment behind it":     {"const (\n\tC = 1 // C is.\n\tD = 2\n)", "D"},
		"variable":              {"var V int", "V"},
		"unexported variable":   {"var v int", ""},
		"variables in one line": {"var V, W int", "V"},
	} {
		t.Run(name, func(t *testing.T) {
			_, f := source(t, "\n"+tt.text+"\n")
			if got := strings.Join(undocumented(f.syntax), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	var m measures
	for n := 1; n <= 10; n++ {
		m.functions = append(m.functions, length{"f", n})
	}
	for p, want := range map[int]int{0: 1, 50: 5, 90: 9, 99: 9, 100: 10} {
		if got := m.percentile(p); got != want {
			t.Errorf("%d %%: %d, want %d", p, got, want)
		}
	}
}

func TestTestSupport(t *testing.T) {
	for dir, want := range map[string]bool{
		"gateway/objects/s3test": true, "gateway/redisstore/redistest": true, "test": true,
		"gateway": false, "testing": false, "s3test/inner": false, "deploy": false,
	} {
		if got := testSupport(dir); got != want {
			t.Errorf("%s: %t", dir, got)
		}
	}
}

func TestDirectory(t *testing.T) {
	tree := &tree{module: "example.com/m"}
	for path, want := range map[string]string{
		"example.com/m":         ".",
		"example.com/m/a/b":     "a/b",
		"example.com/module":    "",
		"fmt":                   "",
		"example.com":           "",
		"other.com/m/example":   "",
		"example.com/m/v2/thin": "v2/thin",
	} {
		got, ok := tree.directory(path)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

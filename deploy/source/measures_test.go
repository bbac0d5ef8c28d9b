package main

import (
	"fmt"
	"strings"
	"testing"
)

const documented = `// Package p is an example.
package p

import "embed"

// Files has a comment and a directive, which counts as none.
//
//go:embed testdata
var Files embed.FS

/* A block
of two lines. */
const Two = 2 // behind code

type Bare struct{}

// add adds.
func add(a, b int) int {
	// Within a function.
	return a + b
}

func (*Bare) Loud() {}

func (b Bare) quiet() {}

type hidden struct{}

func (hidden) Loud() {}

func Generic[T any](t T) T { return t }

const (
	// One comment above a group is enough for its first name only.
	A = 1
	B = 2
	C = 3 // behind it
)
`

func TestMeasure(t *testing.T) {
	m := only(t, map[string]string{
		"p.go":      documented,
		"p_test.go": "package p\n" + strings.Repeat("// x\n", 9),
		"x.lua":     "-- Comment.\nreturn 1 -- behind code\n",
	})
	if m.files != 2 || m.lines != 40 || m.tests != 10 {
		t.Errorf("%d files, %d lines, %d lines of tests", m.files, m.lines, m.tests)
	}
	if m.comments != 8+1 {
		t.Errorf("%d lines of comments, want 9", m.comments)
	}
	if m.longest.lines != 38 || m.longest.name != "p.go" || m.longestTest.lines != 10 {
		t.Errorf("the longest files are %v and %v", m.longest, m.longestTest)
	}
	wantLines(t, m.undocumented, "Bare", "Loud", "Generic", "B")
	if len(m.functions) != 5 || m.percentile(100) != 4 || m.percentile(50) != 1 {
		t.Errorf("functions %v", m.functions)
	}
	if last := m.functions[4].name; last != "p.go:18 add" {
		t.Errorf("the longest function is %s", last)
	}
	if got := fmt.Sprintf("%.1f %.2f", m.share(), m.ratio()); got != "22.5 0.25" {
		t.Errorf("shares %s", got)
	}
}

func TestMeasureNothing(t *testing.T) {
	m := only(t, map[string]string{"p_test.go": "package p\n"})
	if m.share() != 0 || m.ratio() != 0 || m.percentile(90) != 0 || len(m.excesses()) != 0 {
		t.Errorf("a package of tests has %+v", m)
	}
	if got := splitLines(""); len(got) != 0 {
		t.Errorf("an empty file has the lines %q", got)
	}
}

// Nobody imports a main package, so its exported names need no comment.
func TestMainHasNoExportedNames(t *testing.T) {
	if m := only(t, map[string]string{"p.go": "package main\n\nfunc Run() {}\n"}); len(m.undocumented) != 0 {
		t.Errorf("undocumented %q", m.undocumented)
	}
}

// Columns are characters, and a tab is one.
func TestWideLines(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		want int
	}{
		"120 letters":    {"// " + strings.Repeat("x", 117), 0},
		"121 letters":    {"// " + strings.Repeat("x", 118), 1},
		"120 characters": {"// " + strings.Repeat("ü", 117), 0},
		"121 characters": {"// " + strings.Repeat("ü", 118), 1},
		"a tab":          {"\t// " + strings.Repeat("x", 116), 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{"p.go", "p_test.go"} {
				m := only(t, map[string]string{file: "package p\n\n" + tt.line + "\n"})
				if m.wide != tt.want {
					t.Errorf("%s: %d wide lines, want %d", file, m.wide, tt.want)
				}
			}
		})
	}
}

// good is a package within all limits.
func good() measures {
	m := measures{dir: "p", files: 1, lines: 100, comments: 15, tests: 100}
	for range 10 {
		m.functions = append(m.functions, length{"p.go:1 f", 5})
	}
	return m
}

func TestExcesses(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(m *measures)
		want  string
	}{
		"nothing":           {func(*measures) {}, ""},
		"file at the limit": {func(m *measures) { m.longest = length{"p.go", 400} }, ""},
		"long file":         {func(m *measures) { m.longest = length{"p.go", 401} }, "p.go has 401 lines; the limit is 400"},
		"long test": {
			func(m *measures) { m.longestTest = length{"p_test.go", 500} },
			"p_test.go has 500 lines; the limit is 400",
		},
		"one long function": {
			func(m *measures) { m.functions[9] = length{"p.go:9 g", 81} },
			"p.go:9 g has 81 lines; the limit is 80",
		},
		"many long functions": {
			func(m *measures) { m.functions[8].lines, m.functions[9].lines = 31, 31 },
			"90 % of the functions have up to 31 lines; the limit is 30",
		},
		"few comments": {
			func(m *measures) { m.comments = 11 },
			"comments are 11.0 % of the lines; the range is 12 to 20",
		},
		"many comments": {
			func(m *measures) { m.comments = 21 },
			"comments are 21.0 % of the lines; the range is 12 to 20",
		},
		"many comments in a small package": {func(m *measures) { m.lines, m.comments = 59, 30 }, ""},
		"many comments in a package that is not small": {
			func(m *measures) { m.lines, m.comments = 60, 30 },
			"comments are 50.0 % of the lines; the range is 12 to 20",
		},
		"few comments in a small package": {
			func(m *measures) { m.lines, m.comments = 59, 0 },
			"comments are 0.0 % of the lines; the range is 12 to 20",
		},
		"few tests":        {func(m *measures) { m.tests = 99 }, "99 lines of tests for 100 lines of code"},
		"tests of helpers": {func(m *measures) { m.tests, m.dir = 0, "objects/s3test" }, ""},
		"wide lines":       {func(m *measures) { m.wide = 2 }, "2 lines have more than 120 columns"},
		"types only":       {func(m *measures) { m.functions, m.comments, m.tests = nil, 60, 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := good()
			tt.spoil(&m)
			if got := strings.Join(m.excesses(), "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

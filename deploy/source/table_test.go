package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestMeasuresReport(t *testing.T) {
	root := committed(t, map[string]string{
		"a/a.go": "package a\n\nfunc f() {}\n", "gone/g.go": "package gone\n", "same/s.go": "package same\n",
	})
	write(t, filepath.Join(root, "a/more.go"), "package a\n\nfunc g() {}\n")
	write(t, filepath.Join(root, "b/b.go"), "package b\n")
	if err := os.Remove(filepath.Join(root, "gone/g.go")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		options measureOptions
		want    []string
	}{
		"after": {
			measureOptions{packages: []string{"a"}},
			[]string{"| a | 2 | 6 | 3 | 2 | 1 | 1 | 1 | 0.0 | 0 | 0.00 | 0 |"},
		},
		"before and after": {
			measureOptions{before: "HEAD", packages: []string{"a", "b", "gone", "same"}},
			[]string{
				"| a | 1 → 2 | 3 → 6 | 3 | 1 → 2 | 1 | 1 | 1 | 0.0 | 0 | 0.00 | 0 |",
				"| b | – → 1 | – → 1 | – → 1 | – → 0 | – → 0 | – → 0 | – → 0 | – → 0.0 | – → 0 | – → 0.00 | – → 0 |",
				"| gone | 1 → – | 1 → – | 1 → – | 0 → – | 0 → – | 0 → – | 0 → – | 0.0 → – | 0 → – | 0.00 → – | 0 → – |",
				"| same | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0.0 | 0 | 0.00 | 0 |",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			tt.options.root = root
			if err := reportMeasures(tt.options, &out); err != nil {
				t.Fatal(err)
			}
			all := lines(out.String())
			wantLines(t, all[len(all)-len(tt.want):], tt.want...)
			if told := strings.HasPrefix(all[0], "Before: HEAD. After: this tree."); told != (tt.options.before != "") {
				t.Errorf("it begins with %q", all[0])
			}
		})
	}
}

// Without packages the table ends in a row for all.
func TestMeasuresOfAll(t *testing.T) {
	root := committed(t, map[string]string{
		"a/a.go": "package a\n\nfunc f() {\n}\n", "b/b.go": "package b\n", "b/b_test.go": "package b\n\n\n",
	})
	var out strings.Builder
	if err := reportMeasures(measureOptions{root: root}, &out); err != nil {
		t.Fatal(err)
	}
	all := lines(out.String())
	wantLines(t, all,
		"| package | files | lines | longest file | functions | p50 | p90 | longest function |"+
			" comments % | lines > 120 | tests / code | undocumented |",
		"| --- |"+strings.Repeat(" ---: |", 11),
		"| a | 1 | 4 | 4 | 1 | 2 | 2 | 2 | 0.0 | 0 | 0.00 | 0 |",
		"| b | 1 | 1 | 3 | 0 | 0 | 0 | 0 | 0.0 | 0 | 3.00 | 0 |",
		"| all | 2 | 5 | 4 | 1 | 2 | 2 | 2 | 0.0 | 0 | 0.60 | 0 |",
	)
}

func TestMeasuresCheck(t *testing.T) {
	root := writeTree(t, map[string]string{"a/a.go": "package a\n\nfunc f() {}\n"})
	var out strings.Builder
	err := reportMeasures(measureOptions{root: root, check: true}, &out)
	wantFailed(t, err, out.String(), "a: comments are 0.0 % of the lines; the range is 12 to 20\n"+
		"a: 0 lines of tests for 3 lines of code\n")
	root = writeTree(t, map[string]string{"a/a.go": "package a\n"})
	if err := reportMeasures(measureOptions{root: root, check: true}, &out); err != nil {
		t.Errorf("a package within the limits: %v", err)
	}
}

func TestMeasuresFail(t *testing.T) {
	root := committed(t, map[string]string{"a/a.go": "package a\n"})
	var out strings.Builder
	if err := reportMeasures(measureOptions{root: root, before: "none"}, &out); err == nil {
		t.Error("a commit that does not exist is accepted")
	}
	if err := reportMeasures(measureOptions{root: t.TempDir()}, &out); err == nil {
		t.Error("a directory without a module is accepted")
	}
}

func TestCoverage(t *testing.T) {
	root := writeTree(t, map[string]string{
		"a/a.go": "package a\n\nfunc f(x bool) int {\n\tif x {\n\t\treturn 1\n\t}\n\treturn 2\n}\n",
		"a/a_test.go": "package a\n\nimport \"testing\"\n\n" +
			"func TestF(t *testing.T) {\n\tif f(true) != 1 {\n\t\tt.Error(1)\n\t}\n}\n",
		"types/t.go":     "package types\n\ntype T int\n",
		"bad/b_test.go":  "package bad\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { t.Error(1) }\n",
		"plain/plain.go": "package plain\n\nfunc f() {}\n",
	})
	var out strings.Builder
	o := measureOptions{root: root, coverage: true, packages: []string{"a", "types"}}
	if err := reportMeasures(o, &out); err != nil {
		t.Fatal(err)
	}
	all := lines(out.String())
	for i, end := range []string{" undocumented | coverage % |", " ---: |", " 0 | 66.7 |", " 1 | – |"} {
		if !strings.HasSuffix(all[i], end) {
			t.Errorf("%q does not end in %q", all[i], end)
		}
	}
	o.packages = []string{"bad"}
	if err := reportMeasures(o, &out); err == nil || !strings.Contains(err.Error(), "TestB") {
		t.Errorf("a test that fails: %v", err)
	}
}

func TestCell(t *testing.T) {
	lines := column{"lines", func(m *measures) string { return strconv.Itoa(m.lines) }}
	one, two := &measures{lines: 1}, &measures{lines: 2}
	for name, tt := range map[string]struct {
		row     row
		compare bool
		want    string
	}{
		"after":   {row{after: two}, false, "2"},
		"changed": {row{before: one, after: two}, true, "1 → 2"},
		"equal":   {row{before: two, after: &measures{lines: 2}}, true, "2"},
		"new":     {row{after: two}, true, "– → 2"},
		"removed": {row{before: one}, true, "1 → –"},
		"nothing": {row{}, true, "–"},
	} {
		if got := tt.row.cell(lines, tt.compare); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestMergedRows(t *testing.T) {
	before := []measures{{dir: "b", lines: 1}, {dir: "c", lines: 2}}
	after := []measures{{dir: "a", lines: 3}, {dir: "b", lines: 4}}
	var got []string
	for _, r := range mergedRows(before, after) {
		cell := func(m *measures) string {
			if m == nil {
				return "-"
			}
			return m.dir + strconv.Itoa(m.lines)
		}
		got = append(got, r.name+" "+cell(r.before)+" "+cell(r.after))
	}
	wantLines(t, got, "a - a3", "b b1 b4", "c c2 -")
}

func TestTotal(t *testing.T) {
	if total([]measures{{lines: 1}}, false) != nil {
		t.Error("a tree that was not asked for has a total")
	}
	sum := total([]measures{
		{
			files: 1, lines: 10, comments: 1, wide: 2, tests: 5, undocumented: []string{"A"},
			longest: length{"a.go", 10}, longestTest: length{"a_test.go", 5},
			functions: []length{{"f", 1}, {"g", 9}},
		},
		{
			files: 2, lines: 30, comments: 3, wide: 0, tests: 35, undocumented: []string{"B", "C"},
			longest: length{"b.go", 20}, longestTest: length{"b_test.go", 35},
			functions: []length{{"h", 3}},
		},
	}, true)
	if sum.files != 3 || sum.lines != 40 || sum.comments != 4 || sum.wide != 2 || sum.tests != 40 {
		t.Errorf("the sums are %+v", sum)
	}
	if sum.longest.name != "b.go" || sum.longestTest.name != "b_test.go" {
		t.Errorf("the longest files are %v and %v", sum.longest, sum.longestTest)
	}
	if sum.percentile(50) != 3 || sum.percentile(100) != 9 || len(sum.undocumented) != 3 {
		t.Errorf("functions %v, undocumented %q", sum.functions, sum.undocumented)
	}
	if sum.share() != 10 || sum.ratio() != 1 {
		t.Errorf("%.1f %% comments, %.2f lines of tests", sum.share(), sum.ratio())
	}
}

package main

import (
	"os"
	"path/filepath"
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

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const threeLayers = `
low   leaf leaf/own    # the lowest
mid   mid/...
high  mid/special top
never top mid/secret
`

func TestLayersOf(t *testing.T) {
	l, err := parseLayers(threeLayers)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"leaf": "low", "leaf/own": "low", "leaf/other": "", "mid": "mid", "mid/a": "mid", "mid/a/b": "mid",
		"mid/special": "high", "mid/special/b": "mid", "middle": "", "top": "high", ".": "",
	} {
		got := ""
		if layer := l.of(dir); layer >= 0 {
			got = l.names[layer]
		}
		if got != want {
			t.Errorf("%s is in %q, want %q", dir, got, want)
		}
	}
	// The longest of several rules counts, wherever it stands.
	l, err = parseLayers("a x/y/...\nb x/...\n")
	if err != nil {
		t.Fatal(err)
	}
	if l.of("x/y/z") != 0 || l.of("x/z") != 1 {
		t.Errorf("x/y/z is in %d, x/z in %d", l.of("x/y/z"), l.of("x/z"))
	}
}

func TestLayersProblems(t *testing.T) {
	for text, want := range map[string]string{
		"":              "no layers",
		"# none\n":      "no layers",
		"low\n":         "line 1: the layer low has no directories",
		"\nnever a\n":   "line 2: write never FROM TO",
		"never a b c\n": "line 1: write never FROM TO",
	} {
		if _, err := parseLayers(text); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

func TestForbids(t *testing.T) {
	l, err := parseLayers(threeLayers)
	if err != nil {
		t.Fatal(err)
	}
	for pair, want := range map[[2]string]bool{
		{"top", "mid/secret"}:           true,
		{"top/below", "mid/secret/key"}: true,
		{"top", "mid"}:                  false,
		{"topmost", "mid/secret"}:       false,
		{"mid/secret", "top"}:           false,
	} {
		if got := l.forbids(pair[0], pair[1]); got != want {
			t.Errorf("%v: %t", pair, got)
		}
	}
}

func TestImportGraph(t *testing.T) {
	tree := parsed(t, map[string]string{
		"m.go":       "package m\n",
		"a/a.go":     "package a\n\nimport (\n\t\"fmt\"\n\tx \"example.com/m/b\"\n\t_ \"example.com/m\"\n)\n",
		"a/again.go": "package a\n\nimport \"example.com/m/b\"\n",
		"b/b.go":     "package b\n\nimport \"example.com/module\"\n",
		// A test of an external package imports its own and another one.
		"b/b_test.go": "package b_test\n\nimport (\n\t\"example.com/m/a\"\n\t\"example.com/m/b\"\n)\n",
	})
	for _, tests := range []bool{false, true} {
		g, err := importGraph(tree, tests)
		if err != nil {
			t.Fatal(err)
		}
		wantB := ""
		if tests {
			wantB = "a"
		}
		for dir, want := range map[string]string{".": "", "a": ". b", "b": wantB} {
			if got := strings.Join(g[dir], " "); got != want {
				t.Errorf("with tests %t, %s imports %q, want %q", tests, dir, got, want)
			}
		}
	}
}

func TestCycle(t *testing.T) {
	for name, tt := range map[string]struct {
		graph graph
		want  string
	}{
		"none":    {graph{"a": {"b", "c"}, "b": {"c"}, "c": nil}, ""},
		"itself":  {graph{"a": {"a"}}, "a a"},
		"two":     {graph{"a": {"b"}, "b": {"a"}}, "a b a"},
		"behind":  {graph{"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}, "b c d b"},
		"unknown": {graph{"a": {"gone"}}, ""},
	} {
		if got := strings.Join(tt.graph.cycle(), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestViolations(t *testing.T) {
	l, err := parseLayers(threeLayers)
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, graph{
		"leaf":       {"leaf/own", "mid"},
		"mid/a":      {"leaf", "mid/b", "top"},
		"mid/b":      nil,
		"mid/secret": nil,
		"stray":      {"leaf"},
		"top":        {"mid/a", "mid/secret"},
	}.violations(l),
		"leaf (low) imports mid of the higher layer mid",
		"mid/a (mid) imports top of the higher layer high",
		"stray is in no layer",
		"top must never import mid/secret",
	)
}

func TestImportsReport(t *testing.T) {
	root := committed(t, map[string]string{
		"leaf/l.go": "package leaf\n", "mid/m.go": "package mid\n", "layers": threeLayers,
	})
	write(t, filepath.Join(root, "top/t.go"), "package top\n\nimport "+
		"(\n\t\"example.com/m/leaf\"\n\t\"example.com/m/mid\"\n)\n")
	var out strings.Builder
	if err := reportImports(root, "HEAD", filepath.Join(root, "layers"), &out); err != nil {
		t.Fatal(err)
	}
	got := lines(out.String())
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	wantLines(t, got,
		"before, HEAD: 2 packages, 0 imports", "mid", "mid", "low", "leaf",
		"after, this tree: 3 packages, 2 imports", "high", "top leaf, mid", "mid", "mid", "low", "leaf",
		"No cycle. No package imports from a higher layer.",
	)
}

func TestImportsReportFails(t *testing.T) {
	root := committed(t, map[string]string{
		"leaf/l.go": "package leaf\n\nimport \"example.com/m/top\"\n",
		"top/t.go":  "package top\n\nimport \"example.com/m/leaf\"\n",
		"stray.go":  "package m\n",
		"layers":    threeLayers, "broken": "low\n",
	})
	layers := filepath.Join(root, "layers")
	var out strings.Builder
	err := reportImports(root, "", layers, &out)
	wantFailed(t, err, out.String(), "leaf (low) imports top of the higher layer high")
	wantFailed(t, err, out.String(), "cycle: leaf imports top imports leaf")
	wantFailed(t, err, out.String(), "in no layer\n  .")
	for name, err := range map[string]error{
		"no list":     reportImports(root, "", filepath.Join(root, "missing"), &out),
		"a bad list":  reportImports(root, "", filepath.Join(root, "broken"), &out),
		"no commit":   reportImports(root, "none", layers, &out),
		"no module":   reportImports(t.TempDir(), "", layers, &out),
		"a bad graph": checkGraph(parsed(t, map[string]string{"leaf/l.go": "package leaf\n"}), &layersOfNothing, &out),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// layersOfNothing has no rule, so that every package is in no layer.
var layersOfNothing layers //nolint:gochecknoglobals // a constant

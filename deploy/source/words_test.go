package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestSplitName(t *testing.T) {
	for name, want := range map[string]string{
		"joiner": "joiner", "takeUp": "take up", "RetentionHorizon": "retention horizon", "HTTPClient": "http client",
		"newURL": "new url", "ID": "id", "x": "x", "": "", "history_bugs_test": "history bugs test", "é": "é",
		"sha256OfNothing": "sha256 of nothing", "TestAUser": "test a user", "_": "", "ÄndereÜbel": "ändere übel",
	} {
		if got := strings.Join(splitName(name), " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestParseWordsProblems(t *testing.T) {
	const usage = "write OLD NEW[,NEW...] [in DIR... | except DIR...]"
	for text, want := range map[string]string{
		"joiner\n":                   "line 1: " + usage,
		"# head\njoiner new in\n":    "line 2: " + usage,
		"joiner new within gateway":  "line 1: " + usage,
		"joiner new # a comment\n\n": "",
	} {
		_, err := parseWords(text)
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%q: %s, want %q", text, got, want)
			}
		} else if want != "" {
			t.Errorf("%q: accepted", text)
		}
	}
}

func TestOldWordMatches(t *testing.T) {
	for name, tt := range map[string]struct {
		rule string
		id   identifier
		want bool
	}{
		"whole":               {"joiner new", identifier{name: "joiner"}, true},
		"capital":             {"joiner new", identifier{name: "Joiner"}, true},
		"within":              {"joiner new", identifier{name: "newJoinerOf"}, true},
		"part of a word":      {"join new", identifier{name: "joiner"}, false},
		"two words":           {"takeUp new", identifier{name: "mustTakeUpKeys"}, true},
		"two words apart":     {"takeUp new", identifier{name: "takeItUp"}, false},
		"its new name":        {"horizon retentionHorizon", identifier{name: "setRetentionHorizon"}, false},
		"not its new name":    {"horizon retentionHorizon", identifier{name: "otherHorizon"}, true},
		"one of two new ones": {"home shard,homeShard", identifier{name: "homeShard"}, false},
		"exact":               {"=Try new", identifier{name: "Try"}, true},
		"exact, other case":   {"=Try new", identifier{name: "try"}, false},
		"exact, longer":       {"=Try new", identifier{name: "TryAgain"}, false},
		"file":                {"misses.go new.go", identifier{name: "misses", file: true}, true},
		"file, no file":       {"misses.go new.go", identifier{name: "misses"}, false},
		"file, its test":      {"misses.go new.go", identifier{name: "misses_test", file: true}, false},
		"in":                  {"home new in a/b c", identifier{name: "home", dir: "c"}, true},
		"in, below":           {"home new in a/b c", identifier{name: "home", dir: "a/b/x"}, true},
		"in, elsewhere":       {"home new in a/b c", identifier{name: "home", dir: "a"}, false},
		"in, like it":         {"home new in a/b c", identifier{name: "home", dir: "a/bc"}, false},
		"except":              {"home new except a", identifier{name: "home", dir: "a/b"}, false},
		"except, elsewhere":   {"home new except a", identifier{name: "home", dir: "b"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			words, err := parseWords(tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			if got := words[0].matches(tt.id); got != tt.want {
				t.Errorf("%s matches %+v: %t", tt.rule, tt.id, got)
			}
		})
	}
}

func TestDeclared(t *testing.T) {
	tree := parsed(t, map[string]string{"p/my_file.go": `package p

import other "fmt"

type T[E any] struct{ field, second int }

type I interface{ Method(parameter int) (result error) }

const c, _ = 1, 2

var v = func(inner int) {}

func (r *T[E]) F() {
	a, b := 1, 2
	a = 3
label:
	for i, x := range []int{a, b} {
		if y := i; y > x {
			break label
		}
	}
	switch z := any(v).(type) {
	case int:
		other.Println(z)
	}
}
`, "p/s.lua": "return 1\n"})
	var got []string
	for _, id := range identifiers(tree) {
		got = append(got, id.name)
	}
	want := "my_file p other T E field second I Method parameter result c v inner F r a b label i x y z s"
	if strings.Join(got, " ") != want {
		t.Errorf("declared are\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	if all := identifiers(tree); all[3].position != "p/my_file.go:5" || all[3].dir != "p" || !all[0].file {
		t.Errorf("positions are %+v", all[:4])
	}
}

func TestWordsReport(t *testing.T) {
	root := writeTree(t, map[string]string{
		"p/p.go": "package p\n\nfunc joiner(world int) {}\n\ntype Good int\n",
		"old":    "joiner batcher\nworld env\n", "none": "joined batched\n", "bad": "joiner\n",
	})
	var out strings.Builder
	err := reportWords(root, filepath.Join(root, "old"), true, &out)
	wantFailed(t, err, out.String(), "p/p.go:3: joiner has the old word joiner: use batcher\n"+
		"p/p.go:3: world has the old word world: use env\n")
	wantFailed(t, err, out.String(), "    1 Good\n    1 joiner\n    2 p\n    1 world\n5 declarations, 2 with an old "+
		"word\n")
	out.Reset()
	if err := reportWords(root, filepath.Join(root, "none"), false, &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "5 declarations, 0 with an old word\n" {
		t.Errorf("it prints %q", got)
	}
	for _, list := range []string{"missing", "bad"} {
		if err := reportWords(root, filepath.Join(root, list), false, &out); err == nil {
			t.Errorf("%s: accepted", list)
		}
	}
	if err := reportWords(t.TempDir(), filepath.Join(root, "old"), false, &out); err == nil {
		t.Error("a directory without a module is accepted")
	}
}

func TestContains(t *testing.T) {
	for name, tt := range map[string]struct {
		words, part string
		want        bool
	}{
		"the same":   {"a b", "a b", true},
		"beginning":  {"a b c", "a b", true},
		"end":        {"a b c", "b c", true},
		"apart":      {"a b c", "a c", false},
		"backwards":  {"a b", "b a", false},
		"longer":     {"a", "a b", false},
		"other word": {"ab", "a", false},
	} {
		if got := contains(strings.Fields(tt.words), strings.Fields(tt.part)); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

package main

import (
	"strings"
	"testing"
)

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{
		nil, {"nothing"}, {"measures", "--nothing"}, {"imports", "--nothing"}, {"words", "--nothing"},
	} {
		if err := run(args, &strings.Builder{}); err == nil {
			t.Errorf("%q: accepted", args)
		}
	}
}

// The reports run in the root of the tree, on the lists that the scripts use.
func TestReportsOfThisTree(t *testing.T) {
	t.Chdir("../..")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"measures": {[]string{"measures", "deploy/source"}, "| deploy/source |"},
		"imports":  {[]string{"imports"}, "No cycle. No package imports from a higher layer."},
		"words":    {[]string{"words", "--words", "/dev/null"}, " declarations, 0 with an old word"},
	} {
		var out strings.Builder
		if err := run(tt.args, &out); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s prints no %q:\n%s", name, tt.want, out.String())
		}
	}
}

// The list of old words can be read, and every word has a new one.
func TestWordsListIsReadable(t *testing.T) {
	t.Chdir("../..")
	var out strings.Builder
	err := run([]string{"words"}, &out)
	if err != nil && !strings.Contains(out.String(), "has the old word") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

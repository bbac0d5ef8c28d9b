package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
)

// Every command has been run, asked for its help and mistaken in a script.
func TestEveryCommandHasAScript(t *testing.T) {
	scripts, err := filepath.Glob("internal/system/testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var lines []string
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	begins := func(with ...string) bool {
		return slices.ContainsFunc(lines, func(line string) bool {
			return slices.ContainsFunc(with, func(w string) bool { return line == w || strings.HasPrefix(line, w+" ") })
		})
	}
	commands := leaves(newRoot(&command.Env{}))
	if len(commands) < 15 {
		t.Fatalf("%d commands: the tree was not walked", len(commands))
	}
	for _, c := range commands {
		path := c.CommandPath()
		if !begins("exits 0 " + path + " --help") {
			t.Errorf("no script asks for %s --help", path)
		}
		if !begins("exits 2 "+path, "exits 1 "+path) {
			t.Errorf("no script mistakes %s", path)
		}
		// demo and serve do not end by themselves: they have tests of their own.
		if !slices.Contains([]string{"keyhole demo", "keyhole serve"}, path) && !begins("exec "+path, "exits 0 "+path) {
			t.Errorf("no script runs %s", path)
		}
	}
}

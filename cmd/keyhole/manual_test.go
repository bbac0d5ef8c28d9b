package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// Each command has a manual page, and the pages are sound.
func TestManualPages(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Fatal("mandoc is not installed: run deploy/test, which installs it")
	}
	dir := filepath.Join(t.TempDir(), "man1")
	var out bytes.Buffer
	if code := run(t.Context(), []string{"man", dir}, command.Env{Stdout: &out, Stderr: &out}); code != command.ExitOK {
		t.Fatalf("exit %d: %s", code, &out)
	}
	var pages []string
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			check(sub)
		}
		page := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
		for _, flag := range collect(c.LocalNonPersistentFlags().VisitAll) {
			if name := "--" + flag.Name; flag.Name != "help" && !strings.Contains(string(text), name) {
				t.Errorf("%s has no %s", page, name)
			}
		}
	}
	check(newRoot(&command.Env{}))
	if out, err := exec.CommandContext(t.Context(), "mandoc",
		append([]string{"-Tlint", "-Werror"}, pages...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// collect returns the values that visit passes. Its type parameter stands for the flag of
// pflag, which this module does not import.
func collect[F any](visit func(func(F))) (all []F) {
	visit(func(f F) { all = append(all, f) })
	return all
}

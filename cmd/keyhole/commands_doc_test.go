package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway"
)

// The pages of the manual have a section for each command, with a row for each of its
// flags and for no other. The flags that name the service are in one table for all
// commands.
func TestCommandsDocument(t *testing.T) {
	sections := map[string]string{}
	pages, err := filepath.Glob("../../deploy/docs/*/*.md")
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range strings.Split(string(text), "\n## ")[1:] {
			heading, body, _ := strings.Cut(section, "\n")
			if _, twice := sections[heading]; twice && strings.HasPrefix(heading, "keyhole ") {
				t.Errorf("%s has a second section, in %s", heading, page)
			}
			sections[heading] = body
		}
	}
	row := regexp.MustCompile("(?m)^\\| `--([a-z0-9-]+)")
	ofService := names(row, sections["Which service a command uses"])
	if !slices.Equal(ofService, []string{"context", "key-file", "operator-url"}) {
		t.Errorf("the flags that name the service are documented as %q", ofService)
	}
	others := func(flags []string) []string {
		return slices.DeleteFunc(flags, func(name string) bool { return slices.Contains(ofService, name) })
	}
	for _, c := range leaves(newRoot(&command.Env{})) {
		body, found := sections[c.CommandPath()]
		if !found {
			t.Errorf("%s has no section", c.CommandPath())
			continue
		}
		delete(sections, c.CommandPath())
		has := others(names(regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z0-9-]+)`), c.Flags().FlagUsages()))
		documented := others(names(row, body))
		if !slices.Equal(has, documented) {
			t.Errorf("%s has the flags %q, and documented are %q", c.CommandPath(), has, documented)
		}
	}
	for heading := range sections {
		if strings.HasPrefix(heading, "keyhole ") {
			t.Errorf("there is no command %q", heading)
		}
	}
}

// leaves are the commands below c that do something themselves: those with no command
// below them, and those that send requests.
func leaves(c *cobra.Command) []*cobra.Command {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	var all []*cobra.Command
	if c.Flags().Lookup("operator-url") != nil {
		all = append(all, c)
	}
	for _, sub := range c.Commands() {
		all = append(all, leaves(sub)...)
	}
	return all
}

// names returns the first group of every match, sorted.
func names(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

// The manual of what recipients get has every outcome that there is.
func TestAnswersDocument(t *testing.T) {
	text, err := os.ReadFile("../../deploy/docs/build/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, outcome := range gateway.Outcomes() {
		if !strings.Contains(string(text), "`"+string(outcome)+"`") {
			t.Errorf("%s is not documented", outcome)
		}
	}
}

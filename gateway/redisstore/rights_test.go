package redisstore

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestNeededCommands compares the list of commands with the scripts: the shipped user and
// the doctor depend on it.
func TestNeededCommands(t *testing.T) {
	needed := map[string]bool{}
	for _, mode := range []string{ModeSingle, ModeCluster} {
		for _, command := range (&Client{mode: mode}).neededCommands() {
			needed[strings.Fields(command)[0]] = true
		}
	}
	files, err := sources.ReadDir("lua")
	if err != nil {
		t.Fatal(err)
	}
	called := regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	acl, err := os.ReadFile("../../deploy/redis/users.acl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := sources.ReadFile("lua/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range called.FindAllStringSubmatch(string(text), -1) {
			if !needed[call[1]] {
				t.Errorf("%s calls %s, which is not among what is needed", file.Name(), call[1])
			}
		}
	}
	for command := range needed {
		if !regexp.MustCompile(` \+` + strings.ToLower(command) + `[ |\n]`).Match(acl) {
			t.Errorf("users.acl does not allow %s", command)
		}
	}
}

package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"keyhole/cmd/keyhole/internal/command"
)

// Every flag that takes text is refused where it is given and empty.
func TestEveryEmptyFlagIsRefused(t *testing.T) {
	t.Parallel()
	var found []string
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.HasSubCommands() && c.Flags().Lookup("operator-url") == nil {
			return
		}
		for _, name := range names(regexp.MustCompile(`(?m)^ +--([a-z0-9-]+) string`), c.Flags().FlagUsages()) {
			found = append(found, name)
			var stderr bytes.Buffer
			if c.Name() == "change" && (name == "note" || name == "language") {
				continue // it is emptied on purpose
			}
			args := append(strings.Fields(c.CommandPath())[1:], "--"+name, "")
			switch c.Name() {
			case "share":
				args = append(args, "s3://reports/a")
			case "add":
				args = append(args, "prod")
			case "show", "events", "revoke", "change", "resend":
				args = append(args, strings.Repeat("a", 26))
			}
			code := run(t.Context(), args,
				command.Env{Stdout: io.Discard, Stderr: &stderr, Environ: []string{"KEYHOLE_KEY=khk_test"}})
			if code != command.ExitUsage || !strings.HasPrefix(stderr.String(), "keyhole: --"+name+" is empty; omit it") {
				t.Errorf("%q: exit %d, %s", args, code, stderr.String())
			}
		}
	}
	walk(newRoot(&command.Env{}))
	slices.Sort(found)
	want := []string{
		"actor", "address", "allow", "bucket", "can", "config", "context", "created-by", "directory", "display-name",
		"endpoint", "ends-after", "ends-within", "expires", "filename", "idempotency-key", "key", "key-file", "kind",
		"label", "language",
		"link", "max-expiry", "name", "not-before", "note", "object", "objects", "operator", "operator-url",
		"outcome", "output", "passphrase-file", "pin", "prefix", "preset", "public", "public-url", "qr-file", "reason",
		"region", "reveal", "s3", "search", "since", "state", "storage", "to", "until", "url", "used", "version-id",
	}
	if found = slices.Compact(found); !slices.Equal(found, want) {
		t.Errorf("the commands have %q", found)
	}
}

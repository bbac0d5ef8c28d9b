package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/cmd/keyhole/internal/operatorkey"
)

// No message repeats an operator key that was typed in the place of another argument.
func TestMisplacedOperatorKey(t *testing.T) {
	t.Parallel()
	key := operatorkey.New()
	for _, args := range []string{
		key, "share " + key, "share s3://reports/a --pin " + key, "share s3://reports/a --expires " + key,
		"share s3://reports/a --max-clicks " + key, "objects " + key, "list --state " + key, "list --limit " + key,
		"list --" + key, "show " + key, "revoke " + key, "audit --kind " + key, "audit --since " + key,
		"change " + key + " --note x", "events " + key, "completion " + key, "health --url " + key,
		"list --operator-url " + key,
	} {
		got := runOver(t, &fakeAPI{}, strings.Fields(args)...)
		if got.code == command.ExitOK || strings.Contains(got.stderr+got.stdout, key) {
			t.Errorf("%s: exit %d, %s", strings.ReplaceAll(args, key, "KEY"), got.code,
				strings.ReplaceAll(got.stderr+got.stdout, key, "THE KEY"))
		}
	}
}

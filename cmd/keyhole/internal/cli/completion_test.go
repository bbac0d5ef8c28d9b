package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Completions for all shells are generated, and the ones of the service are escaped.
func TestCompletions(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := runOver(t, &fakeAPI{}, "completion", shell); got.code != command.ExitOK ||
			!strings.Contains(got.stdout, completionVariable) {
			t.Errorf("%s: exit %d, %s", shell, got.code, got.stderr)
		}
	}
	if got := runOver(t, &fakeAPI{}, "completion", "tcsh"); got.code != command.ExitUsage {
		t.Errorf("tcsh: %+v", got)
	}
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
		"GET /api/v1/objects": api.ObjectPage{Bucket: "reports", Objects: []api.ObjectEntry{{Key: "a"}, {Key: "$(id)"}}},
		"GET /api/v1/links":   api.LinkPage{Links: []api.Link{testLink()}},
	}}
	has(t, runOver(t, f, "__complete", "share", "").stdout, "s3://reports/")
	got := runOver(t, f, "__complete", "share", "s3://reports/")
	has(t, got.stdout, "s3://reports/a\n", "1 not offered")
	if strings.Contains(got.stdout, "$(id)") {
		t.Errorf("a key that a shell would run is offered: %s", got.stdout)
	}
	has(t, runOver(t, f, "__complete", "revoke", "").stdout, testID())
	has(t, runOver(t, f, "__complete", "list", "--bucket", "").stdout, "reports")
}

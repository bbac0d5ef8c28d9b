package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// Lists are tables, JSON or IDs. A list that is cut says so; an empty one, too.
func TestList(t *testing.T) {
	t.Parallel()
	const path = "GET /api/v1/links"
	page := api.LinkPage{Links: []api.Link{testLink()}, Next: "more"}
	got := runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--state", "active")
	has(t, got.stdout, "ID ", "STATE", testID(), `s3://reports/q3\x1b.pdf`)
	has(t, got.stderr, "There are more: use --limit 2, or --limit 0 for all.")
	got = runOver(t, &fakeAPI{answers: map[string]any{path: page}}, "list", "--limit", "1", "--quiet")
	if got.stdout != testID()+"\n" {
		t.Errorf("--quiet prints %q", got.stdout)
	}
	empty := &fakeAPI{answers: map[string]any{
		path: api.LinkPage{}, "GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	if got := runOver(t, empty, "list"); got.code != command.ExitOK || got.stderr != "No links found.\n" {
		t.Errorf("an empty list: %+v", got)
	}
	got = runOver(t, empty, "list", "--bucket", "report")
	if got.code != command.ExitFailed || !strings.Contains(got.stderr, "did you mean --bucket reports?") {
		t.Errorf("a mistyped bucket: %+v", got)
	}
	for args, want := range map[string]string{
		"--limit -1":         "--limit is -1; it must be 0 or more",
		"--state x":          `--state is "x"`,
		"--bucket s3://b/k":  "--bucket b --prefix k",
		"--prefix a --key b": "--prefix and --key cannot be combined",
		"--prefix s3://a/b":  "without its bucket",
		"--label x":          "is not a label",
	} {
		got := runOver(t, empty, append([]string{"list"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	size := int64(2048)
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Storage: "main", Bucket: "reports"}}},
		"GET /api/v1/objects": api.ObjectPage{
			Bucket: "reports", Folders: []string{"2026/"}, Objects: []api.ObjectEntry{{Key: "a.txt", Size: &size}},
		},
	}}
	has(t, runOver(t, f, "objects").stdout, "STORAGE", "main", "s3://reports")
	has(t, runOver(t, f, "objects", "s3://reports").stdout, "s3://reports/2026/", "2.0 KiB", "s3://reports/a.txt")
	for args, want := range map[string]string{
		"--search x":    "--search and --storage need a bucket",
		"s3://a s3://b": "only one bucket at a time",
		"reports":       "did you mean s3://reports?",
	} {
		got := runOver(t, f, append([]string{"objects"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

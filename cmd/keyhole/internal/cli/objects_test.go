package cli

import (
	"slices"
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
		"--storage x":   "--storage needs a bucket or --search",
		"figures":       "to find objects by a part of their name: keyhole objects --search figures\n",
		"s3://a s3://b": "only one bucket at a time",
		"reports":       "did you mean s3://reports?",
	} {
		got := runOver(t, f, append([]string{"objects"}, strings.Fields(args)...)...)
		if got.code != command.ExitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

// Without a bucket, --search searches all buckets of the key, within one limit.
func TestObjectsSearchAllBuckets(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{
			{Storage: "main", Bucket: "reports"}, {Storage: "other", Bucket: "exports"},
		}},
		"GET /api/v1/objects": api.ObjectPage{Bucket: "b", Objects: []api.ObjectEntry{{Key: "q3-figures.csv"}}},
	}}
	got := runOver(t, f, "objects", "--search", "FIG")
	if got.code != command.ExitOK || strings.Count(got.stdout, "s3://b/q3-figures.csv\n") != 2 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	want := []string{
		"GET /api/v1/buckets", "GET /api/v1/objects?bucket=reports&limit=50&search=FIG&storage=main",
		"GET /api/v1/objects?bucket=exports&limit=49&search=FIG&storage=other",
	}
	if !slices.Equal(f.lines(), want) {
		t.Errorf("sent %q, want %q", f.lines(), want)
	}
	if got := runOver(t, f, "objects", "--search", "FIG", "--limit", "1"); strings.Count(got.stdout, "q3") != 1 ||
		!strings.Contains(got.stderr, "There are more") {
		t.Errorf("--limit: %+v", got)
	}
	if got := runOver(t, f, "objects", "--search", "FIG", "--storage", "main", "--ndjson", "--limit", "0"); strings.Count(
		got.stdout, `"key":"q3-figures.csv"`) != 1 {
		t.Errorf("--storage: %+v", got)
	}
	f.answers["GET /api/v1/objects"] = api.ObjectPage{Bucket: "b"}
	if got := runOver(t, f, "objects", "--search", "*.csv"); got.stdout != "" || got.stderr !=
		"No objects found. --search takes its text literally, without patterns, and ignores case.\n" {
		t.Errorf("nothing: %+v", got)
	}
	f.answers["GET /api/v1/objects"] = api.Problem{Status: 503, Code: "unavailable", Detail: "the storage is unavailable"}
	if got := runOver(t, f, "objects", "--search", "x"); got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("a failure: %+v", got)
	}
}

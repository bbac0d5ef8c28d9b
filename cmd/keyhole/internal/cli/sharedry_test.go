package cli

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// dryBatchAPI answers dry runs as the service does: with links that have no ID and no URL.
func dryBatchAPI(problems map[string]api.Problem) *fakeAPI {
	f := batchAPI(problems, nil)
	answer := f.answers["POST /api/v1/links:batch"].(func(map[string]any) any)
	f.answers["POST /api/v1/links:batch"] = func(body map[string]any) any {
		batch := answer(body).(api.Batch)
		for i := range batch.Results {
			if link := batch.Results[i].Link; link != nil && body["dry_run"] == true {
				link.ID, link.URL = "", ""
				link.Notes = []api.Note{{Code: "etag_only", Message: "pinned to the ETag"}}
			}
		}
		return batch
	}
	return f
}

// --dry-run lets the service check the objects, and issues nothing. Its report goes to
// standard error, because standard output has only URLs.
func TestShareDryRun(t *testing.T) {
	t.Parallel()
	for _, objects := range [][]string{{"s3://reports/a"}, {"s3://reports/a", "s3://reports/b"}} {
		f := dryBatchAPI(nil)
		got := runOver(t, f, append([]string{"share", "--dry-run", "--expires", "2d"}, objects...)...)
		if got.code != command.ExitOK || got.stdout != "" ||
			!slices.Equal(f.lines(), []string{"POST /api/v1/links:batch dry"}) {
			t.Errorf("%q: %+v after %q", objects, got, f.lines())
		}
		has(t, got.stderr, "s3://reports/a", "expires   ", "(as requested)", "the link lives long (long)",
			"notice    pinned to the ETag (etag_only)", "Nothing was issued: this was a dry run.")
		if strings.Contains(got.stderr, "undo") {
			t.Errorf("%q: there is nothing to undo: %s", objects, got.stderr)
		}
	}
	if got := runOver(t, dryBatchAPI(nil), "share", "s3://reports/a", "--dry-run", "--quiet"); got != (result{}) {
		t.Errorf("--quiet: %+v", got)
	}
	// A person has no answer to give to a command that issues nothing.
	if got := runAt(t, dryBatchAPI(nil), "", false, "share", "s3://reports/a", "--dry-run"); got.code != command.ExitOK {
		t.Errorf("on a terminal: %+v", got)
	}
}

// A dry run fails like the issue would: with the same refusal, hint and exit code.
func TestShareDryRunIsRefused(t *testing.T) {
	t.Parallel()
	refused := map[string]api.Problem{"b": missing()}
	got := runOver(t, dryBatchAPI(refused), "share", "s3://reports/b", "--dry-run")
	if got.code != command.ExitFailed || got.stdout != "" {
		t.Errorf("%+v", got)
	}
	has(t, got.stderr, "keyhole: s3://reports/b: there is no such object in the bucket\n",
		"  list the objects: keyhole objects s3://reports/\n")
	got = runOver(t, dryBatchAPI(refused), "share", "s3://reports/a", "s3://reports/b", "--dry-run")
	has(t, got.stderr, "1 of 2 objects refused; no link was issued")
	got = runOver(t, dryBatchAPI(refused), "share", "s3://reports/a", "s3://reports/b", "--dry-run", "--partial")
	if got.code != command.ExitFailed {
		t.Errorf("--partial: %+v", got)
	}
	has(t, got.stderr, "Nothing was issued", "s3://reports/b: there is no such object")
}

// --ndjson prints one line for each link, also for one object and for a dry run.
func TestShareLines(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"s3://reports/a":                          {"https://dl.example.com/gL7GirLNfjRUvzM7663PyG"},
		"s3://reports/a s3://reports/b":           {"https://dl.example.com/1", "https://dl.example.com/2"},
		"s3://reports/a --dry-run":                {""},
		"s3://reports/a s3://reports/b --dry-run": {"", ""},
	} {
		f := dryBatchAPI(nil)
		f.answers["POST /api/v1/links"] = testLink()
		got := runOver(t, f, append([]string{"share", "--ndjson", "--quiet"}, strings.Fields(args)...)...)
		var urls []string
		for line := range strings.Lines(got.stdout) {
			var link api.Link
			if err := json.Unmarshal([]byte(line), &link); err != nil || link.Bucket != "reports" {
				t.Errorf("%s: %v, %s", args, err, line)
			}
			urls = append(urls, link.URL)
		}
		if got.code != command.ExitOK || got.stderr != "" || !slices.Equal(urls, want) {
			t.Errorf("%s: %+v, want %q", args, got, want)
		}
	}
	got := runOver(t, dryBatchAPI(nil), "share", "s3://reports/a", "--dry-run", "--json")
	has(t, got.stdout, `"key": "a"`, `"expires_at"`)
	for flag, want := range map[string]string{
		"--json": "--json and --ndjson cannot be combined", "--message": "--message and --ndjson cannot be combined",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, "share", "s3://reports/a", "--ndjson", flag)
		if got.code != command.ExitUsage || len(f.requests) > 0 || !strings.HasPrefix(got.stderr, "keyhole: "+want) {
			t.Errorf("%s: %+v", flag, got)
		}
	}
}

// A link whose line cannot be written is named, because nobody has its URL.
func TestShareLinesOnAFullDisk(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeAPI{answers: map[string]any{"POST /api/v1/links": testLink()}})
	defer server.Close()
	var stderr strings.Builder
	code := runCLI(t.Context(), []string{"share", "s3://reports/a", "--ndjson"}, command.Env{
		Stdin: strings.NewReader(""), Stdout: noSpace{}, Stderr: &stderr,
		Environ: []string{"KEYHOLE_KEY=k", "KEYHOLE_OPERATOR_URL=" + server.URL},
	})
	if code != command.ExitFailed {
		t.Errorf("exit %d", code)
	}
	has(t, stderr.String(), "the link "+testID()+" was issued, but: its URL cannot be written",
		"keyhole revoke "+testID())
}

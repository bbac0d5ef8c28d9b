package cli

import (
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
)

// list, audit and revoke take an object or a folder as an argument, in the form of share.
func TestS3Arguments(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"GET /api/v1/links": api.LinkPage{Links: someLinks(1)}, "GET /api/v1/audit": api.EventPage{},
	}}
	for args, want := range map[string]string{
		"list s3://reports/a%20b":          "bucket=reports&key=a%2520b&limit=50",
		"list s3://reports/2026/":          "bucket=reports&limit=50&prefix=2026%2F",
		"list s3://reports --used never":   "bucket=reports&limit=50&used=never",
		"audit s3://reports/q3.pdf":        "bucket=reports&key=q3.pdf&limit=50",
		"audit s3://reports/2026/":         "bucket=reports&limit=50&prefix=2026%2F",
		"audit s3://reports --kind issued": "bucket=reports&kind=issued&limit=50",
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if line := f.requests[len(f.requests)-1].line; got.code != command.ExitOK || !strings.HasSuffix(line, "?"+want) {
			t.Errorf("%s: %+v, sent %s", args, got, line)
		}
	}
	f = &fakeAPI{answers: map[string]any{
		"POST /api/v1/revocations": api.Revocation{Matched: 1, Revoked: 1, Done: true},
	}}
	got := runOver(t, f, "revoke", "s3://reports/2026/", "--reason", "wrong file")
	body := f.requests[0].body
	if got.code != command.ExitOK || body["bucket"] != "reports" || body["prefix"] != "2026/" || body["key"] != nil {
		t.Errorf("%+v, sent %v", got, body)
	}
	got = runAt(t, f, "n\n", false, "revoke", "s3://reports/q3.pdf")
	has(t, got.stderr, "Revoke 1 link to objects of s3://reports with the key q3.pdf? [y/N] ", "nothing was revoked")
}

// A mistake in such an argument names the filters, repeats no text that may be secret, and
// sends nothing.
func TestS3ArgumentMistakes(t *testing.T) {
	t.Parallel()
	const token = "gL7GirLNfjRUvzM7663PyG"
	for args, want := range map[string]string{
		"list reports":                     "keyhole list takes flags, and one object or folder as s3://BUCKET/KEY or",
		"list s3://a/b s3://a/c":           "keyhole list takes flags, and one object or folder",
		"audit " + token:                   "filter by --bucket, --prefix or --key; for one link: keyhole show or ",
		"list s3://":                       `"s3://" is not an object or a folder`,
		"list s3://a/b --bucket a":         "cannot be combined with flags that select objects",
		"audit s3://a/b --object s3://a/b": "cannot be combined with flags that select objects",
		"audit s3://a/b --prefix b":        "cannot be combined with flags that select objects",
		"revoke s3://a/b --key b":          "cannot be combined with flags that select objects",
		"revoke s3://a/b " + testID():      "keyhole revoke takes links, or one object or folder as s3://BUCKET/KEY or",
		"revoke s3://a/b s3://a/c":         "keyhole revoke takes links, or one object or folder",
		"revoke s3://a/b --all":            "--all cannot be combined with other filters",
	} {
		f := &fakeAPI{}
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitUsage || got.stdout != "" || len(f.requests) > 0 || strings.Contains(got.stderr, token) {
			t.Errorf("%s: %+v", args, got)
		}
		has(t, got.stderr, want)
	}
}

// An argument for a folder without its slash names an object, so list and revoke say how a
// folder is written if no link matches.
func TestFolderWithoutSlash(t *testing.T) {
	t.Parallel()
	f := &fakeAPI{answers: map[string]any{
		"POST /api/v1/revocations": api.Revocation{Done: true}, "GET /api/v1/links": api.LinkPage{},
		"GET /api/v1/buckets": api.BucketList{Buckets: []api.Bucket{{Bucket: "reports"}}},
	}}
	const advice = "for a folder end with a slash: s3://reports/2026/\n"
	for args, want := range map[string]bool{
		"revoke s3://reports/2026": true, "revoke s3://reports/2026 --dry-run": true, "list s3://reports/2026": true,
		"revoke s3://reports/2026/": false, "list s3://reports/2026/": false, "list --key 2026 --bucket reports": false,
	} {
		got := runOver(t, f, strings.Fields(args)...)
		if got.code != command.ExitOK || strings.HasSuffix(got.stderr, advice) != want {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

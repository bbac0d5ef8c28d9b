//go:build system

package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// placeFile puts a file straight into the directory of a bucket, so that versitygw
// knows no ETag of it.
func placeFile(t *testing.T, server *s3test.Server, bucket, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(server.Directory, bucket, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestShareWithoutETag shares a file of which the storage knows neither a version
// nor an ETag.
func TestShareWithoutETag(t *testing.T) {
	in := install(t)
	placeFile(t, in.s3, "reports", "file.txt", "welcome")
	g := in.start()
	link, shown := shareAs(t, g, in, "--yes")
	if !strings.Contains(shown, "(not_pinned)") || strings.Contains(shown, "etag_only") {
		t.Errorf("it says %s", shown)
	}
	if got := fetched(t, link); got != "welcome" {
		t.Errorf("got %q", got)
	}
	placeFile(t, in.s3, "reports", "file.txt", "replaced")
	if got := fetched(t, link); got != "replaced" {
		t.Errorf("after a replacement: got %q", got)
	}
	sensitive := api.IssueRequest{Bucket: "reports", Key: "file.txt", Sensitive: new(true)}
	_, err := g.client.Issue(t.Context(), sensitive)
	wantRefusal(t, err, "pin not_pinnable")
	sensitive.Pin = "none"
	if link, err := g.client.Issue(t.Context(), sensitive); err != nil || link.Pin != "none" {
		t.Errorf("with the pin none: got %q, %v", link.Pin, err)
	}
}

//go:build system

package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// pinned is an object whose link is pinned, and what happens to the object.
type pinned struct {
	t      *testing.T
	s3     *s3test.Server
	bucket string
	key    string
	// versions holds the versions by content, and under "" the delete marker.
	versions map[string]string
}

// put stores content.
func (p *pinned) put(content string) {
	p.t.Helper()
	p.versions[content] = aws.ToString(p.s3.Put(p.t, p.bucket, p.key, "text/plain", []byte(content)).VersionId)
}

// apply does what a step says: put CONTENT, delete, purge CONTENT (its version,
// for good), or nothing.
func (p *pinned) apply(step string) {
	p.t.Helper()
	what, content, _ := strings.Cut(step, " ")
	switch what {
	case "put":
		p.put(content)
	case "delete":
		p.s3.Delete(p.t, p.bucket, p.key, "")
	case "undelete": // removes the delete marker
		p.s3.Delete(p.t, p.bucket, p.key, p.s3.DeleteMarker(p.t, p.bucket, p.key))
	case "purge":
		p.s3.Delete(p.t, p.bucket, p.key, p.versions[content])
	case "nothing":
	default:
		p.t.Fatalf("no such step: %s", step)
	}
}

// fetched opens a link like a recipient and returns the content, or the code of
// the refusal.
func fetched(t *testing.T, link string) string {
	t.Helper()
	a, err := ask(t.Context(), http.DefaultClient, http.MethodGet, link, nil, "Accept", "application/problem+json")
	if err != nil {
		t.Fatal(err)
	}
	if a.status == http.StatusOK {
		return a.body
	}
	_, code, _ := strings.Cut(a.body, `"code":"`)
	code, _, _ = strings.Cut(code, `"`)
	return fmt.Sprint(a.status, " ", code)
}

// TestPins follows pinned links through all that can happen to their objects.
func TestPins(t *testing.T) {
	t.Parallel()
	const changed, gone = "410 object_changed", "410 object_gone"
	type step struct{ do, want string }
	tests := []struct {
		name   string
		bucket string // exports keeps versions
		pin    string
		became string // what the pin came to
		steps  []step // after the object holds one
	}{
		{"auto with versions", "exports", "", "version", []step{
			{"nothing", "one"},
			{"put two", "one"},
			{"delete", gone},
			{"undelete", "one"},
			{"put three", "one"},
			{"purge one", gone},
		}},
		{"a version that goes while it is current", "exports", "version", "version", []step{{"purge one", gone}}},
		{
			"a new object in place of a deleted one", "exports", "auto", "version",
			[]step{{"delete", gone}, {"put two", "one"}},
		},
		{"etag with versions", "exports", "etag", "etag", []step{
			{"nothing", "one"}, {"put two", changed}, {"put one", "one"}, {"delete", gone}, {"undelete", "one"},
		}},
		{
			"none with versions", "exports", "none", "none",
			[]step{{"nothing", "one"}, {"put two", "two"}, {"delete", "404 "}, {"undelete", "two"}},
		},
		{"auto without versions", "reports", "", "etag", []step{
			{"nothing", "one"},
			{"put two", changed},
			{"put one", "one"},
			{"delete", gone},
			{"put two", changed},
			{"put one", "one"},
		}},
		{"etag without versions", "reports", "etag", "etag", []step{{"put two", changed}, {"delete", gone}}},
		{
			"none without versions", "reports", "none", "none",
			[]step{{"put two", "two"}, {"delete", "404 "}, {"put three", "three"}},
		},
	}
	for name, start := range s3test.Real() {
		t.Run(name, func(t *testing.T) {
			in := installOver(t, start(t, "reports", "exports"))
			in.s3.KeepVersions(t, "exports", true)
			g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
			for i, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					p := &pinned{t: t, s3: in.s3, bucket: tt.bucket, key: fmt.Sprintf("pins/%d.txt", i), versions: map[string]string{}}
					p.put("one")
					link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: tt.bucket, Key: p.key, Pin: tt.pin})
					if err != nil || link.Pin != tt.became || (link.Object.VersionID != "") != (tt.bucket == "exports") {
						t.Fatalf("got the pin %q of version %q, %v; want %s", link.Pin, link.Object.VersionID, err, tt.became)
					}
					for _, s := range tt.steps {
						p.apply(s.do)
						if got := fetched(t, link.URL); got != s.want {
							t.Errorf("after %s: got %q, want %q", s.do, got, s.want)
						}
					}
				})
			}
			t.Run("an older version by its ID", func(t *testing.T) {
				p := &pinned{t: t, s3: in.s3, bucket: "exports", key: "pins/older.txt", versions: map[string]string{}}
				p.put("one")
				p.put("two")
				link, err := g.client.Issue(t.Context(),
					api.IssueRequest{Bucket: p.bucket, Key: p.key, VersionID: p.versions["one"]})
				if err != nil || link.Pin != "version" || link.Object.VersionID != p.versions["one"] {
					t.Fatalf("got %+v, %v", link, err)
				}
				if got := fetched(t, link.URL); got != "one" {
					t.Errorf("got %q", got)
				}
				p.apply("delete")
				if got := fetched(t, link.URL); got != gone {
					t.Errorf("with the object deleted: got %q", got)
				}
			})
			t.Run("what cannot be pinned", func(t *testing.T) {
				p := &pinned{t: t, s3: in.s3, bucket: "exports", key: "pins/bad.txt", versions: map[string]string{}}
				p.put("one")
				in.put(t, p.key, []byte("one"))
				old := p.versions["one"]
				p.put("two")
				p.apply("purge one")
				for _, r := range []struct {
					request api.IssueRequest
					want    string
				}{
					{api.IssueRequest{Bucket: "reports", Pin: "version"}, "pin no_versions"},
					{api.IssueRequest{Bucket: "reports", VersionID: old}, "version_id no_versions"},
					{api.IssueRequest{Bucket: "exports", VersionID: "null"}, "version_id no_versions"},
					{api.IssueRequest{Bucket: "exports", VersionID: old}, "version_id object_not_found"},
					{api.IssueRequest{Bucket: "exports", VersionID: "no-such-version"}, "version_id object_not_found"},
				} {
					r.request.Key = p.key
					_, err := g.client.Issue(t.Context(), r.request)
					wantRefusal(t, err, r.want)
				}
				p.apply("delete")
				_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "exports", Key: p.key, VersionID: p.versions["two"]})
				wantRefusal(t, err, "key object_not_found")
			})
			t.Run("versions suspended", func(t *testing.T) { testVersionsSuspended(t, in, g) })
		})
	}
}

// testVersionsSuspended follows links to objects of the bucket exports, which keeps
// no more versions but has those of before.
func testVersionsSuspended(t *testing.T, in *installation, g *instance) {
	t.Helper()
	const changed, gone = "410 object_changed", "410 object_gone"
	before := &pinned{t: t, s3: in.s3, bucket: "exports", key: "pins/before.txt", versions: map[string]string{}}
	before.put("one")
	older, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: before.bucket, Key: before.key})
	if err != nil || older.Pin != "version" {
		t.Fatalf("got the pin %q, %v", older.Pin, err)
	}
	in.s3.KeepVersions(t, "exports", false)
	kept := before.versions["one"]
	before.put("two") // it has the version null, which versitygw does not report
	if got := fetched(t, older.URL); got != "one" {
		t.Errorf("pinned to a version before: got %q", got)
	}
	again, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: before.bucket, Key: before.key, VersionID: kept})
	if err != nil || again.Object.VersionID != kept || again.Object.Size == nil || *again.Object.Size != 3 {
		t.Errorf("issued by that version: got version %q of %v bytes, %v", again.Object.VersionID, again.Object.Size, err)
	} else if got := fetched(t, again.URL); got != "one" {
		t.Errorf("issued by that version: got %q", got)
	}
	in.s3.Delete(t, before.bucket, before.key, kept)
	if got := fetched(t, older.URL); got != gone {
		t.Errorf("with that version deleted: got %q", got)
	}

	p := &pinned{t: t, s3: in.s3, bucket: "exports", key: "pins/suspended.txt", versions: map[string]string{}}
	p.put("one")
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: p.bucket, Key: p.key})
	if err != nil || link.Pin != "etag" || link.Object.VersionID != "" {
		t.Fatalf("got the pin %q of version %q, %v", link.Pin, link.Object.VersionID, err)
	}
	p.put("two")
	if got := fetched(t, link.URL); got != changed {
		t.Errorf("got %q", got)
	}
}

// wantRefusal holds an error to be the service's refusal of one field, as field
// and code.
func wantRefusal(t *testing.T, err error, want string) {
	t.Helper()
	refused := refusalOf(err)
	if refused == nil || len(refused.Errors) != 1 || refused.Errors[0].Field+" "+refused.Errors[0].Code != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

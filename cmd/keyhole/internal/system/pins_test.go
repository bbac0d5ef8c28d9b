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

// The refusals of clicks on links whose objects have changed or are gone.
const (
	objectChanged = "410 object_changed"
	objectGone    = "410 object_gone"
)

// pinTest follows one pinned link through changes of its object.
type pinTest struct {
	name   string
	bucket string // exports keeps versions
	pin    string
	became string    // what the pin came to
	steps  []pinStep // after the object holds one
}

// pinStep is a change of the object and what the next click then gets.
type pinStep struct{ do, want string }

// pinTests are all that can happen to the objects of pinned links.
func pinTests() []pinTest {
	return []pinTest{
		{"auto with versions", "exports", "", "version", []pinStep{
			{"nothing", "one"},
			{"put two", "one"},
			{"delete", objectGone},
			{"undelete", "one"},
			{"put three", "one"},
			{"purge one", objectGone},
		}},
		{"a version that goes while it is current", "exports", "version", "version", []pinStep{{"purge one", objectGone}}},
		{
			"a new object in place of a deleted one", "exports", "auto", "version",
			[]pinStep{{"delete", objectGone}, {"put two", "one"}},
		},
		{"etag with versions", "exports", "etag", "etag", []pinStep{
			{"nothing", "one"}, {"put two", objectChanged}, {"put one", "one"}, {"delete", objectGone}, {"undelete", "one"},
		}},
		{
			"none with versions", "exports", "none", "none",
			[]pinStep{{"nothing", "one"}, {"put two", "two"}, {"delete", "404 "}, {"undelete", "two"}},
		},
		{"auto without versions", "reports", "", "etag", []pinStep{
			{"nothing", "one"},
			{"put two", objectChanged},
			{"put one", "one"},
			{"delete", objectGone},
			{"put two", objectChanged},
			{"put one", "one"},
		}},
		{"etag without versions", "reports", "etag", "etag", []pinStep{{"put two", objectChanged}, {"delete", objectGone}}},
		{
			"none without versions", "reports", "none", "none",
			[]pinStep{{"put two", "two"}, {"delete", "404 "}, {"put three", "three"}},
		},
	}
}

// TestPins follows pinned links through all that can happen to their objects.
func TestPins(t *testing.T) {
	t.Parallel()
	for name, start := range s3test.Real() {
		t.Run(name, func(t *testing.T) {
			in := installOver(t, start(t, "reports", "exports"))
			in.s3.KeepVersions(t, "exports", true)
			g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
			for i, tt := range pinTests() {
				t.Run(tt.name, func(t *testing.T) { tt.follow(t, in, g, fmt.Sprintf("pins/%d.txt", i)) })
			}
			t.Run("an older version by its ID", func(t *testing.T) { testOlderVersion(t, in, g) })
			t.Run("an object that cannot be pinned", func(t *testing.T) { testUnpinnable(t, in, g) })
			t.Run("versions suspended", func(t *testing.T) { testVersionsSuspended(t, in, g) })
		})
	}
}

// follow issues a link to the object with this key, and applies the steps.
func (tt *pinTest) follow(t *testing.T, in *installation, g *instance, key string) {
	t.Helper()
	p := &pinned{t: t, s3: in.s3, bucket: tt.bucket, key: key, versions: map[string]string{}}
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
}

// testOlderVersion issues a link to a version that is not the current one.
func testOlderVersion(t *testing.T, in *installation, g *instance) {
	t.Helper()
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
	if got := fetched(t, link.URL); got != objectGone {
		t.Errorf("with the object deleted: got %q", got)
	}
}

// testUnpinnable issues links to versions that do not exist.
func testUnpinnable(t *testing.T, in *installation, g *instance) {
	t.Helper()
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
}

// testVersionsSuspended follows links to objects of the bucket exports, which keeps
// no more versions but has those of before.
func testVersionsSuspended(t *testing.T, in *installation, g *instance) {
	t.Helper()
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
	if got := fetched(t, older.URL); got != objectGone {
		t.Errorf("with that version deleted: got %q", got)
	}

	p := &pinned{t: t, s3: in.s3, bucket: "exports", key: "pins/suspended.txt", versions: map[string]string{}}
	p.put("one")
	link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: p.bucket, Key: p.key})
	if err != nil || link.Pin != "etag" || link.Object.VersionID != "" {
		t.Fatalf("got the pin %q of version %q, %v", link.Pin, link.Object.VersionID, err)
	}
	p.put("two")
	if got := fetched(t, link.URL); got != objectChanged {
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

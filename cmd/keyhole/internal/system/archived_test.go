//go:build system

package system

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// archiveObject makes the storage behind a front answer as S3 does for objects
// whose key contains name: HEAD shows the class, GET says InvalidObjectState. The
// objects are not really archived: versitygw has no archive.
func archiveObject(front *storageFront, name string) {
	front.answerWith(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, name) {
			return false
		}
		const body = "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object's storage " +
			"class</Message></Error>"
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, body) // the client may have hung up
		return true
	})
	front.changeAnswers(func(r *http.Request, _ int, h http.Header) {
		if r.Method == http.MethodHead && strings.Contains(r.URL.Path, name) {
			h.Set("X-Amz-Storage-Class", "GLACIER")
		}
	})
}

// TestArchivedAfterTheIssue archives objects that are shared: their links refuse
// every method by name, spend nothing, and work again once they are restored.
func TestArchivedAfterTheIssue(t *testing.T) {
	server := s3test.Start(t, "reports", "exports")
	server.KeepVersions(t, "exports", true)
	front, behind := startFront(t, server)
	in := installOver(t, behind)
	in.put(t, "file.txt", []byte("content"))
	server.Put(t, "exports", "file.txt", "text/plain", []byte("content"))
	g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
	c := unfollowed()
	defer c.CloseIdleConnections()
	for _, tt := range []struct {
		bucket, pin string
		want        int // status of a POST while the object is archived
	}{{"reports", "etag", 410}, {"exports", "version", 410}, {"reports", "none", 303}} {
		t.Run(tt.pin, func(t *testing.T) {
			front.answerWith(nil)
			front.changeAnswers(func(*http.Request, int, http.Header) {})
			once, err := g.client.Issue(
				t.Context(),
				api.IssueRequest{Bucket: tt.bucket, Key: "file.txt", Pin: tt.pin, MaxClicks: new(int64(1))},
			)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := g.client.Issue(
				t.Context(),
				api.IssueRequest{Bucket: tt.bucket, Key: "file.txt", Pin: tt.pin},
			)
			if err != nil {
				t.Fatal(err)
			}
			archiveObject(front, "/file.txt")
			refused, err := post(
				t.Context(),
				c,
				once.URL,
				confirmation(nonceOf(t, once.URL)),
				"Accept",
				"application/json",
			)
			if err != nil || refused.status != tt.want ||
				(refused.status == 410) != strings.Contains(refused.body, `"code":"object_archived"`) {
				t.Errorf("POST: %d %s, %v", refused.status, refused.body, err)
			}
			if tt.want != http.StatusGone {
				return // the storage is asked nothing
			}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				if a := get(t, method, plain.URL, "Accept", "application/json"); a.status != http.StatusGone {
					t.Errorf("%s: %d %s", method, a.status, a.body)
				}
			}
			if link, err := g.client.Show(
				t.Context(),
				once.ID,
			); err != nil || link.State != "active" ||
				link.Clicks != 0 {
				t.Errorf("the link of one click is %s after %d clicks, %v", link.State, link.Clicks, err)
			}
			front.answerWith(nil) // restored: the class stays
			delivered, err := post(t.Context(), c, once.URL, confirmation(nonceOf(t, once.URL)))
			if err != nil || delivered.status != http.StatusSeeOther {
				t.Errorf("restored: %d %s, %v", delivered.status, delivered.body, err)
			}
		})
	}
}

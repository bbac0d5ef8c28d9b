//go:build system

package system

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/objects/s3test"
)

// principals are how the servers name the user of the tests in a policy.
func principals() map[string]string {
	return map[string]string{"versitygw": s3test.UserKey, "Ceph RGW": "arn:aws:iam:::user/" + s3test.UserKey}
}

// bucketPolicy is the shipped policy of a bucket, for the user of the tests,
// without the actions that it is to lack.
func bucketPolicy(t *testing.T, server *s3test.Server, bucket string, without ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/iam/bucket-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	policy := strings.ReplaceAll(string(text), "arn:aws:iam::111122223333:role/keyhole", principals()[server.Name])
	policy = strings.ReplaceAll(policy, "arn:aws:s3:::reports", "arn:aws:s3:::"+bucket)
	for _, action := range without { // a harmless one stands in its place
		harmless := "s3:GetObjectTagging"
		if action == "s3:ListBucket" {
			harmless = "s3:GetBucketTagging"
		}
		policy = strings.Replace(policy, `"`+action+`"`, `"`+harmless+`"`, 1)
	}
	if strings.Contains(policy, "111122223333") || !strings.Contains(policy, principals()[server.Name]) ||
		!json.Valid([]byte(policy)) {
		t.Fatalf("the policy is %s", policy)
	}
	return policy
}

// TestLeastPrivilege runs the service, and the doctor, with the rights of
// deploy/iam alone, and with each of them missing.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	for name, start := range s3test.Real() {
		t.Run(name, func(t *testing.T) {
			in := installOver(t, start(t, "reports", "exports"))
			in.s3.AddUser(t)
			in.s3.KeepVersions(t, "exports", true)
			in.s3KeyID, in.s3Secret = s3test.UserKey, s3test.UserSecret
			for _, bucket := range []string{"reports", "exports"} {
				in.s3.Put(t, bucket, "file", "text/plain", []byte("content"))
				in.s3.SetPolicy(t, bucket, bucketPolicy(t, in.s3, bucket))
			}
			g := in.start("KEYHOLE_REDIRECT_OBJECT_CHECK=0s")
			storage := at(in.s3.Endpoint(), "buckets: [reports, exports]"+as(t, s3test.UserKey, s3test.UserSecret))
			code, found, printed := doctor(t, storage)
			if code != command.ExitOK || slices.ContainsFunc(found, func(f doctorFinding) bool { return f.Level == "warning" }) {
				t.Errorf("the doctor is not content: exit %d, %s", code, printed)
			}
			for bucket, pin := range map[string]string{"reports": "etag", "exports": "version"} {
				link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: bucket, Key: "file"})
				if err != nil || link.Pin != pin {
					t.Fatalf("%s: got the pin %q, %v", bucket, link.Pin, err)
				}
				if got := fetched(t, link.URL); got != "content" {
					t.Errorf("%s: got %q", bucket, got)
				}
				in.s3.Delete(t, bucket, "file", "")
				if got := fetched(t, link.URL); got != "410 object_gone" {
					t.Errorf("%s: with the object deleted: %q", bucket, got)
				}
				_, err = g.client.Issue(t.Context(), api.IssueRequest{Bucket: bucket, Key: "file"})
				wantRefusal(t, err, "key object_not_found")
				in.s3.Put(t, bucket, "file", "text/plain", []byte("content"))
			}

			t.Run("without s3:GetObjectVersion", func(t *testing.T) {
				in.s3.SetPolicy(t, "exports", bucketPolicy(t, in.s3, "exports", "s3:GetObjectVersion"))
				link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "exports", Key: "file"})
				if err != nil {
					t.Fatal(err)
				}
				if link.Pin != "etag" {
					t.Errorf("pinned to %s", link.Pin)
				}
				if got := fetched(t, link.URL); got != "content" {
					t.Errorf("got %q", got)
				}
				if _, findings, printed := doctor(t, storage); !warns(findings, "versions") {
					t.Errorf("the doctor does not warn: %s", printed)
				}
			})
			t.Run("without s3:ListBucket", func(t *testing.T) {
				in.s3.SetPolicy(t, "reports", bucketPolicy(t, in.s3, "reports", "s3:ListBucket"))
				_, findings, printed := doctor(t, storage)
				if !warns(findings, "list") {
					t.Errorf("the doctor does not warn: %s", printed)
				}
				link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: "file"})
				if err != nil {
					t.Fatal(err)
				}
				if got := fetched(t, link.URL); got != "content" {
					t.Errorf("got %q", got)
				}
				in.s3.Delete(t, "reports", "file", "")
				// versitygw tells what is missing to everybody who may read.
				if want := map[string]string{"versitygw": "410 object_gone", "Ceph RGW": "503 unavailable"}[name]; fetched(t,
					link.URL) != want {
					t.Errorf("with the object deleted: got %q, want %q", fetched(t, link.URL), want)
				}
			})
			t.Run("without s3:GetObject", func(t *testing.T) {
				in.s3.SetPolicy(t, "exports", bucketPolicy(t, in.s3, "exports", "s3:GetObject", "s3:GetObjectVersion"))
				_, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "exports", Key: "file"})
				wantRefusal(t, err, "key object_not_readable")
			})
		})
	}
}

// warns tells whether there is a warning of that check.
func warns(findings []doctorFinding, check string) bool {
	for _, f := range findings {
		if f.Level == "warning" && f.Check == check {
			return true
		}
	}
	return false
}

// The policy of the role and that of the bucket give the same rights.
func TestPoliciesAgree(t *testing.T) {
	t.Parallel()
	type statement struct {
		Effect   string
		Action   any
		Resource any
	}
	read := func(name string) (rights map[string]bool, err error) {
		text, err := os.ReadFile("../../../../deploy/iam/" + name)
		if err != nil {
			return nil, err
		}
		var policy struct{ Statement []statement }
		if err := json.Unmarshal(text, &policy); err != nil {
			return nil, err
		}
		rights = map[string]bool{}
		for _, s := range policy.Statement {
			if s.Effect != "Allow" {
				return nil, errors.New("a statement that does not allow")
			}
			for _, action := range list(s.Action) {
				for _, resource := range list(s.Resource) {
					rights[action+" on "+resource] = true
				}
			}
		}
		return rights, nil
	}
	role, err := read("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := read("bucket-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(bucket) != 3 || len(role) != 6 {
		t.Errorf("the bucket's policy gives %v, the role's %v", bucket, role)
	}
	for right := range bucket {
		if !role[right] || !role[strings.Replace(right, "reports", "exports", 1)] {
			t.Errorf("%s is in the bucket's policy alone", right)
		}
	}
}

// list returns the words of a policy's member, which is one or several.
func list(member any) []string {
	if one, ok := member.(string); ok {
		return []string{one}
	}
	var words []string
	for _, word := range member.([]any) {
		words = append(words, word.(string))
	}
	return words
}

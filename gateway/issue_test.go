package gateway

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.objects.info = ObjectInfo{
		Size: 7, ETag: `"abc"`, VersionID: "v9", ContentType: "application/pdf", LastModified: f.now,
	}
	issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{
		Storage: "main", Bucket: "reports", Key: "2026/q3.pdf", Sensitive: new(false),
		Filename: "figures.pdf", Note: "for the audit", Labels: map[string]string{"team": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !ValidToken(issued.Token) || issued.Link.ID != IDOf(issued.Token) {
		t.Errorf("token of %d characters, id %s", len(issued.Token), issued.Link.ID)
	}
	link := issued.Link
	if link.State != StateActive || link.Ref != (ObjectRef{"main", "reports", "2026/q3.pdf"}) ||
		link.Object.ETag != `"abc"` || link.Object.Size != 7 || link.Object.ContentType != "application/pdf" ||
		link.Preset != PresetBusiness || link.Sensitive == nil || *link.Sensitive || link.CreatedBy != "ops" ||
		link.Filename != "figures.pdf" || link.Disposition != DispositionAttachment || link.Pin != PinVersion ||
		link.Note != "for the audit" || link.Labels["team"] != "a" || len(link.Notes) != 1 ||
		link.Notes[0].Code != NoteVersionPinned {
		t.Errorf("the link is %+v", link)
	}
	if f.store.life != 24*time.Hour || f.store.by != (Origin{"ops", "192.0.2.1"}) {
		t.Errorf("stored for %s by %+v", f.store.life, f.store.by)
	}
	if !slices.Equal(f.objects.proved, []string{"reports/2026/q3.pdf"}) {
		t.Errorf("proved %v", f.objects.proved)
	}
	if n := f.series(t)["keyhole_links_issued_total{preset=business,storage=main}"]; n != 1 {
		t.Errorf("%v links counted", n)
	}
}

func TestIssueNeverGivesTheSameTokenTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	seen := map[string]bool{}
	for range 100 {
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a"})
		if err != nil || seen[issued.Token] {
			t.Fatalf("got %v, seen before: %v", err, seen[issued.Token])
		}
		seen[issued.Token] = true
	}
}

// A key learns nothing of buckets and storages in which it may see nothing, and need not
// say which of several it means where it sees one of them.
func TestIssueHidesBuckets(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	actor := everything()
	actor.Objects = []Pattern{"main:reports/a/*"}
	var answers []error
	for _, req := range []IssueRequest{
		{Bucket: "exports", Key: "a/1"},
		{Bucket: "nowhere", Key: "a/1"},
		{Storage: "nowhere", Bucket: "reports", Key: "a/1"},
		{Storage: "other", Bucket: "reports", Key: "a/1"},
		{Storage: "other", Bucket: "archive", Key: "a/1"},
		{Bucket: "reports", Key: "b"},
	} {
		_, err := f.service.Issue(t.Context(), actor, &req)
		wantCode(t, err, CodeOutOfScope)
		if answers = append(answers, err); !reflect.DeepEqual(err, answers[0]) {
			t.Errorf("%+v: got %+v, and before %+v", req, err, answers[0])
		}
	}
	issued, err := f.service.Issue(t.Context(), actor, &IssueRequest{Bucket: "reports", Key: "a/1"})
	if err != nil || issued.Link.Ref.Storage != "main" {
		t.Errorf("got %+v, %v; want a link to main", issued.Link.Ref, err)
	}
}

// What a key may be, and what not.
func TestIssueTakesKeysLiterally(t *testing.T) {
	t.Parallel()
	good := []string{
		"a", "%2e%2e/x", "a//b", "/lead", "dir/", "//", "a/.../b", "..a", ".hidden", "a/..b/c",
		`sp ace+%20?#&;'"\`, "emoji 📄", "caf\u00e9", "cafe\u0301", "\u202egnp.exe", "\x7f", strings.Repeat("k", 1024),
	}
	for _, key := range good {
		f := newFixture(t, nil)
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: key})
		if err != nil || issued.Link.Ref.Key != key || !slices.Equal(f.objects.proved, []string{"exports/" + key}) {
			t.Errorf("%.40q: got %.40q, %v; proved %.60q", key, issued.Link.Ref.Key, err, f.objects.proved)
		}
	}
	bad := map[string]string{
		"": "required", strings.Repeat("k", 1025): "too_long", strings.Repeat("é", 513): "too_long",
		"a\x00b": "invalid", "a\nb": "invalid", "\x1f": "invalid", "\t": "invalid", "a\r": "invalid",
		".": "invalid", "..": "invalid", "../x": "invalid", "a/..": "invalid", "a/../b": "invalid",
		"a/./b": "invalid", "./a": "invalid", "a//..//b": "invalid",
	}
	for key, code := range bad {
		f := newFixture(t, nil)
		_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: key})
		wantField(t, err, "key", code)
		if f.store.calls != 0 || len(f.objects.proved) != 0 {
			t.Errorf("%.40q: the store or the storage was asked", key)
		}
	}
}

func TestIssueRefusesByField(t *testing.T) {
	t.Parallel()
	labels := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("l%d", i)] = "v"
		}
		return m
	}
	one := func(name, value string) map[string]string { return map[string]string{name: value} }
	tests := []struct {
		name        string
		request     IssueRequest
		field, code string // none: it is issued
	}{
		{"no bucket", IssueRequest{Key: "a"}, "bucket", "required"},
		{"dots for a bucket", IssueRequest{Bucket: "..", Key: "a"}, "bucket", "unknown_bucket"},
		{"a path for a bucket", IssueRequest{Bucket: "a/../b", Key: "a"}, "bucket", "unknown_bucket"},
		{"a host for a bucket", IssueRequest{Bucket: "evil.com/", Key: "a"}, "bucket", "unknown_bucket"},
		{"upper case", IssueRequest{Bucket: "EXPORTS", Key: "a"}, "bucket", "unknown_bucket"},
		{"an ARN", IssueRequest{Bucket: "arn:aws:s3:::exports", Key: "a"}, "bucket", "unknown_bucket"},
		{"a directory bucket", IssueRequest{Bucket: "x--x-s3", Key: "a"}, "bucket", "unknown_bucket"},
		{"unlisted", IssueRequest{Bucket: "secrets", Key: "a"}, "bucket", "unknown_bucket"},
		{
			"a bucket of another storage",
			IssueRequest{Storage: "main", Bucket: "archive", Key: "a"},
			"bucket",
			"unknown_bucket",
		},
		{"an unknown storage", IssueRequest{Storage: "moon", Bucket: "exports", Key: "a"}, "storage", "unknown_storage"},
		{"a bucket of two storages", IssueRequest{Bucket: "reports", Key: "a"}, "storage", "required"},
		{"a bucket of two storages, which", IssueRequest{Storage: "other", Bucket: "reports", Key: "a"}, "", ""},
		{"a file name with a path", IssueRequest{Bucket: "exports", Key: "a", Filename: "a/b"}, "filename", "invalid"},
		{"with a backslash", IssueRequest{Bucket: "exports", Key: "a", Filename: `a\b`}, "filename", "invalid"},
		{"with CRLF", IssueRequest{Bucket: "exports", Key: "a", Filename: "a\r\nSet-Cookie: x"}, "filename", "invalid"},
		{"with U+202E", IssueRequest{Bucket: "exports", Key: "a", Filename: "exe.\u202efdp"}, "filename", "invalid"},
		{"with a zero-width joiner", IssueRequest{Bucket: "exports", Key: "a", Filename: "👩\u200d💻.txt"}, "", ""},
		{"with a zero-width non-joiner", IssueRequest{Bucket: "exports", Key: "a", Filename: "می\u200cخواهم.txt"}, "", ""},
		{"of joiners", IssueRequest{Bucket: "exports", Key: "a", Filename: "\u200c.\u200d"}, "filename", "invalid"},
		{"with U+200F", IssueRequest{Bucket: "exports", Key: "a", Filename: "a\u200fb"}, "filename", "invalid"},
		{"with U+2067", IssueRequest{Bucket: "exports", Key: "a", Filename: "a\u2067b"}, "filename", "invalid"},
		{
			"of 256 bytes", IssueRequest{Bucket: "exports", Key: "a", Filename: strings.Repeat("f", 256)}, "filename", "invalid",
		},
		{"of 255 bytes", IssueRequest{Bucket: "exports", Key: "a", Filename: strings.Repeat("f", 255)}, "", ""},
		{"with quotes", IssueRequest{Bucket: "exports", Key: "a", Filename: `"; filename=x.exe`}, "", ""},
		{"with markup", IssueRequest{Bucket: "exports", Key: "a", Filename: "<img onerror>"}, "", ""},
		{"disposition", IssueRequest{Bucket: "exports", Key: "a", Disposition: "INLINE"}, "disposition", "invalid"},
		{"disposition inline", IssueRequest{Bucket: "exports", Key: "a", Disposition: "inline"}, "", ""},
		{"pin auto", IssueRequest{Bucket: "exports", Key: "a", Pin: "auto"}, "", ""},
		{"pin etag", IssueRequest{Bucket: "exports", Key: "a", Pin: "etag"}, "", ""},
		{"pin none", IssueRequest{Bucket: "exports", Key: "a", Pin: "none"}, "", ""},
		{
			"a version and the pin etag",
			IssueRequest{Bucket: "exports", Key: "a", Pin: "etag", VersionID: "v1"},
			"version_id",
			"conflict",
		},
		{
			"a version and no pin",
			IssueRequest{Bucket: "exports", Key: "a", Pin: "none", VersionID: "v1"},
			"version_id",
			"conflict",
		},
		{"the version null", IssueRequest{Bucket: "exports", Key: "a", VersionID: "null"}, "version_id", "no_versions"},
		{"a version with CRLF", IssueRequest{Bucket: "exports", Key: "a", VersionID: "v\r\n1"}, "version_id", "invalid"},
		{
			"a version of 1025 bytes",
			IssueRequest{Bucket: "exports", Key: "a", VersionID: strings.Repeat("v", 1025)},
			"version_id", "invalid",
		},
		{"pin unknown", IssueRequest{Bucket: "exports", Key: "a", Pin: "x"}, "pin", "invalid"},
		{"a note of 1001", IssueRequest{Bucket: "exports", Key: "a", Note: strings.Repeat("é", 1001)}, "note", "too_long"},
		{"a note of 1000", IssueRequest{Bucket: "exports", Key: "a", Note: strings.Repeat("é", 1000)}, "", ""},
		{"17 labels", IssueRequest{Bucket: "exports", Key: "a", Labels: labels(17)}, "labels", "too_many"},
		{"16 labels", IssueRequest{Bucket: "exports", Key: "a", Labels: labels(16)}, "", ""},
		{"a label without a name", IssueRequest{Bucket: "exports", Key: "a", Labels: one("", "v")}, "labels", "invalid"},
		{
			"a label's name in upper case",
			IssueRequest{Bucket: "exports", Key: "a", Labels: one("Team", "v")},
			"labels",
			"invalid",
		},
		{
			"a label's name of 64",
			IssueRequest{Bucket: "exports", Key: "a", Labels: one(strings.Repeat("n", 64), "v")},
			"labels", "invalid",
		},
		{"a label's name with =", IssueRequest{Bucket: "exports", Key: "a", Labels: one("a=b", "v")}, "labels", "invalid"},
		{
			"a label's value of 257 bytes",
			IssueRequest{Bucket: "exports", Key: "a", Labels: one("n", strings.Repeat("v", 257))},
			"labels", "invalid",
		},
		{
			"a label's value with CRLF",
			IssueRequest{Bucket: "exports", Key: "a", Labels: one("n", "a\r\nb")},
			"labels",
			"invalid",
		},
		{
			"a label's value with markup",
			IssueRequest{Bucket: "exports", Key: "a", Labels: one("n.a-b_1", "<img onerror>=cmd()")},
			"", "",
		},
		{"expiry 0", IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "0s"}, "expires_in", "invalid"},
		{"expiry negative", IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "-1h"}, "expires_in", "invalid"},
		{"expiry over policy", IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "8d"}, "expires_in", "over_policy"},
		{
			"sensitive by policy",
			IssueRequest{Bucket: "exports", Key: "x/invoices/1", Sensitive: new(false)},
			"sensitive",
			"sensitive_object",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			_, err := f.service.Issue(t.Context(), everything(), &tt.request)
			if tt.code == "" {
				if err != nil || len(f.store.created) != 1 {
					t.Errorf("got %v, created %d", err, len(f.store.created))
				}
				return
			}
			wantField(t, err, tt.field, tt.code)
			wantCode(t, err, CodeInvalid)
			if f.store.calls != 0 || len(f.objects.proved) != 0 {
				t.Error("the store or the storage was asked")
			}
		})
	}
}

func TestIssueNamesEveryFieldAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{
		Filename: "a/b", Disposition: "x", Pin: "x", Note: strings.Repeat("n", 1001), Labels: map[string]string{"": "v"},
	})
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	fields := map[string]bool{}
	for _, field := range refused.Fields {
		fields[field.Field] = true
	}
	want := []string{"bucket", "disposition", "filename", "key", "labels", "note", "pin"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("named %v, want %v", got, want)
	}
}

func TestIssueAsksTheStorageOnlyForWhatTheKeyMay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		actor Actor
		want  Code
	}{
		{"may not issue", Actor{Can: []Action{ActionRead, ActionRevoke}, Objects: []Pattern{"*"}}, CodeForbidden},
		{"another bucket", Actor{Can: []Action{ActionIssue}, Objects: []Pattern{"reports/*"}}, CodeOutOfScope},
		{"another storage", Actor{Can: []Action{ActionIssue}, Objects: []Pattern{"other:*"}}, CodeOutOfScope},
		{"no objects", Actor{Can: []Action{ActionIssue}}, CodeOutOfScope},
		{
			"longer than the key's",
			Actor{Can: []Action{ActionIssue}, Objects: []Pattern{"*"}, MaxExpiry: time.Minute},
			CodeOutOfScope,
		},
	}
	for _, tt := range tests {
		f := newFixture(t, nil)
		_, err := f.service.Issue(t.Context(), &tt.actor, &IssueRequest{Bucket: "exports", Key: "a", ExpiresIn: "1h"})
		wantCode(t, err, tt.want)
		if f.store.calls != 0 || len(f.objects.proved) != 0 {
			t.Errorf("%s: the store or the storage was asked", tt.name)
		}
	}
}

func TestIssueOfWhatCannotBeShared(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cause error
		code  Code
		field string
	}{
		{ErrObjectNotFound, CodeInvalid, "object_not_found"},
		{ErrObjectNotReadable, CodeInvalid, "object_not_readable"},
		{ErrObjectArchived, CodeInvalid, "object_archived"},
		{ErrObjectEncrypted, CodeInvalid, "object_encrypted"},
		{ErrObjectKMS, CodeInvalid, "object_kms_denied"},
		{ErrUnavailable, CodeUnavailable, ""},
		{errors.New("anything else"), CodeUnavailable, ""},
	}
	for _, tt := range tests {
		f := newFixture(t, nil)
		f.objects.err = fmt.Errorf("head_object: %w: the storage's own words", tt.cause)
		_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a"})
		wantCode(t, err, tt.code)
		if !errors.Is(err, tt.cause) {
			t.Errorf("%v: the cause is lost for the log", tt.cause)
		}
		if tt.field != "" {
			wantField(t, err, "key", tt.field)
		}
		var refused *Error
		if errors.As(err, &refused) && strings.Contains(refused.Message+fmt.Sprint(refused.Fields), "own words") {
			t.Errorf("%v: the storage's text is shown: %+v", tt.cause, refused)
		}
		if f.store.calls != 0 {
			t.Errorf("%v: a link was stored", tt.cause)
		}
	}
}

func TestIssueThatRedisDoesNotTakeGivesNoToken(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{ErrUnavailable, ErrExists} {
		f := newFixture(t, nil)
		f.store.err = cause
		issued, err := f.service.Issue(t.Context(), everything(), &IssueRequest{Bucket: "exports", Key: "a"})
		wantCode(t, err, CodeUnavailable)
		if issued.Token != "" {
			t.Errorf("%v: a token is given", cause)
		}
		if n := f.series(t)["keyhole_links_issued_total{preset=troubleshooting,storage=main}"]; n != 0 {
			t.Errorf("%v: %v links counted", cause, n)
		}
	}
}

// All that is wrong with a request by itself is named in one answer.
func TestIssueNamesEveryField(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	_, err := f.service.Issue(t.Context(), everything(), &IssueRequest{
		Bucket: "unlisted", Key: "a\n", Preset: "forever", ExpiresIn: "soon", Filename: "a/b", Disposition: "x", Pin: "y",
		Note: strings.Repeat("n", 1001), Labels: map[string]string{"L": "v"}, MaxClicks: new(int64(0)), Passphrase: new(""),
		Allow: []string{"nowhere"}, NotBefore: new("never"),
	})
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != CodeInvalid {
		t.Fatalf("got %v", err)
	}
	named := map[string]bool{}
	for _, field := range refused.Fields {
		name, _, _ := strings.Cut(field.Field, "[")
		named[name] = true
	}
	want := []string{
		"allow", "bucket", "disposition", "expires_in", "filename", "key", "labels", "max_clicks", "not_before", "note",
		"passphrase", "pin", "preset",
	}
	if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, want) {
		t.Errorf("it names %v, want %v", got, want)
	}
	if f.store.calls != 0 || len(f.objects.proved) != 0 {
		t.Error("the store or the storage was asked")
	}
}

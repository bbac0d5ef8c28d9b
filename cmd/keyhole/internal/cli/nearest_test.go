package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// hintOf returns the hint of a command's error, or "" for other errors.
func hintOf(err error) string {
	var known *command.Error
	if errors.As(err, &known) {
		return known.Hint
	}
	return ""
}

// bucketsAPI answers a listing of buckets.
func bucketsAPI(names ...string) *fakeAPI {
	var list api.BucketList
	for _, name := range names {
		list.Buckets = append(list.Buckets, api.Bucket{Storage: "main", Bucket: name})
	}
	return &fakeAPI{answers: map[string]any{"GET /api/v1/buckets": list}}
}

// The refusal of an unknown bucket proposes the argument with the nearest bucket that the
// key may see. Other refusals, and refusals of a bucket that exists, keep their own hints.
func TestNearBucket(t *testing.T) {
	t.Parallel()
	unknown := &client.Error{Problem: api.Problem{
		Status: 422, Code: "invalid", Errors: []api.FieldError{{Field: "bucket", Code: "unknown_bucket", Message: "m"}},
	}}
	notFound := &client.Error{Problem: api.Problem{Status: 404, Code: "not_found", Detail: "d"}}
	outside := &client.Error{Problem: api.Problem{Status: 403, Code: "out_of_scope", Detail: "d"}}
	busy := &client.Error{Problem: api.Problem{Status: 503, Code: "unavailable", Detail: "d"}}
	for name, tt := range map[string]struct {
		err    error
		bucket string
		rest   string
		want   string
	}{
		"mistyped":                {unknown, "report", "", "did you mean s3://reports?"},
		"mistyped, with a key":    {unknown, "report", "2026/q3.pdf", "did you mean s3://reports/2026/q3.pdf?"},
		"mistyped, with a space":  {unknown, "report", "a b", "did you mean 's3://reports/a b'?"},
		"mistyped, not found":     {notFound, "reprots", "", "did you mean s3://reports?"},
		"mistyped, out of scope":  {outside, "reportss", "", "did you mean s3://reports?"},
		"nothing is near":         {unknown, "zzzzzz", "a", "keyhole objects lists the buckets that you may see"},
		"the bucket exists":       {notFound, "reports", "a", ""},
		"another refusal":         {busy, "report", "", ""},
		"no refusal":              {io.ErrUnexpectedEOF, "report", "", ""},
		"inside of another error": {fmt.Errorf("cannot: %w", unknown), "report", "", "did you mean s3://reports?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := nearBucket(t.Context(), serve(t, bucketsAPI("archive", "reports")), tt.bucket, tt.rest, tt.err)
			if !errors.Is(err, tt.err) || hintOf(err) != tt.want {
				t.Errorf("got %v, %q, want %q", err, hintOf(err), tt.want)
			}
		})
	}
	// A key may issue links without listing buckets.
	if err := nearBucket(t.Context(), serve(t, &fakeAPI{}), "report", "", unknown); !strings.Contains(hintOf(err),
		"keyhole objects lists") {
		t.Errorf("without a list: %v, %q", err, hintOf(err))
	}
}

// A filter with a bucket that the key may not see selects nothing, which is a mistake. If
// the buckets are unknown, the command gives no opinion.
func TestNoSuchBucket(t *testing.T) {
	t.Parallel()
	buckets := serve(t, bucketsAPI("archive", "reports"))
	for bucket, want := range map[string]string{
		"": "", "reports": "", "report": "did you mean --bucket reports?",
		"zzzzzz": "keyhole objects lists the buckets that you may see",
	} {
		err := noSuchBucket(t.Context(), buckets, bucket)
		if (err == nil) != (want == "") || hintOf(err) != want {
			t.Errorf("%q: got %v, %q, want %q", bucket, err, hintOf(err), want)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("may not see a bucket %q", bucket)) {
			t.Errorf("%q: got %v", bucket, err)
		}
	}
	if err := noSuchBucket(t.Context(), serve(t, &fakeAPI{}), "report"); err != nil {
		t.Errorf("without a list: %v", err)
	}
}

// The hint to an unknown object lists the folder of its key, quoted for a shell.
func TestNearObject(t *testing.T) {
	t.Parallel()
	unknown := &client.Error{Problem: api.Problem{
		Status: 422, Code: "invalid", Errors: []api.FieldError{{Field: "key", Code: "object_not_found", Message: "m"}},
	}}
	c := serve(t, bucketsAPI("reports"))
	for key, want := range map[string]string{
		"a.pdf":         "list the objects: keyhole objects s3://reports/",
		"2026/q3/a.pdf": "list the objects: keyhole objects s3://reports/2026/q3/",
		"2026/":         "list the objects: keyhole objects s3://reports/2026/",
		"it's here/a":   `list the objects: keyhole objects 's3://reports/it'\''s here/'`,
		"/a":            "list the objects: keyhole objects s3://reports//",
	} {
		if err := nearObject(t.Context(), c, "reports", key, unknown); !errors.Is(err, unknown) || hintOf(err) != want {
			t.Errorf("%q: got %v, %q, want %q", key, err, hintOf(err), want)
		}
	}
	other := &client.Error{Problem: api.Problem{Status: 409, Code: "idempotency_conflict"}}
	if err := nearObject(t.Context(), c, "reports", "a", other); hintOf(err) != "" {
		t.Errorf("another refusal: %v, %q", err, hintOf(err))
	}
}

// An s3:// URL is split at the first slash behind the bucket, and nothing is unescaped.
func TestSplitS3(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string][2]string{
		"s3://b":           {"b", ""},
		"s3://b/":          {"b", ""},
		"s3://b/k":         {"b", "k"},
		"s3://b/a/b//c/":   {"b", "a/b//c/"},
		"s3://b/a%2Fb?x#y": {"b", "a%2Fb?x#y"},
		"s3://b//k":        {"b", "/k"},
		"s3://":            {"", ""},
		"s3:///k":          {"", "k"},
		"S3://b/k":         {"", ""},
		"b/k":              {"", ""},
		"":                 {"", ""},
	} {
		if bucket, rest := splitS3(arg); bucket != want[0] || rest != want[1] {
			t.Errorf("%q: got %q, %q, want %q", arg, bucket, rest, want)
		}
	}
	for arg, valid := range map[string]bool{"s3://b": true, "s3://b/p": true, "b": false, "": false, "s3:///p": false} {
		if _, _, err := parseBucket(arg); (err == nil) != valid {
			t.Errorf("parseBucket(%q): %v", arg, err)
		}
	}
	for arg, valid := range map[string]bool{"s3://b": false, "s3://b/": false, "s3://b/p": true, "s3:///p": false} {
		if _, _, err := parseObject(arg); (err == nil) != valid {
			t.Errorf("parseObject(%q): %v", arg, err)
		}
	}
}

// A label is cut at its first equals sign. No labels are nil, which the request omits.
func TestParseLabels(t *testing.T) {
	t.Parallel()
	got, err := parseLabels([]string{"team=a", "url=x=y", "empty="})
	if want := map[string]string{"team": "a", "url": "x=y", "empty": ""}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := parseLabels(nil); err != nil || got != nil {
		t.Errorf("none: got %v, %v", got, err)
	}
	for pair, want := range map[string]string{
		"team": `"team" is not a label`, "=a": `"=a" is not a label`, "": `"" is not a label`,
	} {
		if _, err := parseLabels([]string{"x=1", pair}); err == nil || err.Error() != want ||
			hintOf(err) != "write it as --label name=value" {
			t.Errorf("%q: got %v, %q", pair, err, hintOf(err))
		}
	}
	if _, err := parseLabels([]string{"a=1", "a=1"}); err == nil || hintOf(err) != "use each label once" {
		t.Errorf("repeated: got %v", err)
	}
}

// Quotes and brackets that a shell or a mail program has left around an argument are
// removed once, and only in pairs.
func TestUnwrapped(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"s3://b/k": "s3://b/k", " s3://b/k\n": "s3://b/k", `"a"`: "a", "' a '": "a", "<a>": "a", "«a»": "a", "„a“": "a",
		`"a`: `"a`, `a"`: `a"`, `"a'`: `"a'`, `""a""`: `"a"`, "": "", `"`: `"`,
	} {
		if got := unwrapped(arg); got != want {
			t.Errorf("%q: got %q, want %q", arg, got, want)
		}
	}
}

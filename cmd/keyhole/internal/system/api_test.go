//go:build system

package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway/api"
	"keyhole/gateway/client"
)

// TestBadRequests sends what a hostile or careless client may send to the real
// binary. Each line has one code, and names its field where there is one.
func TestBadRequests(t *testing.T) {
	in := install(t)
	in.put(t, "file.txt", []byte("content"))
	g := in.start()
	for _, tt := range slices.Concat(malformedRequests(), badObjects(t), badRestrictions(), badTexts()) {
		t.Run(tt.name, func(t *testing.T) {
			a := in.issue(t, g, strings.NewReader(tt.body), "Content-Type", "application/json")
			wantProblem(t, a, tt.status, tt.field, tt.code)
		})
	}
	t.Run("chunked over 1 MiB", func(t *testing.T) {
		body := io.MultiReader(strings.NewReader(`{"note":"`), strings.NewReader(strings.Repeat("x", 2<<20)))
		a := in.issue(t, g, body, "Content-Type", "application/json")
		wantProblem(t, a, http.StatusRequestEntityTooLarge, "", "too_large")
	})
	for _, headers := range [][]string{
		{},
		{"Content-Type", "application/xml"},
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"Content-Type", "application/json; charset=utf-16"},
		{"Content-Type", "application/json", "Content-Encoding", "gzip"},
		{"Content-Type", "application/json", "Content-Type", "application/json"},
	} {
		t.Run(strings.Join(headers, " "), func(t *testing.T) {
			a := in.issue(t, g, strings.NewReader(withFields("")), headers...)
			wantProblem(t, a, http.StatusUnsupportedMediaType, "", "unsupported_media_type")
		})
	}
	t.Run("nothing was issued", func(t *testing.T) {
		page, err := g.client.List(t.Context(), client.ListOptions{})
		if err != nil || len(page.Links) != 0 {
			t.Errorf("%d links, %v", len(page.Links), err)
		}
	})
}

// badRequest is the body of a request and the refusal that it must get.
type badRequest struct {
	name   string
	body   string
	status int
	field  string // that must be named
	code   string // of the field, or of the problem where there is none
}

// withFields returns a request for an object that exists, with more members.
func withFields(fields string) string { return `{"bucket":"reports","key":"file.txt"` + fields + `}` }

// withKey returns a request for a key.
func withKey(t *testing.T, key string) string {
	t.Helper()
	quoted, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"bucket":"reports","key":%s}`, quoted)
}

// malformedRequests are bodies that are not the JSON of a request.
func malformedRequests() []badRequest {
	return []badRequest{
		{"empty", "", 400, "", "bad_request"},
		{"null", "null", 400, "", "bad_request"},
		{"array", "[]", 400, "", "bad_request"},
		{"string", `"x"`, 400, "", "bad_request"},
		{"second value", withFields("") + "{}", 400, "", "bad_request"},
		{"trailing data", withFields("") + "x", 400, "", "bad_request"},
		{"unknown field", withFields(`,"expiry":"1h"`), 400, "", "bad_request"},
		{"field in another case", `{"bucket":"a","BUCKET":"b"}`, 400, "", "bad_request"},
		{"repeated field", withFields(`,"key":"other.txt"`), 400, "", "bad_request"},
		{"wrong type", `{"bucket":"reports","key":7}`, 400, "", "bad_request"},
		{"invalid UTF-8 in the key", "{\"bucket\":\"reports\",\"key\":\"a\xff\"}", 400, "", "bad_request"},
		{"lone surrogate in the key", `{"bucket":"reports","key":"a\ud800"}`, 400, "", "bad_request"},
		{
			"nested 20,000 levels", `{"bucket":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, 400, "",
			"bad_request",
		},
		{"unclosed", `{"bucket":"reports"`, 400, "", "bad_request"},
		{"over 1 MiB", withFields(`,"note":"` + strings.Repeat("x", 1<<20) + `"`), 413, "", "too_large"},
	}
}

// badObjects name objects, buckets and storages that are invalid or do not exist.
func badObjects(t *testing.T) []badRequest {
	t.Helper()
	key := func(key string) string { return withKey(t, key) }
	return []badRequest{
		{"no key", `{"bucket":"reports"}`, 422, "key", "required"},
		{"empty key", key(""), 422, "key", "required"},
		{"key of 1025 bytes", key(strings.Repeat("k", 1025)), 422, "key", "too_long"},
		{"NUL in the key", key("a\x00b"), 422, "key", "invalid"},
		{"control in the key", key("a\nb"), 422, "key", "invalid"},
		{"segment .", key("a/./b"), 422, "key", "invalid"},
		{"segment ..", key("../a"), 422, "key", "invalid"},
		{"last segment ..", key("a/.."), 422, "key", "invalid"},
		{"missing object", key("missing.txt"), 422, "key", "object_not_found"},
		{"encoded dots are another object", key("%2e%2e/file.txt"), 422, "key", "object_not_found"},
		{"no bucket", `{"key":"file.txt"}`, 422, "bucket", "required"},
		{"empty bucket", `{"bucket":"","key":"file.txt"}`, 422, "bucket", "required"},
		{"bucket ..", `{"bucket":"..","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"bucket with a path", `{"bucket":"reports/../exports","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"bucket that is a host", `{"bucket":"evil.com/","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"bucket in upper case", `{"bucket":"REPORTS","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"bucket that is an ARN", `{"bucket":"arn:aws:s3:::reports","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"directory bucket", `{"bucket":"reports--use1-az4--x-s3","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"bucket that is not listed", `{"bucket":"private","key":"file.txt"}`, 422, "bucket", "unknown_bucket"},
		{"unknown storage", withFields(`,"storage":"other"`), 422, "storage", "unknown_storage"},
	}
}

// badRestrictions ask for expiries, restrictions and pins that the service refuses.
func badRestrictions() []badRequest {
	return []badRequest{
		// How long
		{"expiry 0", withFields(`,"expires_in":"0s"`), 422, "expires_in", "invalid"},
		{"negative expiry", withFields(`,"expires_in":"-1h"`), 422, "expires_in", "invalid"},
		{"expiry in fractions of a nanosecond", withFields(`,"expires_in":"1.0000000001s"`), 422, "expires_in", "invalid"},
		{"expiry that overflows", withFields(`,"expires_in":"9999999999999h"`), 422, "expires_in", "invalid"},
		{"days that overflow", withFields(`,"expires_in":"106752d"`), 422, "expires_in", "invalid"},
		{"expiry over policy", withFields(`,"expires_in":"8d"`), 422, "expires_in", "over_policy"},
		{"expiry that is a number", withFields(`,"expires_in":3600`), 400, "", "bad_request"},
		{"unknown preset", withFields(`,"preset":"forever"`), 422, "preset", "unknown_preset"},
		{"preset and expiry", withFields(`,"preset":"handoff","expires_in":"1h"`), 422, "expires_in", "conflict"},

		// Restrictions that cannot be
		{"max_clicks 0", withFields(`,"max_clicks":0`), 422, "max_clicks", "invalid"},
		{"max_clicks 2^53+1", withFields(`,"max_clicks":9007199254740993`), 422, "max_clicks", "invalid"},
		{"empty passphrase", withFields(`,"passphrase":""`), 422, "passphrase", "invalid"},
		{"allow that is no network", withFields(`,"allow":["192.0.2.0/33"]`), 422, "allow", "invalid"},
		{"not_before behind the end", withFields(`,"not_before":"2130-01-01T00:00:00Z"`), 422, "not_before", "invalid"},

		// Pins
		{"unknown pin", withFields(`,"pin":"hard"`), 422, "pin", "invalid"},
		{"version without versions", withFields(`,"pin":"version"`), 422, "pin", "no_versions"},
		{"version_id without versions", withFields(`,"version_id":"x"`), 422, "version_id", "no_versions"},
		{"version_id null", withFields(`,"version_id":"null"`), 422, "version_id", "no_versions"},
		{"version_id and the pin etag", withFields(`,"version_id":"x","pin":"etag"`), 422, "version_id", "conflict"},
		{"version_id with CRLF", withFields(`,"version_id":"x\r\ny"`), 422, "version_id", "invalid"},
	}
}

// badTexts have text that would do harm where it is shown.
func badTexts() []badRequest {
	return []badRequest{
		{"label name", withFields(`,"labels":{"Team":"a"}`), 422, "labels", "invalid"},
		{"label value with CRLF", withFields(`,"labels":{"team":"a\r\nb"}`), 422, "labels", "invalid"},
		{"17 labels", withFields(`,"labels":{` + manyLabels(17) + `}`), 422, "labels", "too_many"},
		{"label given twice", withFields(`,"labels":{"team":"a","team":"b"}`), 400, "", "bad_request"},
		{"note of 1001 characters", withFields(`,"note":"` + strings.Repeat("ä", 1001) + `"`), 422, "note", "too_long"},
		{"file name with CRLF", withFields(`,"filename":"a\r\nSet-Cookie: x"`), 422, "filename", "invalid"},
		{"file name with a path", withFields(`,"filename":"../../etc/passwd"`), 422, "filename", "invalid"},
		{"file name that turns around", withFields(`,"filename":"exe.\u202efdp"`), 422, "filename", "invalid"},
		{"file name of 256 bytes", withFields(`,"filename":"` + strings.Repeat("n", 256) + `"`), 422, "filename", "invalid"},
		{"disposition", withFields(`,"disposition":"form-data"`), 422, "disposition", "invalid"},
	}
}

// manyLabels returns n labels as members of a JSON object.
func manyLabels(n int) string {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprintf(`"l%d":"x"`, i)
	}
	return strings.Join(labels, ",")
}

// issue sends the body of an issue with the operator key.
func (in *installation) issue(t *testing.T, g *instance, body io.Reader, headers ...string) answer {
	t.Helper()
	c := unfollowed()
	defer c.CloseIdleConnections()
	a, err := ask(t.Context(), c, http.MethodPost, g.operator+"/api/v1/links", body,
		append(slices.Clone(headers), "Authorization", "Bearer "+in.key)...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantProblem wants a problem+json with the status that names field by code, or
// is itself of the code where no field is at fault.
func wantProblem(t *testing.T, a answer, status int, field, code string) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	if a.status != status || p.Status != status || a.header.Get("Content-Type") != api.ProblemType {
		t.Errorf("status %d, %d in the body, as %s; want %d", a.status, p.Status, a.header.Get("Content-Type"), status)
	}
	if field == "" {
		if p.Code != code {
			t.Errorf("code %s (%s), want %s", p.Code, p.Detail, code)
		}
		return
	}
	if p.Code != "invalid" ||
		!slices.ContainsFunc(p.Errors, func(e api.FieldError) bool { return e.Field == field && e.Code == code }) {
		t.Errorf("code %s, errors %+v; want %s: %s", p.Code, p.Errors, field, code)
	}
}

// TestOddKeys shares objects whose keys trip clients and servers over a real S3
// server: what arrives is exactly that object.
func TestOddKeys(t *testing.T) {
	in := install(t)
	keys := []string{
		"plain.txt", "sp ace", "plus+plus", "percent%", "%20", "%2e%2e/x", "question?mark", "hash#tag", "amp&ersand",
		"semi;colon", "quote'", `double"quote`, `back\slash`, "comma,", "equals=", "at@", "colon:", "dollar$", "star*",
		"paren(s)", "bracket[s]", "brace{s}", "pipe|", "caret^", "tilde~", "back`tick", "excl!", "less<greater>",
		"emoji/📄.txt", "nfc/\u00e9", "nfd/e\u0301", "日本語/テスト.csv", "dots...", ".hidden", "a/b/c/d/e",
		"UPPER/lower",
		strings.Repeat("long/", 40) + "end", "trailing.", "a=b&c=d", "tab-less",
	}
	contents := map[string][]byte{}
	for _, key := range keys {
		contents[key] = []byte("the object " + key)
		in.put(t, key, contents[key])
	}
	g := in.start()
	for _, key := range keys {
		link, err := g.client.Issue(t.Context(), api.IssueRequest{Bucket: "reports", Key: key})
		if err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		response, err := http.Get(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(got, contents[key]) {
			t.Errorf("%q: %d %q, %v", key, response.StatusCode, got, err)
		}
		head, err := http.Head(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = head.Body.Close()
		if head.StatusCode != http.StatusOK || head.ContentLength != int64(len(contents[key])) {
			t.Errorf("%q: HEAD %d, %d bytes", key, head.StatusCode, head.ContentLength)
		}
	}
}

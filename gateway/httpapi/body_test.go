package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"keyhole/gateway/api"
)

// bodyWith returns a valid body with more fields.
func bodyWith(more string) string { return `{"bucket":"exports","key":"a",` + more + `}` }

// Bodies of POST /api/v1/links, with the status and the codes of their errors.
func TestIssueBodies(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat(`{"labels":`, 20000) + "1" + strings.Repeat("}", 20000)
	tests := []struct {
		name, body string
		status     int
		code       string // of the problem
		field      string // field and its code
	}{
		{"empty", " ", 400, "bad_request", ""},
		{"null", `null`, 400, "bad_request", ""},
		{"array", `[]`, 400, "bad_request", ""},
		{"array of a good one", `[{"bucket":"exports","key":"a"}]`, 400, "bad_request", ""},
		{"string", `"{}"`, 400, "bad_request", ""},
		{"number", `1`, 400, "bad_request", ""},
		{"half", `{"bucket":"exports","key":"a"`, 400, "bad_request", ""},
		{"second value", `{"bucket":"exports","key":"a"}{}`, 400, "bad_request", ""},
		{"trailing text", `{"bucket":"exports","key":"a"} x`, 400, "bad_request", ""},
		{"trailing comma", `{"bucket":"exports","key":"a",}`, 400, "bad_request", ""},
		{"a comment", `{"bucket":"exports","key":"a"/**/}`, 400, "bad_request", ""},
		{"byte order mark", "\ufeff" + `{"bucket":"exports","key":"a"}`, 400, "bad_request", ""},
		{"unknown field", bodyWith(`"kee":"b"`), 400, "bad_request", ""},
		{"unknown field, null", bodyWith(`"kee":null`), 400, "bad_request", ""},
		{"another case", `{"bucket":"a","BUCKET":"b","key":"a"}`, 400, "bad_request", ""},
		{"another case alone", `{"Bucket":"exports","key":"a"}`, 400, "bad_request", ""},
		{"repeated", `{"bucket":"exports","bucket":"exports","key":"a"}`, 400, "bad_request", ""},
		{"repeated, escaped", `{"bucket":"exports","b\u0075cket":"exports","key":"a"}`, 400, "bad_request", ""},
		{"repeated label", bodyWith(`"labels":{"a":"1","a":"2"}`), 400, "bad_request", ""},
		{"invalid UTF-8", "{\"bucket\":\"exports\",\"key\":\"a\xff\"}", 400, "bad_request", ""},
		{"overlong UTF-8", "{\"bucket\":\"exports\",\"key\":\"\xc0\xaf\"}", 400, "bad_request", ""},
		{"surrogate in UTF-8", "{\"bucket\":\"exports\",\"key\":\"\xed\xa0\x80\"}", 400, "bad_request", ""},
		{"lone surrogate", `{"bucket":"exports","key":"\ud800"}`, 400, "bad_request", ""},
		{"surrogates in the wrong order", `{"bucket":"exports","key":"\udc00\ud800"}`, 400, "bad_request", ""},
		{"a raw control character", "{\"bucket\":\"exports\",\"key\":\"a\nb\"}", 400, "bad_request", ""},
		{"20,000 levels", nested, 400, "bad_request", ""},
		{
			"20,000 levels of arrays", `{"allow":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400,
			"bad_request", "",
		},
		{"key of another type", `{"bucket":"exports","key":1}`, 400, "bad_request", ""},
		{"sensitive of another type", bodyWith(`"sensitive":"false"`), 400, "bad_request", ""},
		{"expires_in of another type", bodyWith(`"expires_in":3600`), 400, "bad_request", ""},
		{"max_clicks broken", bodyWith(`"max_clicks":1.5`), 400, "bad_request", ""},
		{"max_clicks beyond int64", bodyWith(`"max_clicks":9223372036854775808`), 400, "bad_request", ""},
		{"labels of another type", bodyWith(`"labels":["a"]`), 400, "bad_request", ""},
		{"over 1 MiB", bodyWith(`"note":"` + strings.Repeat("n", 1<<20) + `"`), 413, "too_large", ""},
		{"a passphrase of 10 MB", bodyWith(`"passphrase":"` + strings.Repeat("p", 10<<20) + `"`), 413, "too_large", ""},

		{"no bucket", `{"key":"a"}`, 422, "invalid", "bucket:required"},
		{"bucket null", `{"bucket":null,"key":"a"}`, 422, "invalid", "bucket:null"},
		{"no network", bodyWith(`"allow":[]`), 422, "invalid", "allow:empty"},
		{"no key", `{"bucket":"exports"}`, 422, "invalid", "key:required"},
		{"key with NUL", `{"bucket":"exports","key":"a\u0000b"}`, 422, "invalid", "key:invalid"},
		{"key with dots", `{"bucket":"exports","key":"a/../b"}`, 422, "invalid", "key:invalid"},
		{
			"key of 1025 bytes", fmt.Sprintf(`{"bucket":"exports","key":%q}`, strings.Repeat("k", 1025)), 422, "invalid",
			"key:too_long",
		},
		{"bucket unlisted", `{"bucket":"evil.com/","key":"a"}`, 422, "invalid", "bucket:unknown_bucket"},
		{"expiry 0", bodyWith(`"expires_in":"0"`), 422, "invalid", "expires_in:invalid"},
		{"expiry empty is not stated", bodyWith(`"expires_in":""`), 201, "", ""},
		{"expiry negative", bodyWith(`"expires_in":"-1h"`), 422, "invalid", "expires_in:invalid"},
		{"expiry of fractional ns", bodyWith(`"expires_in":"1.0000000001s"`), 422, "invalid", "expires_in:invalid"},
		{"expiry in ns", bodyWith(`"expires_in":"1000000001ns"`), 422, "invalid", "expires_in:invalid"},
		{"expiry overflowing", bodyWith(`"expires_in":"99999999999999h"`), 422, "invalid", "expires_in:invalid"},
		{"expiry over policy", bodyWith(`"expires_in":"8d"`), 422, "invalid", "expires_in:over_policy"},
		{"filename with CRLF", bodyWith(`"filename":"a\r\nb"`), 422, "invalid", "filename:invalid"},
		{"filename with U+202E", bodyWith(`"filename":"a\u202eb"`), 422, "invalid", "filename:invalid"},
		{"label with CRLF", bodyWith(`"labels":{"a":"\r\n"}`), 422, "invalid", "labels:invalid"},

		{"max_clicks 0", bodyWith(`"max_clicks":0`), 422, "invalid", "max_clicks:invalid"},
		{"max_clicks -1", bodyWith(`"max_clicks":-1`), 422, "invalid", "max_clicks:invalid"},
		{"max_clicks 1000001", bodyWith(`"max_clicks":1000001`), 422, "invalid", "max_clicks:invalid"},
		{"max_clicks 2^53+1", bodyWith(`"max_clicks":9007199254740993`), 422, "invalid", "max_clicks:invalid"},
		{"max_clicks 2^64", bodyWith(`"max_clicks":18446744073709551616`), 400, "bad_request", ""},
		{"max_clicks 1.5", bodyWith(`"max_clicks":1.5`), 400, "bad_request", ""},
		{"passphrase empty", bodyWith(`"passphrase":""`), 422, "invalid", "passphrase:invalid"},
		{
			"passphrase of 257 bytes", bodyWith(`"passphrase":"` + strings.Repeat("p", 257) + `"`), 422, "invalid",
			"passphrase:invalid",
		},
		{"allow that is no network", bodyWith(`"allow":["10.0.0.0/33"]`), 422, "invalid", "allow:invalid"},
		{"allow with a name", bodyWith(`"allow":["example.com"]`), 422, "invalid", "allow:invalid"},
		{"allow with a zone", bodyWith(`"allow":["fe80::1%eth0"]`), 422, "invalid", "allow:invalid"},
		{"allow across families", bodyWith(`"allow":["::ffff:10.0.0.0/95"]`), 422, "invalid", "allow:invalid"},
		{
			"65 networks", bodyWith(`"allow":["10.0.0.0/8"` + strings.Repeat(`,"10.0.0.0/8"`, 64) + `]`), 422, "invalid",
			"allow:too_many",
		},
		{"not_before that is no time", bodyWith(`"not_before":"tomorrow"`), 422, "invalid", "not_before:invalid"},
		{
			"not_before of the year 10000", bodyWith(`"not_before":"10000-01-01T00:00:00Z"`), 422, "invalid",
			"not_before:invalid",
		},
		{"version_id null", bodyWith(`"version_id":"null"`), 422, "invalid", "version_id:no_versions"},
		{"version_id and another pin", bodyWith(`"version_id":"v1","pin":"etag"`), 422, "invalid", "version_id:conflict"},
		{"pin", bodyWith(`"pin":"hard"`), 422, "invalid", "pin:invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			a := b.operator(opsKey, "POST", "/api/v1/links", tt.body)
			if a.status != tt.status {
				t.Fatalf("got %d, want %d: %.300s", a.status, tt.status, a.body)
			}
			if tt.status == 201 {
				return
			}
			p := a.problem(t)
			if p.Code != tt.code {
				t.Errorf("got %s, want %s", p.Code, tt.code)
			}
			var fields []string
			for _, f := range p.Errors {
				fields = append(fields, f.Field+":"+f.Code)
				if f.Message == "" {
					t.Errorf("%s says nothing", f.Field)
				}
			}
			if tt.field != "" && !slices.Contains(fields, tt.field) || tt.field == "" && len(fields) != 0 {
				t.Errorf("the fields are %v, want %s", fields, tt.field)
			}
			if len(b.store.created) != 0 || len(b.storage.proved) != 0 {
				t.Error("a link was made, or the storage was asked")
			}
			if strings.Contains(a.body+b.log.String(), "canary") {
				t.Errorf("the body is quoted: %s %s", a.body, b.log)
			}
		})
	}
}

func TestBodiesThatAreNoPlainJSON(t *testing.T) {
	t.Parallel()
	const body = `{"bucket":"exports","key":"a"}`
	tests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"JSON", []string{"Content-Type", "application/json"}, 201},
		{"JSON, upper case", []string{"Content-Type", "Application/JSON"}, 201},
		{"JSON in UTF-8", []string{"Content-Type", "application/json; charset=UTF-8"}, 201},
		{"JSON in UTF-16", []string{"Content-Type", "application/json; charset=utf-16"}, 415},
		{"no type", []string{"X-Nothing", ""}, 415},
		{"XML", []string{"Content-Type", "application/xml"}, 415},
		{"form", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"multipart", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		{"text", []string{"Content-Type", "text/plain"}, 415},
		{"a suffix", []string{"Content-Type", "application/problem+json"}, 415},
		{"broken", []string{"Content-Type", "application/json;;="}, 415},
		{"two types", []string{"Content-Type", "application/json", "Content-Type", "text/plain"}, 415},
		{"gzip", []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415},
		{"identity", []string{"Content-Type", "application/json", "Content-Encoding", "identity"}, 415},
	}
	for _, tt := range tests {
		b := newBench(t, nil)
		a := b.operator(opsKey, "POST", "/api/v1/links", body, tt.headers...)
		if a.status != tt.status {
			t.Errorf("%s: got %d, want %d", tt.name, a.status, tt.status)
		}
		if tt.status == 415 && (a.problem(t).Code != "unsupported_media_type" || len(b.store.created) != 0) {
			t.Errorf("%s: %s", tt.name, a.body)
		}
	}
}

func TestOversizeBodiesOverTheWire(t *testing.T) {
	t.Parallel()
	address := serve(t, newBench(t, nil).api.Operator())
	big := bodyWith(`"note":"` + strings.Repeat("n", 1<<20) + `"`)
	good := `{"bucket":"exports","key":"a"}`
	chunked := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body) }
	auth := []string{"Authorization: Bearer " + opsKey, "Content-Type: application/json"}
	tests := []struct {
		name, request string
		status        int
	}{
		{
			"with a length", line("POST", "/api/v1/links", append(auth, fmt.Sprintf("Content-Length: %d", len(big)))...) + big,
			413,
		},
		{"in chunks", line("POST", "/api/v1/links", append(auth, "Transfer-Encoding: chunked")...) + chunked(big), 413},
		{
			"good, in chunks", line("POST", "/api/v1/links", append(auth, "Transfer-Encoding: chunked")...) + chunked(good),
			201,
		},
		{"cut short", line("POST", "/api/v1/links", append(auth, "Transfer-Encoding: chunked")...) + "zz\r\n", 400},
	}
	for _, tt := range tests {
		if a := wire(t, address, tt.request); a.status != tt.status {
			t.Errorf("%s: got %d, want %d: %.200s", tt.name, a.status, tt.status, a.body)
		}
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := httptest.NewRequest("POST", "/api/v1/links", io.MultiReader(strings.NewReader(`{"bucket"`), brokenReader{}))
	r.Header.Set("Authorization", "Bearer "+opsKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.api.Operator().ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if p := a.problem(t); a.status != 400 || p.Code != "bad_request" || strings.Contains(a.body, "cable") {
		t.Errorf("got %d, %s", a.status, a.body)
	}
}

// brokenReader fails.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the cable") }

// null is refused for every field: Keyhole would lose what a script wanted, and a revocation
// would select more links. Only the sensitivity may be null, because it may be not stated.
func TestNullFields(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.put("reports", "q3.pdf")
	id := b.put("reports", "q4.pdf")
	fields := 0
	for _, route := range []struct {
		method, target, rest string
		body                 any
	}{
		{"POST", "/api/v1/links", `"bucket":"reports","key":"q3.pdf",`, api.IssueRequest{}},
		{"PATCH", "/api/v1/links/" + id, `"note":"n",`, api.ChangeRequest{}},
		{"POST", "/api/v1/revocations", `"bucket":"reports","prefix":"q",`, api.RevocationRequest{}},
	} {
		of := reflect.TypeOf(route.body)
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			fields++
			var rest strings.Builder // without the field itself, which may stand once
			for _, member := range strings.SplitAfter(route.rest, ",") {
				if !strings.HasPrefix(member, `"`+name+`"`) {
					rest.WriteString(member)
				}
			}
			a := b.operator(opsKey, route.method, route.target, "{"+rest.String()+`"`+name+`":null}`, "Content-Type",
				"application/json")
			if name == "sensitive" {
				if a.status != 201 {
					t.Errorf("%s %s: got %d, want 201", route.target, name, a.status)
				}
				continue
			}
			if p := a.problem(t); a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Field != name ||
				p.Errors[0].Code != "null" {
				t.Errorf("%s %s: got %d %s", route.target, name, a.status, a.body)
			}
		}
	}
	if fields < 25 || b.store.bulk.Budget != 0 || b.store.change.Note != nil {
		t.Errorf("%d fields were tried; the store was asked for %+v and %+v", fields, b.store.bulk, b.store.change)
	}
}

// Some editors and PowerShell save JSON with a byte order mark. The answer names it.
func TestByteOrderMarkIsNamed(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"UTF-8":                "\ufeff" + `{"bucket":"exports","key":"a"}`,
		"UTF-16 little-endian": "\xff\xfe{\x00}\x00",
		"UTF-16 big-endian":    "\xfe\xff\x00{\x00}",
	} {
		a := newBench(t, nil).operator(opsKey, "POST", "/api/v1/links", body)
		if p := a.problem(t); a.status != 400 || p.Code != "bad_request" ||
			!strings.Contains(p.Detail, "byte order mark") || !strings.Contains(p.Detail, "UTF-8") {
			t.Errorf("%s: %d %s %q", name, a.status, p.Code, p.Detail)
		}
	}
}

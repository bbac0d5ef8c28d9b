package signer

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// FuzzKeyToURL parses every URL the way a client does and finds the key and
// the values again, exactly, under the host that was configured.
func FuzzKeyToURL(f *testing.F) {
	for _, key := range []string{
		"q1.pdf", "a//b", "/lead", "//lead", "dir/", "%2e%2e/x", "%", "a b", "?x=1&y#z", ";", `'"\`, "+", "🔑", "é",
		"e\u0301", "\xff", "\x01",
		"..", "a/./b", "\x00", "", "@evil.example/", "//evil.example/x", ":80", "...", "~", "\u202e", "a\nb", "%00",
		"%zz", strings.Repeat("k", 1025),
	} {
		f.Add(key, "", "", "", false)
		f.Add(key, `attachment; filename="a b.pdf"; filename*=UTF-8''%C3%A9`, "text/html; charset=utf-8", "null", true)
		f.Add("k", key, key, key, true)
	}
	signers := map[bool]*Signer{}
	for _, pathStyle := range []bool{false, true} {
		signers[pathStyle] = newSigner(f, func(o *Options) {
			o.PathStyle, o.RequesterPays = pathStyle, true
			o.Credentials = credentials.NewStaticCredentialsProvider("AK/ID", exampleSecret, "to+k/en==")
		})
	}

	f.Fuzz(func(t *testing.T, key, disposition, contentType, version string, pathStyle bool) {
		signed, err := signers[pathStyle].Presign(t.Context(), Request{
			Method: http.MethodGet, Bucket: "reports", Key: key, VersionID: version,
			ContentDisposition: disposition, ContentType: contentType, Lifetime: time.Minute,
		})
		if err != nil {
			if !errors.Is(err, ErrRequest) || signed != (Signed{}) {
				t.Fatalf("got %v, %v", signed, err)
			}
			return
		}
		host, path := "reports.storage.example", "/"+key
		if pathStyle {
			host, path = "storage.example", "/reports/"+key
		}
		u, err := url.Parse(signed.URL)
		if err != nil {
			t.Fatalf("%q does not parse: %v", signed.URL, err)
		}
		if u.Scheme != "https" || u.Host != host || u.User != nil || u.Fragment != "" || u.Path != path {
			t.Fatalf("%q leads to %q under %q", signed.URL, u.Path, u.Host)
		}
		if again := u.JoinPath().String(); !strings.Contains(key, "//") && !strings.HasPrefix(key, "/") &&
			again != signed.URL {
			t.Fatalf("a client that resolves dot segments asks for %q, signed is %q", again, signed.URL)
		}
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatalf("query of %q: %v", signed.URL, err)
		}
		n := 8 // those without a value of the request, with token, payer and signature
		for name, value := range map[string]string{
			"response-content-disposition": disposition, "response-content-type": contentType, "versionId": version,
		} {
			if query.Has(name) != (value != "") || query.Get(name) != value {
				t.Fatalf("%s is %q, want %q", name, query.Get(name), value)
			}
			if value != "" {
				n++
			}
		}
		if len(query) != n || query.Get("X-Amz-SignedHeaders") != "host" || query.Get("X-Amz-Security-Token") != "to+k/en==" {
			t.Fatalf("%d parameters, want %d: %v", len(query), n, query)
		}
		for i := range len(signed.URL) {
			if c := signed.URL[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'<>\\^`{|}#+", c) >= 0 {
				t.Fatalf("byte %#x stands in %q", c, signed.URL)
			}
		}
	})
}

//go:build system

package system

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	examined "keyhole/cmd/keyhole/internal/doctor"
	"keyhole/gateway/api"
)

// The lengths of the longest Location, in bytes. Keyhole bounds the key, the version ID, the
// file name, and the host and region of the storage. The others have bounds of AWS and of RFC
// 6838 section 4.2 (media types).
const (
	longestKey       = 1024
	longestVersion   = 1024
	longestFilename  = 255
	longestBucket    = 63
	longestRegion    = 63
	longestHost      = 253
	longestKeyID     = 128
	longestMediaType = 127 + len("/") + 127
	// longestToken is twice what AWS recommends to programs that store session tokens. AWS
	// states no limit.
	longestToken = 8192
	// expiresDigits is the length of the longest X-Amz-Expires, of seven days.
	expiresDigits = 6
)

// longStorage is a storage whose presigned URLs are as long as they can be. Nothing verifies
// them, because no recipient follows them here.
type longStorage struct {
	bucket, key string
	environ     []string // of the gateway
}

// startLongStorage starts the storage, and adds it to the configuration of in. Its credential
// comes from the environment, because only that one has a session token.
func startLongStorage(t *testing.T, in *installation) *longStorage {
	t.Helper()
	mediaType := "a/" + strings.Repeat("+", longestMediaType-len("a/"))
	address := handler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0"`)
		w.Header().Set("X-Amz-Version-Id", strings.Repeat("+", longestVersion))
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", "1")
		if r.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", "bytes 0-0/1")
			w.WriteHeader(http.StatusPartialContent)
		}
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte("x"))
		}
	})
	label := strings.Repeat("h", 63)
	host := strings.Join([]string{label, label, label, strings.Repeat("h", longestHost-3*64)}, ".")
	l := &longStorage{
		bucket: strings.Repeat("b", longestBucket), key: strings.Repeat("+", longestKey),
		environ: []string{
			"AWS_ACCESS_KEY_ID=" + strings.Repeat("A", longestKeyID), "AWS_SECRET_ACCESS_KEY=secret",
			"AWS_SESSION_TOKEN=" + strings.Repeat("T", longestToken),
		},
	}
	in.storages += fmt.Sprintf(`  - name: long
    timeout: 20s
    endpoint: %q
    public_endpoint: "https://%s:65535"
    region: %s
    path_style: true
    requester_pays: true
    buckets: [%s]
`, address, host, strings.Repeat("r", longestRegion), l.bucket)
	return l
}

// longLocation opens links whose Location is longer than the buffers that proxies have for
// headers: one of 3.9 kB, and the longest possible one.
func (f *frontTest) longLocation(t *testing.T, p *runningProxy, long *longStorage) {
	t.Helper()
	key := strings.Repeat("日本語/", 76) + "x"
	f.in.s3.Put(t, "reports", key, "text/plain", []byte("long"))
	link := f.issue(t, api.IssueRequest{Key: key, Filename: strings.Repeat("語", longestFilename/len("語"))})
	for _, http2 := range []bool{false, true} {
		a := p.ask(t, p.client(t, "127.0.0.2", http2), http.MethodGet, pathOf(link))
		if a.status != http.StatusFound || len(a.location) < 3850 || len(a.location) > 3950 {
			t.Errorf("%d with a Location of %d bytes", a.status, len(a.location))
		} else if got := get(t, http.MethodGet, a.location); got.body != "long" {
			t.Errorf("the storage answers %d %.200s", got.status, got.body)
		}
	}
	longest, err := f.gateway.client.Issue(t.Context(), api.IssueRequest{
		Bucket: long.bucket, Key: long.key, Filename: `"` + strings.Repeat("(", longestFilename-1),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.secrets = append(f.secrets, pathOf(longest)[1:])
	direct := get(t, http.MethodGet, f.gateway.public+pathOf(longest))
	documented(t, direct.location)
	for _, http2 := range []bool{false, true} {
		a := p.ask(t, p.client(t, "127.0.0.2", http2), http.MethodGet, pathOf(longest))
		if a.status != http.StatusFound || len(a.location) != len(direct.location) {
			t.Errorf("HTTP/2 %v: %d with a Location of %d bytes, want %d", http2, a.status, len(a.location),
				len(direct.location))
		}
	}
}

// documented compares the longest Location with the number in the manual.
func documented(t *testing.T, location string) {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	expires := u.Query().Get("X-Amz-Expires")
	token := len("&X-Amz-Security-Token=") + longestToken
	want := len(location) - token + expiresDigits - len(expires)
	text, err := os.ReadFile("../../../../deploy/docs/run/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`at most ([0-9,]+) bytes without a session token`).FindSubmatch(text)
	if found == nil {
		t.Fatal("proxy.md does not state the longest Location")
	}
	if n, err := strconv.Atoi(strings.ReplaceAll(string(found[1]), ",", "")); err != nil || n != want {
		t.Errorf("proxy.md states %s bytes; the longest Location has %d", found[1], want)
	}
	if want != examined.LongestLocation {
		t.Errorf("keyhole doctor checks %d bytes; the longest Location has %d", examined.LongestLocation, want)
	}
}

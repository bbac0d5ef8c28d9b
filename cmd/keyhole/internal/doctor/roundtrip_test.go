package doctor

import (
	"crypto/md5" //nolint:gosec // ETags are MD5 sums
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// content is the object that startStorage stores.
const content = "a,b\n"

// presigned tells whether a request is a recipient's, by a presigned URL.
func presigned(r *http.Request) bool { return r.URL.Query().Has("X-Amz-Signature") }

// stale tells whether a presigned URL was signed minutes ago.
func stale(r *http.Request) bool {
	signed, err := time.Parse("20060102T150405Z", r.URL.Query().Get("X-Amz-Date"))
	return err == nil && time.Since(signed) > time.Minute
}

// deliverTo answers with the object, as a storage does. The ETag can be another one.
func deliverTo(w http.ResponseWriter, r *http.Request, etag string) bool {
	sum := md5.Sum([]byte(content)) //nolint:gosec // as above
	if etag == "" {
		etag = `"` + hex.EncodeToString(sum[:]) + `"`
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Disposition", r.URL.Query().Get("response-content-disposition"))
	w.Header().Set("Content-Type", r.URL.Query().Get("response-content-type"))
	_, _ = io.WriteString(w, content)
	return true
}

// Each fault on the way of recipients is found by one check, and the checks before it
// are not affected.
func TestRoundTripFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		instead             intercept
		checks, message, do string
	}{
		"a server that is not S3": {
			func(w http.ResponseWriter, r *http.Request) bool {
				if presigned(r) {
					_, _ = io.WriteString(w, "<html>welcome")
				}
				return presigned(r)
			},
			"failure delivery", "is not an S3 server", "public_endpoint",
		},
		"another storage": {
			func(w http.ResponseWriter, r *http.Request) bool { return presigned(r) && deliverTo(w, r, `"other"`) },
			"failure delivery", "delivers another object than endpoint", "lead to the same storage",
		},
		"HEAD becomes GET": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return presigned(r) && r.Method == http.MethodHead && refuse(w, 403, "SignatureDoesNotMatch", "")
			},
			"failure delivery", "refuses a HEAD that was signed as HEAD", "turns HEAD into GET",
		},
		"no Content-Disposition": {
			firstDelivery(func(w http.ResponseWriter, r *http.Request) bool {
				return deliverTo(&dropHeader{w, "Content-Disposition"}, r, "")
			}),
			"failure headers", "ignores response-content-disposition", "keep these headers",
		},
		"no Content-Type": {
			firstDelivery(func(w http.ResponseWriter, r *http.Request) bool {
				return deliverTo(&dropHeader{w, "Content-Type"}, r, "")
			}),
			"failure headers", "ignores response-content-type", "keep these headers",
		},
		"expired URLs work": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return presigned(r) && stale(r) && deliverTo(w, r, "")
			},
			"failure expiry", "a URL that expired minutes ago works", "correct the storage's clock",
		},
		"a proxy signs for everyone": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return presigned(r) && r.Method == http.MethodGet && deliverTo(w, r, "")
			},
			"failure signature, failure expiry", "a URL with a wrong signature works", "close this access",
		},
		"everyone can list": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return !bySDK(r) && !presigned(r) && r.URL.Query().Has("list-type") && deliverTo(w, r, "")
			},
			"failure anonymous", "everyone can list it", "make the bucket private",
		},
		"everyone can read": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return !bySDK(r) && !presigned(r) && !r.URL.Query().Has("list-type") && deliverTo(w, r, "")
			},
			"failure anonymous", "everyone can read objects", "make the bucket private",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFaults(t, examine(t, startStorage(t, tt.instead)), tt.checks, tt.message, tt.do)
		})
	}
}

// firstDelivery answers only the first GET of a presigned URL, which is the one with the
// right signature; the storage refuses the later ones.
func firstDelivery(answer intercept) intercept {
	var answered atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool {
		return presigned(r) && r.Method == http.MethodGet && answered.CompareAndSwap(false, true) && answer(w, r)
	}
}

// dropHeader is an answer that loses one header.
type dropHeader struct {
	http.ResponseWriter

	name string
}

// Write implements http.ResponseWriter.
func (w *dropHeader) Write(p []byte) (int, error) {
	w.Header()[w.name] = nil // nil also keeps net/http from adding its own
	return w.ResponseWriter.Write(p)
}

// A bucket without a readable object is checked by a URL for a missing one. If the storage
// answers 403 to it, neither delivery nor expiry can be proven.
func TestRoundTripWithoutAnObject(t *testing.T) {
	t.Parallel()
	denied := func(w http.ResponseWriter, r *http.Request) bool {
		return presigned(r) && refuse(w, 403, "AccessDenied", "")
	}
	c := startStorage(t, denied)
	c.Buckets = []string{"empty"}
	found := examine(t, c)
	wantFaults(t, found, "warning read, warning delivery, warning signature", "no readable object", "upload")
	bad := faults(found)
	if !strings.Contains(bad[1].Message, "the delivery of objects is not checked") ||
		!strings.Contains(bad[2].Message, "right and wrong signatures get the same answer") {
		t.Errorf("found %+v", bad)
	}
	if slices.Contains(checksOf(found), "ok expiry") {
		t.Error("the refusal of every URL is taken for the refusal of an expired one")
	}
}

// Recipients have the system's authorities only: a certificate that only ca_file makes
// valid is a warning, any other invalid one a failure.
func TestCertificateOfThePublicEndpoint(t *testing.T) {
	t.Parallel()
	c := startStorage(t, nil)
	target, err := url.Parse(c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	public := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	public.Config.ErrorLog = log.New(io.Discard, "", 0) // the doctor refuses the certificate on purpose
	public.StartTLS()
	t.Cleanup(public.Close)
	c.PublicEndpoint = public.URL
	wantFaults(t, examine(t, c), "failure public", "is not valid for recipients", "an authority that recipients trust")

	c.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public.Certificate().Raw})
	if err := os.WriteFile(c.CAFile, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFaults(t, examine(t, c), "warning public", "only ca_file makes the certificate", "a public authority")

	c.PublicEndpoint = "http://127.0.0.1:1"
	wantFaults(t, examine(t, c), "failure public", "http://127.0.0.1:1 is unreachable", "set public_endpoint")
}

// A refusal is explained by its code, so that the operator knows which part to correct.
func TestWhyNotDelivered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got         reply
		message, do string
	}{
		{reply{status: 403, code: "SignatureDoesNotMatch"}, "another host or path", "forward Host and path unchanged"},
		{reply{status: 400, code: "AuthorizationQueryParametersError"}, "wrong region: 400", "set region"},
		{reply{status: 301, code: "PermanentRedirect"}, "wrong region: 301", "set region"},
		{reply{status: 400, code: "IllegalLocationConstraintException"}, "wrong region", "set region"},
		{reply{status: 302}, "redirects with 302", "the target of the redirect"},
		{reply{status: 403, code: "AccessDenied"}, "that endpoint accepts: 403 AccessDenied", "bucket policy"},
		{reply{status: 403, code: "RequestTimeTooSkewed"}, "that endpoint accepts", "the same time"},
		{reply{status: 200}, "is not an S3 server: it answers 200", "leads to the storage itself"},
		{reply{status: 503, code: "SlowDown"}, "refuses a presigned URL: 503 SlowDown", "manual of the storage"},
	} {
		message, do := whyNotDelivered(&tt.got)
		if !strings.Contains(message, tt.message) || !strings.Contains(do, tt.do) {
			t.Errorf("%v: got %q and %q, want %q and %q", &tt.got, message, do, tt.message, tt.do)
		}
	}
}

// An answer shows that the signature was accepted if it delivers the object, or says that
// there is none.
func TestReply(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		got                 reply
		delivered, accepted bool
	}{
		{reply{status: 200}, true, true},
		{reply{status: 206}, true, true},
		{reply{status: 404, code: "NoSuchKey"}, false, true},
		{reply{status: 404, code: "NoSuchBucket"}, false, false},
		{reply{status: 403, code: "AccessDenied"}, false, false},
		{reply{status: 304}, false, false},
	} {
		if tt.got.delivered() != tt.delivered || tt.got.accepted() != tt.accepted {
			t.Errorf("%v: delivered %v, accepted %v", &tt.got, tt.got.delivered(), tt.got.accepted())
		}
	}
}

// asRecipient reads one byte of an object and at most 64 KiB of an error, and its errors
// do not contain the URL.
func TestAsRecipient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
		case "/redirect":
			http.Redirect(w, r, "/object", http.StatusFound)
		case "/error":
			refuse(w, 403, "AccessDenied", "no")
		case "/long":
			w.WriteHeader(http.StatusForbidden)
			long := strings.Repeat("x", maxErrorBody)
			_, _ = io.WriteString(w, "<Error><Message>"+long+"</Message><Code>Late</Code></Error>")
		default:
			_, _ = io.WriteString(w, content)
		}
	}))
	t.Cleanup(server.Close)
	client := recipient(nil, 10*time.Second)
	for path, want := range map[string]string{
		"/object": "200 ", "/empty": "200 ", "/redirect": "302 ", "/error": "403 AccessDenied", "/long": "403 ",
	} {
		got, err := asRecipient(t.Context(), client, http.MethodGet, server.URL+path)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %q", path, got, err, want)
		}
	}
	for _, address := range []string{"http://127.0.0.1:1/?X-Amz-Signature=canary", ":canary"} {
		if _, err := asRecipient(t.Context(), client, http.MethodGet, address); err == nil ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

// Each finding is about the storage or bucket that is being examined.
func TestFindingsOfAStorage(t *testing.T) {
	t.Parallel()
	e := &storageExam{examination: &examination{}, subject: "main"}
	e.warn(checkCredentials, "m", "d")
	e.subject = "main:reports"
	e.ok(checkClock, "within %s", 5*time.Second)
	e.fail(checkBucket, "m", "d")
	want := []finding{
		{Subject: "main", Check: checkCredentials, Level: levelWarning, Message: "m", Do: "d"},
		{Subject: "main:reports", Check: checkClock, Level: levelOK, Message: "within 5s"},
		{Subject: "main:reports", Check: checkBucket, Level: levelFailure, Message: "m", Do: "d"},
	}
	if !slices.Equal(e.findings, want) {
		t.Errorf("found %+v, want %+v", e.findings, want)
	}
}

package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"keyhole/cmd/keyhole/internal/inprocess"
	"keyhole/config"
	"keyhole/gateway"
)

// intercept answers a request in place of the storage. It returns false to leave the
// request to the storage.
type intercept func(w http.ResponseWriter, r *http.Request) bool

// startStorage starts an S3 server in this process with the buckets reports, which has
// one object, and empty. It returns the configuration of a storage that reaches it. A
// proxy in front of it forwards every request unchanged, but for those that instead
// answers.
func startStorage(t *testing.T, instead intercept) *config.Storage {
	t.Helper()
	s3, err := inprocess.StartS3(t.Context(), "127.0.0.1:0", []string{"reports", "empty"}, []inprocess.Object{
		{Bucket: "reports", Key: "folder/q3.csv", Content: []byte("a,b\n"), Modified: time.Unix(1e9, 0)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s3.Close() }) // nothing is written to it
	target := &url.URL{Scheme: "http", Host: s3.Address}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // signatures cover it
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead == nil || !instead(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	c := config.DefaultStorage()
	c.Name, c.Endpoint, c.Region, c.PathStyle, c.Buckets = "main", front.URL, "us-east-1", true, []string{"reports"}
	c.AccessKeyID, c.SecretAccessKey = s3.AccessKey, config.NewSecret(s3.Secret)
	c.Timeout = 5 * time.Second
	return &c
}

// examine returns what the doctor finds in a storage.
func examine(t *testing.T, c *config.Storage) []finding {
	t.Helper()
	x := &examination{}
	if err := x.examineStorage(t.Context(), c, testMetrics()); err != nil {
		t.Fatal(err)
	}
	for _, f := range x.findings {
		for _, secret := range []string{c.SecretAccessKey.Reveal(), "X-Amz-", "Signature="} {
			if strings.Contains(f.Message+f.Do, secret) {
				t.Errorf("a finding contains %s: %+v", secret, f)
			}
		}
	}
	return x.findings
}

// The checks of a sound bucket with an object, in their order.
func soundBucket() []string {
	return []string{
		"ok bucket", "ok list", "ok read", "ok versions", "ok etags", "ok public", "ok delivery", "ok headers",
		"ok signature", "ok expiry", "ok anonymous",
	}
}

// Each part of a sound storage is checked once, and each finding names its subject.
func TestSoundStorage(t *testing.T) {
	t.Parallel()
	found := examine(t, startStorage(t, nil))
	want := append([]string{"ok credentials", "ok clock"}, soundBucket()...)
	if got := checksOf(found); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q:\n%+v", got, want, found)
	}
	for i, f := range found {
		if subject := map[bool]string{true: "main", false: "main:reports"}[i < 2]; f.Subject != subject {
			t.Errorf("the finding %+v is about %s, want %s", f, f.Subject, subject)
		}
	}
}

// A storage may have the name of another subject. Its own findings then have a prefix, and
// those of its buckets need none.
func TestStorageSubject(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"main": "main", "public": "storage/public", "redis": "storage/redis", "oidc": "storage/oidc",
		"service": "service", "storage": "storage", "publicly": "publicly",
	} {
		if got := storageSubject(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	c := startStorage(t, nil)
	c.Name = "redis"
	seen := map[string]bool{}
	for _, f := range examine(t, c) {
		seen[f.Subject] = true
	}
	if len(seen) != 2 || !seen["storage/redis"] || !seen["redis:reports"] {
		t.Errorf("the findings are about %v", seen)
	}
}

// Each bucket is checked by itself: a missing one hides nothing of the others, and an
// empty one is checked as far as possible.
func TestBucketsOfAStorage(t *testing.T) {
	t.Parallel()
	c := startStorage(t, nil)
	c.Buckets = []string{"nowhere", "empty", "reports"}
	found := examine(t, c)
	want := []string{"ok credentials", "ok clock", "failure bucket"}
	want = append(want, "ok bucket", "ok list", "warning read", "ok public", "ok delivery", "ok signature", "ok expiry",
		"ok anonymous")
	want = append(want, soundBucket()...)
	if got := checksOf(found); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q:\n%+v", got, want, found)
	}
	wantOne(t, found[2:3], levelFailure, "no such bucket", "correct buckets")
	wantOne(t, found[5:6], levelWarning, "no readable object among the first 100", "upload an object")
}

// bySDK tells whether the service's own client sent a request, not a recipient.
func bySDK(r *http.Request) bool { return r.Header.Get("Authorization") != "" }

// refuse answers with an error of S3.
func refuse(w http.ResponseWriter, status int, code, message string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	return true
}

// faults are the findings of a storage beside those that are ok.
func faults(found []finding) []finding {
	return slices.DeleteFunc(slices.Clone(found), func(f finding) bool { return f.Level == levelOK })
}

// wantFaults fails unless exactly these checks are not ok, and the first of them says
// and advises what is wanted.
func wantFaults(t *testing.T, found []finding, checks, message, do string) {
	t.Helper()
	bad := faults(found)
	if got := strings.Join(checksOf(bad), ", "); got != checks {
		t.Fatalf("found %q, want %q:\n%+v", got, checks, bad)
	}
	if !strings.Contains(bad[0].Message, message) || !strings.Contains(bad[0].Do, do) {
		t.Errorf("found %+v, want %q and %q", bad[0], message, do)
	}
}

// A fault in the rights of the credentials is named, with the right that is missing.
func TestRightsInABucket(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		instead             intercept
		checks, message, do string
	}{
		"may not list": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return bySDK(r) && r.URL.Query().Has("list-type") && refuse(w, 403, "AccessDenied", "no")
			},
			"warning list", "503 instead of 410", "s3:ListBucket",
		},
		"may not read": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return bySDK(r) && strings.HasSuffix(r.URL.Path, ".csv") && refuse(w, 403, "AccessDenied", "no")
			},
			"failure read", "may not read the objects", "s3:GetObject",
		},
		"may not decrypt": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return bySDK(r) && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".csv") &&
					refuse(w, 400, "KMS.DisabledException", "the key is disabled")
			},
			"failure read", "may not use the KMS key", "kms:Decrypt",
		},
		"listing is broken": {
			func(w http.ResponseWriter, r *http.Request) bool {
				return bySDK(r) && r.URL.Query().Has("list-type") && refuse(w, 503, "SlowDown", "no")
			},
			"failure list", "listing the bucket failed: SlowDown", "ask the operator of the storage",
		},
		"the listing is a page of a proxy": {
			func(w http.ResponseWriter, r *http.Request) bool {
				if !bySDK(r) || !r.URL.Query().Has("list-type") {
					return false
				}
				_, _ = io.WriteString(w, "<html>Please log in</html>")
				return true
			},
			"failure list", "listing the bucket failed: the answer is not a listing", "ask the operator of the storage",
		},
		"the listing is refused by a proxy": {
			func(w http.ResponseWriter, r *http.Request) bool {
				if !bySDK(r) || !r.URL.Query().Has("list-type") {
					return false
				}
				w.WriteHeader(520) // has no name, which would be the code
				_, _ = io.WriteString(w, "<html>Unknown error</html>")
				return true
			},
			"failure list", "listing the bucket failed: HTTP status 520", "ask the operator of the storage",
		},
		"the listing breaks off": {
			func(_ http.ResponseWriter, r *http.Request) bool {
				if bySDK(r) && r.URL.Query().Has("list-type") {
					panic(http.ErrAbortHandler)
				}
				return false
			},
			"failure list", "listing the bucket failed: EOF", "ask the operator of the storage",
		},
		"another region": {
			func(w http.ResponseWriter, r *http.Request) bool {
				if !bySDK(r) || r.Method != http.MethodHead {
					return false
				}
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
				w.WriteHeader(http.StatusMovedPermanently)
				return true
			},
			"failure bucket", "is in the region eu-west-1, but region of the storage is us-east-1", "correct region",
		},
		"a clock that is ahead": {
			func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead && bySDK(r) {
					w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
					return true
				}
				return refuse(w, 400, "Stop", "only the clock is of interest")
			},
			"warning clock, warning list, failure delivery", "is 1h ahead of this machine's", "repair NTP",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantFaults(t, examine(t, startStorage(t, tt.instead)), tt.checks, tt.message, tt.do)
		})
	}
}

// Wrong credentials and a wrong endpoint end the examination of a storage early, because
// every further check would fail for the same reason.
func TestStorageIsMisconfigured(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change              func(*config.Storage)
		checks, message, do string
	}{
		"a wrong secret": {
			func(c *config.Storage) { c.SecretAccessKey = config.NewSecret("wrong") },
			"failure credentials", "SignatureDoesNotMatch", "belong together",
		},
		"an unknown key ID": {
			func(c *config.Storage) { c.AccessKeyID = "NOBODY" },
			"failure credentials", "InvalidAccessKeyId", "belong together",
		},
		"a wrong endpoint": {
			func(c *config.Storage) { c.Endpoint = "http://127.0.0.1:1" },
			"failure bucket", "the storage is unreachable", "endpoint of the storage",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startStorage(t, nil)
			tt.change(c)
			wantFaults(t, examine(t, c), tt.checks, tt.message, tt.do)
		})
	}
	for want, change := range map[string]func(*config.Storage){
		"storage main: read ca_file":         func(c *config.Storage) { c.CAFile = "/does/not/exist" },
		"storage main: no valid credentials": func(c *config.Storage) { c.SecretAccessKeyFile = "/does/not/exist" },
	} {
		c := startStorage(t, nil)
		change(c)
		x := &examination{}
		if err := x.examineStorage(t.Context(), c, testMetrics()); err == nil || len(x.findings) > 0 ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v and %+v, want %s", err, x.findings, want)
		}
	}
}

// Links to objects without version and ETag cannot be pinned, which is a warning.
func TestUnpinnableObjects(t *testing.T) {
	t.Parallel()
	c := startStorage(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !bySDK(r) || r.URL.Path == "/reports" && r.Method == http.MethodHead {
			return false
		}
		if r.URL.Query().Has("list-type") {
			_, _ = io.WriteString(w, `<ListBucketResult><Name>reports</Name><Contents><Key>folder/</Key></Contents>`+
				`<Contents><Key>folder/q3.csv</Key><Size>4</Size></Contents></ListBucketResult>`)
			return true
		}
		w.Header().Set("Last-Modified", time.Unix(1e9, 0).UTC().Format(http.TimeFormat))
		http.ServeContent(w, r, "q3.csv", time.Unix(1e9, 0), strings.NewReader("a,b\n"))
		return true
	})
	wantFaults(t, examine(t, c), "warning etags", "links cannot be pinned", "turn on versioning")
}

// The innermost cause of an error is what its reader can act on.
func TestLastReason(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	for name, err := range map[string]error{
		"itself": cause, "wrapped": fmt.Errorf("storage: %w", fmt.Errorf("head: %w", cause)),
		"joined": errors.Join(errors.New("first"), fmt.Errorf("second: %w", cause)),
		"url":    &url.Error{Op: "Get", URL: "https://s3.test/?X-Amz-Signature=canary", Err: cause},
	} {
		if got := lastReason(err); got != cause.Error() {
			t.Errorf("%s: got %q", name, got)
		}
	}
	// If the innermost error says only that the storage is unavailable, the text around it
	// is the cause.
	for want, err := range map[string]error{
		"list: the answer is not a listing": fmt.Errorf("doctor: %w",
			fmt.Errorf("%w: list: the answer is not a listing", gateway.ErrUnavailable)),
		"lookup s3.test: no such host": fmt.Errorf("%w: %w", gateway.ErrUnavailable, &url.Error{
			Op: "Get", URL: "https://s3.test/?X-Amz-Signature=canary",
			Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "s3.test"}},
		}),
		"x509: certificate signed by unknown authority": fmt.Errorf("%w: %w", gateway.ErrUnavailable, &url.Error{
			Op: "Get", URL: "https://s3.test/?X-Amz-Signature=canary",
			Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		}),
		"unavailable": gateway.ErrUnavailable,
	} {
		if got := lastReason(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := lastReason(fmt.Errorf("%w: %w", gateway.ErrUnavailable, context.DeadlineExceeded)); got !=
		"no response in time" {
		t.Errorf("a deadline: got %q", got)
	}
}

//go:build system

package system

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyhole/cmd/keyhole/internal/command"
	"keyhole/gateway/objects/s3test"
)

// faultyStorage is an S3 server in which TestDoctorFindsFaults plants faults.
type faultyStorage struct {
	server     *s3test.Server
	target     *url.URL // of the server
	root, user string   // the credentials as keys of the configuration
	me         string   // the user as the principal of a policy
}

// everybody is the principal of a policy that admits requests without a signature.
const everybody = `"*"`

// public writes the keys of the storage with another endpoint for recipients.
func (f *faultyStorage) public(endpoint string) string {
	return at(f.server.Endpoint(), fmt.Sprintf("buckets: [reports]\npublic_endpoint: %q", endpoint)+f.root)
}

// storageFault is one fault and the finding that the doctor must have of it.
type storageFault struct {
	name    string
	storage func(*testing.T) string
	policy  string // of the bucket
	want    string // level, subject and check
	message string // a part of it
	do      string // a part of it
}

// TestDoctorFindsFaults plants faults, one at a time, and wants each found, named
// and nothing else.
func TestDoctorFindsFaults(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_CONFIG_FILE": "/nonexistent",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	server := s3test.Start(t, "reports", "empty")
	server.AddUser(t)
	server.Put(t, "reports", "q3.csv", "text/csv", []byte("a,b\n"))
	target, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyStorage{
		server: server, target: target,
		root: as(t, s3test.RootKey, s3test.RootSecret), user: as(t, s3test.UserKey, s3test.UserSecret),
		me: fmt.Sprintf(`{"AWS":[%q]}`, s3test.UserKey),
	}
	for _, tt := range slices.Concat(f.credentialFaults(), f.bucketFaults(), f.endpointFaults(), f.proxyFaults()) {
		t.Run(tt.name, func(t *testing.T) { f.find(t, tt) })
	}
}

// find plants one fault, runs the doctor and compares its findings.
func (f *faultyStorage) find(t *testing.T, tt storageFault) {
	t.Helper()
	f.server.SetPolicy(t, "reports", cmp.Or(tt.policy, policy(f.me, "s3:ListBucket")))
	code, findings, printed := doctor(t, tt.storage(t))
	var got []string
	for _, finding := range findings {
		if finding.Level == "ok" {
			continue
		}
		if len(got) == 0 && (!strings.Contains(finding.Message, tt.message) || !strings.Contains(finding.Do, tt.do)) {
			t.Errorf("it says %q, and to do %q; want %q and %q in them", finding.Message, finding.Do, tt.message, tt.do)
		}
		got = append(got, finding.Level+" "+finding.Subject+" "+finding.Check)
	}
	if strings.Join(got, ", ") != tt.want {
		t.Errorf("found %q, want %q\n%s", got, tt.want, printed)
	}
	if want := map[bool]int{
		true:  command.ExitFailed,
		false: command.ExitOK,
	}[strings.Contains(tt.want, "failure")]; code != want {
		t.Errorf("exit %d, want %d", code, want)
	}
	for _, secret := range []string{s3test.RootSecret, s3test.UserSecret, "secret-canary", "X-Amz-", "Signature="} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s is in what it prints: %s", secret, printed)
		}
	}
}

// credentialFaults returns faults of the credentials.
func (f *faultyStorage) credentialFaults() []storageFault {
	return []storageFault{
		{
			"no credentials", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [reports]") }, "",
			"failure main credentials", "no valid credentials", "default chain",
		},
		{
			"a provider that fails", func(t *testing.T) string {
				t.Helper()
				path := filepath.Join(t.TempDir(), "config")
				if err := os.WriteFile(path, []byte("[default]\ncredential_process = echo secret-canary; exit 3\n"),
					0o600); err != nil {
					t.Fatal(err)
				}
				t.Setenv("AWS_CONFIG_FILE", path)
				return at(f.server.Endpoint(), "buckets: [reports]")
			}, "",
			"failure main credentials", "credential_process failed", "default chain",
		},
		{
			"a wrong secret", func(t *testing.T) string {
				t.Helper()
				return at(f.server.Endpoint(), "buckets: [reports]"+as(t, s3test.RootKey, "wrong"))
			}, "",
			"failure main:reports credentials", "SignatureDoesNotMatch", "belong together",
		},
		{
			"an unknown key",
			func(t *testing.T) string {
				t.Helper()
				return at(f.server.Endpoint(), "buckets: [reports]"+as(t, "NOBODY", "wrong"))
			}, "",
			"failure main:reports credentials", "InvalidAccessKeyId", "belong together",
		},
		{
			"credentials that end soon", func(t *testing.T) string {
				t.Helper()
				t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", handler(t, func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":%q}`,
						s3test.RootKey, s3test.RootSecret, time.Now().Add(8*time.Minute).UTC().Format(time.RFC3339))
				}))
				return at(f.server.Endpoint(), "buckets: [reports]")
			}, "",
			"warning main credentials", "expire in 8m", "renews them in time",
		},
	}
}

// bucketFaults returns faults of a bucket, its policy and the endpoint of its storage.
func (f *faultyStorage) bucketFaults() []storageFault {
	return []storageFault{
		{
			"another region", func(*testing.T) string {
				return strings.Replace(at(f.server.Endpoint(), "buckets: [reports]"+f.root), "us-east-1", "eu-west-1", 1)
			}, "",
			"failure main:reports bucket", "is in the region us-east-1", "correct region",
		},
		{
			"no such bucket", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [nowhere]"+f.root) }, "",
			"failure main:nowhere bucket", "no such bucket", "correct buckets",
		},
		{
			"a storage that is not there",
			func(*testing.T) string { return at("http://127.0.0.1:1", "buckets: [reports]"+f.root) }, "",
			"failure main:reports bucket", "connection refused", "endpoint of the storage",
		},
		{
			"an empty bucket", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [empty]"+f.root) }, "",
			"warning main:empty read", "no readable object", "upload an object",
		},
		{
			"may not list", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [reports]"+f.user) },
			policy(f.me, "s3:GetObject"),
			"warning main:reports list", "503 instead of 410", "s3:ListBucket",
		},
		{
			"may not read", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [reports]"+f.user) },
			policy(f.me, "s3:ListBucket"),
			"failure main:reports read, warning main:reports delivery", "may not read", "s3:GetObject",
		},
		{
			"everybody may read", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [reports]"+f.root) },
			policy(everybody, "s3:GetObject"),
			"failure main:reports anonymous", "everyone can read", "make the bucket private",
		},
		{
			"everybody may list", func(*testing.T) string { return at(f.server.Endpoint(), "buckets: [reports]"+f.root) },
			policy(everybody, "s3:ListBucket"),
			"failure main:reports anonymous", "everyone can list", "make the bucket private",
		},
	}
}

// endpointFaults returns faults of the endpoint that recipients use.
func (f *faultyStorage) endpointFaults() []storageFault {
	return []storageFault{
		{
			"a public endpoint that is not there", func(*testing.T) string { return f.public("http://127.0.0.1:1") }, "",
			"failure main:reports public", "connection refused", "set public_endpoint",
		},
		{
			"a public endpoint that nobody trusts", func(t *testing.T) string {
				t.Helper()
				tls := httptest.NewTLSServer(http.NotFoundHandler())
				t.Cleanup(tls.Close)
				return f.public(tls.URL)
			}, "",
			"failure main:reports public", "not valid for recipients", "an authority that recipients trust",
		},
		{
			"a public endpoint that is another server", func(t *testing.T) string {
				t.Helper()
				return f.public(handler(t,
					func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>welcome") }))
			}, "",
			"failure main:reports delivery", "is not an S3 server", "public_endpoint",
		},
		{
			"a public endpoint that redirects", func(t *testing.T) string {
				t.Helper()
				return f.public(handler(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "https://elsewhere.example/", http.StatusMovedPermanently)
				}))
			}, "",
			"failure main:reports delivery", "redirects with 301", "the target of the redirect",
		},
	}
}

// proxyFaults returns faults of a proxy in front of the storage.
func (f *faultyStorage) proxyFaults() []storageFault {
	return []storageFault{
		{
			"a proxy that sends another Host", func(t *testing.T) string {
				t.Helper()
				proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(f.target) }}
				return f.public(handler(t, proxy.ServeHTTP))
			}, "",
			"failure main:reports delivery", "another host or path than the signed one", "Host",
		},
		{
			"a proxy that turns HEAD into GET", func(t *testing.T) string {
				t.Helper()
				proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(f.target)
					r.Out.Host, r.Out.Method = r.In.Host, http.MethodGet
				}}
				return f.public(handler(t, proxy.ServeHTTP))
			}, "",
			"failure main:reports delivery", "refuses a HEAD", "turns HEAD into GET",
		},
		{
			"a proxy that signs for everybody", func(t *testing.T) string {
				t.Helper()
				presign := s3.NewPresignClient(f.server.Root)
				return f.public(handler(t, func(w http.ResponseWriter, r *http.Request) {
					bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
					if key == "" {
						w.WriteHeader(http.StatusForbidden)
						return
					}
					signed, err := presign.PresignGetObject(r.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
					if err != nil {
						t.Error(err)
						return
					}
					answer, err := http.Get(signed.URL)
					if err != nil {
						t.Error(err)
						return
					}
					defer answer.Body.Close()
					w.Header().Set("ETag", answer.Header.Get("ETag"))
					w.Header().Set("Content-Disposition", r.URL.Query().Get("response-content-disposition"))
					w.Header().Set("Content-Type", r.URL.Query().Get("response-content-type"))
					w.WriteHeader(answer.StatusCode)
					_, _ = io.Copy(w, answer.Body) // the doctor may have hung up
				}))
			}, "",
			"failure main:reports signature, failure main:reports expiry, failure main:reports anonymous",
			"wrong signature works", "close this access",
		},
	}
}

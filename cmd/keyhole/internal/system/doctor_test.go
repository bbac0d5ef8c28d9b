//go:build system

package system

import (
	"bytes"
	"cmp"
	"encoding/json"
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
	"keyhole/cmd/keyhole/internal/operatorkey"
	"keyhole/gateway/objects/s3test"
	"keyhole/gateway/redisstore/redistest"
)

// doctor runs keyhole doctor over a sound Redis and a configuration with these keys
// of the storage main, and returns its exit code, its findings of storages and all
// that it printed.
func doctor(t *testing.T, storage string) (code int, findings []doctorFinding, printed string) {
	t.Helper()
	code, findings, printed = doctorOver(t, redisAt(t, "", redistest.StartSingle(t).Addr), storage)
	for _, f := range findings {
		if f.Subject == "redis" && f.Level != "ok" {
			t.Errorf("of a sound Redis it says: %+v", f)
		}
	}
	return code, slices.DeleteFunc(findings, func(f doctorFinding) bool { return f.Subject == "redis" }), printed
}

// redisAt writes the keys of a Redis that is one of the tests', and more keys.
func redisAt(t *testing.T, more string, addresses ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(path, []byte(redistest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`addresses: ["%s"], username: %s, password_file: %q, timeout: 2s%s`,
		strings.Join(addresses, `", "`), redistest.Username, path, more)
}

// doctorOver runs keyhole doctor over a configuration with these keys of Redis and
// of the storage main, and returns its exit code, its findings and all that it
// printed.
func doctorOver(t *testing.T, redis, storage string) (code int, findings []doctorFinding, printed string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyhole.yaml")
	text := fmt.Sprintf(`
public: { url: "http://127.0.0.1:8080" }
operator: { keys: [{ name: ops, sha256: %s, can: [issue] }] }
redis: { %s }
storage:
  - name: main
    timeout: 5s
%s`, operatorkey.Hash("x"), redis, storage)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code = runBinary(t.Context(), []string{"doctor", "--config", path, "--json"},
		command.Env{Stdout: &stdout, Stderr: &stderr})
	var answer struct{ Findings []doctorFinding }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil && code != command.ExitUsage {
		t.Fatalf("exit %d: %v in %s%s", code, err, &stdout, &stderr)
	}
	return code, answer.Findings, stdout.String() + stderr.String()
}

// at writes the keys of a storage that is an S3 server.
func at(endpoint, more string) string {
	return fmt.Sprintf(`
    endpoint: %q
    region: us-east-1
    path_style: true
    %s
`, endpoint, strings.ReplaceAll(more, "\n", "\n    "))
}

// as writes its credentials.
func as(t *testing.T, key, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("\naccess_key_id: %s\nsecret_access_key_file: %s\n", key, path)
}

// TestDoctorFindsNothing runs the doctor over two sound storages.
func TestDoctorFindsNothing(t *testing.T) {
	root := as(t, s3test.RootKey, s3test.RootSecret)
	for name, server := range map[string]*s3test.Server{
		"versitygw": s3test.Start(t, "reports", "exports"), "Ceph RGW": s3test.StartRGW(t, "reports", "exports"),
	} {
		server.KeepVersions(t, "exports", true)
		server.Put(t, "reports", "a b+c/ü.txt", "text/plain", []byte("content"))
		server.Put(t, "exports", "empty", "text/plain", nil)
		code, findings, printed := doctor(t, at(server.Endpoint(), "buckets: [reports, exports]"+root))
		var got []string
		for _, f := range findings {
			got = append(got, f.Level+" "+f.Subject+" "+f.Check)
		}
		want := []string{"ok main credentials", "ok main clock"}
		for _, bucket := range []string{"main:reports", "main:exports"} {
			for _, check := range []string{
				"bucket", "list", "read", "versions", "etags", "public", "delivery", "headers",
				"signature", "expiry", "anonymous",
			} {
				if bucket == "main:exports" || check != "versions" {
					want = append(want, "ok "+bucket+" "+check)
				}
			}
		}
		if code != command.ExitOK || !slices.Equal(got, want) {
			t.Errorf("%s: exit %d\n%s\nwant\n%s", name, code, printed, strings.Join(want, "\n"))
		}
		for _, secret := range []string{s3test.RootSecret, "X-Amz-", "Signature="} {
			if strings.Contains(printed, secret) {
				t.Errorf("%s: %s is in what it prints: %s", name, secret, printed)
			}
		}
	}
}

// policy lets the test's user, or everybody, do something in the bucket reports.
func policy(principal string, actions ...string) string {
	var statements []string
	for _, action := range actions {
		resource := "arn:aws:s3:::reports/*"
		if action == "s3:ListBucket" || action == "s3:GetBucketLocation" {
			resource = "arn:aws:s3:::reports"
		}
		statements = append(statements,
			fmt.Sprintf(`{"Effect":"Allow","Principal":%s,"Action":%q,"Resource":%q}`, principal, action, resource))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// handler starts a server and returns its URL.
func handler(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
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
	root, user := as(t, s3test.RootKey, s3test.RootSecret), as(t, s3test.UserKey, s3test.UserSecret)
	public := func(endpoint string) string {
		return at(server.Endpoint(), fmt.Sprintf("buckets: [reports]\npublic_endpoint: %q", endpoint)+root)
	}
	const everybody = `"*"`
	me := fmt.Sprintf(`{"AWS":[%q]}`, s3test.UserKey)

	tests := []struct {
		name    string
		storage func(*testing.T) string
		policy  string // of the bucket
		want    string // level, subject and check
		message string // a part of it
		do      string // a part of it
	}{
		{
			"no credentials", func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]") }, "",
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
				return at(server.Endpoint(), "buckets: [reports]")
			}, "",
			"failure main credentials", "credential_process failed", "default chain",
		},
		{
			"a wrong secret", func(*testing.T) string {
				return at(server.Endpoint(), "buckets: [reports]"+as(t, s3test.RootKey, "wrong"))
			}, "",
			"failure main:reports credentials", "SignatureDoesNotMatch", "belong together",
		},
		{
			"an unknown key",
			func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]"+as(t, "NOBODY", "wrong")) }, "",
			"failure main:reports credentials", "InvalidAccessKeyId", "belong together",
		},
		{
			"credentials that end soon", func(t *testing.T) string {
				t.Helper()
				t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", handler(t, func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":%q}`,
						s3test.RootKey, s3test.RootSecret, time.Now().Add(8*time.Minute).UTC().Format(time.RFC3339))
				}))
				return at(server.Endpoint(), "buckets: [reports]")
			}, "",
			"warning main credentials", "expire in 8m", "renews them in time",
		},
		{
			"another region", func(*testing.T) string {
				return strings.Replace(at(server.Endpoint(), "buckets: [reports]"+root), "us-east-1", "eu-west-1", 1)
			}, "",
			"failure main:reports bucket", "is in the region us-east-1", "correct region",
		},
		{
			"no such bucket", func(*testing.T) string { return at(server.Endpoint(), "buckets: [nowhere]"+root) }, "",
			"failure main:nowhere bucket", "no such bucket", "correct buckets",
		},
		{
			"a storage that is not there",
			func(*testing.T) string { return at("http://127.0.0.1:1", "buckets: [reports]"+root) }, "",
			"failure main:reports bucket", "connection refused", "endpoint of the storage",
		},
		{
			"an empty bucket", func(*testing.T) string { return at(server.Endpoint(), "buckets: [empty]"+root) }, "",
			"warning main:empty read", "no readable object", "upload an object",
		},
		{
			"may not list", func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]"+user) },
			policy(me, "s3:GetObject"),
			"warning main:reports list", "503 instead of 410", "s3:ListBucket",
		},
		{
			"may not read", func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]"+user) },
			policy(me, "s3:ListBucket"),
			"failure main:reports read, warning main:reports delivery", "may not read", "s3:GetObject",
		},
		{
			"everybody may read", func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]"+root) },
			policy(everybody, "s3:GetObject"),
			"failure main:reports anonymous", "everyone can read", "make the bucket private",
		},
		{
			"everybody may list", func(*testing.T) string { return at(server.Endpoint(), "buckets: [reports]"+root) },
			policy(everybody, "s3:ListBucket"),
			"failure main:reports anonymous", "everyone can list", "make the bucket private",
		},
		{
			"a public endpoint that is not there", func(*testing.T) string { return public("http://127.0.0.1:1") }, "",
			"failure main:reports public", "connection refused", "set public_endpoint",
		},
		{
			"a public endpoint that nobody trusts", func(t *testing.T) string {
				t.Helper()
				tls := httptest.NewTLSServer(http.NotFoundHandler())
				t.Cleanup(tls.Close)
				return public(tls.URL)
			}, "",
			"failure main:reports public", "not valid for recipients", "an authority that recipients trust",
		},
		{
			"a public endpoint that is another server", func(t *testing.T) string {
				t.Helper()
				return public(handler(t,
					func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>welcome") }))
			}, "",
			"failure main:reports delivery", "is not an S3 server", "public_endpoint",
		},
		{
			"a public endpoint that redirects", func(t *testing.T) string {
				t.Helper()
				return public(handler(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "https://elsewhere.example/", http.StatusMovedPermanently)
				}))
			}, "",
			"failure main:reports delivery", "redirects with 301", "the target of the redirect",
		},
		{
			"a proxy that sends another Host", func(t *testing.T) string {
				t.Helper()
				proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
				return public(handler(t, proxy.ServeHTTP))
			}, "",
			"failure main:reports delivery", "another host or path than the signed one", "Host",
		},
		{
			"a proxy that turns HEAD into GET", func(t *testing.T) string {
				t.Helper()
				proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
					r.SetURL(target)
					r.Out.Host, r.Out.Method = r.In.Host, http.MethodGet
				}}
				return public(handler(t, proxy.ServeHTTP))
			}, "",
			"failure main:reports delivery", "refuses a HEAD", "turns HEAD into GET",
		},
		{
			"a proxy that signs for everybody", func(t *testing.T) string {
				t.Helper()
				presign := s3.NewPresignClient(server.Root)
				return public(handler(t, func(w http.ResponseWriter, r *http.Request) {
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
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server.SetPolicy(t, "reports", cmp.Or(tt.policy, policy(me, "s3:ListBucket")))
			code, findings, printed := doctor(t, tt.storage(t))
			var got []string
			for _, f := range findings {
				if f.Level == "ok" {
					continue
				}
				if len(got) == 0 && (!strings.Contains(f.Message, tt.message) || !strings.Contains(f.Do, tt.do)) {
					t.Errorf("it says %q, and to do %q; want %q and %q in them", f.Message, f.Do, tt.message, tt.do)
				}
				got = append(got, f.Level+" "+f.Subject+" "+f.Check)
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
		})
	}
}

// doctorFinding is a finding as keyhole doctor --json prints it.
type doctorFinding struct{ Subject, Check, Level, Message, Do string }

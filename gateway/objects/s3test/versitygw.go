package s3test

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// Options configures a versitygw. Every field may be left out.
type Options struct {
	Buckets []string
	Region  string // default Region
	Host    string // the address to listen on, default 127.0.0.1

	// CertFile and KeyFile enable https. RootCAs has the authority of the certificate,
	// for the client of the root user.
	CertFile, KeyFile string
	RootCAs           *x509.CertPool

	// Domain enables virtual hosts, BUCKET.Domain, beside path style.
	Domain string
}

// Start starts a versitygw with the buckets.
func Start(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	return StartWith(tb, Options{Buckets: buckets})
}

// StartWith starts the versitygw that deploy/test builds. It takes about 25 ms.
func StartWith(tb testing.TB, o Options) *Server {
	tb.Helper()
	program := filepath.Join(os.Getenv("TEST_TOOLS"), "versitygw")
	if _, err := os.Stat(program); err != nil { //nolint:gosec // A directory that deploy/test names.
		tb.Fatalf("the S3 server for tests is not there (%v): run deploy/test, which builds it and sets TEST_TOOLS", err)
	}
	dir := tb.TempDir()
	for _, name := range []string{"data", "versions", "iam"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	region := cmp.Or(o.Region, Region)
	scheme, transport := "http", http.DefaultTransport.(*http.Transport).Clone()
	addr := freeAddress(tb, cmp.Or(o.Host, "127.0.0.1"))
	args := []string{"--port", addr, "--region", region, "--iam-dir", filepath.Join(dir, "iam"), "--quiet"}
	if o.CertFile != "" {
		scheme = "https"
		transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}
		args = append(args, "--cert", o.CertFile, "--key", o.KeyFile)
	}
	if o.Domain != "" {
		args = append(args, "--virtual-domain", o.Domain)
	}
	args = append(args, "posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))

	s := newServer("versitygw", scheme, addr, region, transport)
	s.Directory = filepath.Join(dir, "data")
	s.addUser = func(tb testing.TB) {
		tb.Helper()
		must(tb, program, "admin", "--access", RootKey, "--secret", RootSecret, "--endpoint-url", s.Endpoint(),
			"create-user", "--access", UserKey, "--secret", UserSecret, "--role", "user")
	}
	s.waitReady(tb, spawn(tb, program, []string{"ROOT_ACCESS_KEY=" + RootKey, "ROOT_SECRET_KEY=" + RootSecret}, args...))
	s.CreateBuckets(tb, o.Buckets...)
	return s
}

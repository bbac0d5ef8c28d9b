// Package s3test starts a real S3 server for tests, versitygw, which verifies
// every signature and keeps versions. It listens on loopback at a free port,
// keeps its files in a temporary directory and ends with the test.
package s3test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The server's root user, and the one of [Server.AddUser], who may do only what
// a bucket's policy says.
const (
	RootKey    = "KEYHOLETESTACCESS"
	RootSecret = "keyhole-test-secret-access-key"
	UserKey    = "KEYHOLETESTUSER"
	UserSecret = "keyhole-test-user-secret-key"
)

// Region is where the server says that its buckets are.
const Region = "us-east-1"

// startTimeout bounds the wait for the server, which needs 0.2 s.
const startTimeout = 20 * time.Second

// Server is one S3 server.
type Server struct {
	Addr string     // 127.0.0.1:port
	Root *s3.Client // asks as the root user, path style

	program string
}

// Start starts a server with the buckets.
func Start(tb testing.TB, buckets ...string) *Server {
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
	s := &Server{Addr: freeAddress(tb), program: program}
	s.Root = s3.New(s3.Options{
		Region: Region, BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(RootKey, RootSecret, ""),
	})
	s.run(tb, "--port", s.Addr, "--region", Region, "--iam-dir", filepath.Join(dir, "iam"), "--quiet",
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	for _, bucket := range buckets {
		if _, err := s.Root.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			tb.Fatalf("create bucket %s: %v", bucket, err)
		}
	}
	return s
}

// Endpoint returns the server's URL.
func (s *Server) Endpoint() string { return "http://" + s.Addr }

// run starts the program and waits until it answers.
func (s *Server) run(tb testing.TB, args ...string) {
	tb.Helper()
	var output bytes.Buffer
	command := exec.Command(s.program, args...) //nolint:gosec // A program that deploy/test built.
	command.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+RootKey, "ROOT_SECRET_KEY="+RootSecret)
	command.Stdout, command.Stderr = &output, &output
	// It must not outlive a test that is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		tb.Fatalf("start versitygw: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // It is killed at the end.
		close(ended)
	}()
	tb.Cleanup(func() {
		_ = command.Process.Kill() // It may have ended.
		<-ended
		if tb.Failed() {
			tb.Logf("versitygw printed:\n%s", &output)
		}
	})
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.Root.ListBuckets(ctx, nil)
		if err == nil {
			return
		}
		select {
		case <-ended:
			tb.Fatal("versitygw ended at once")
		case <-ctx.Done():
			tb.Fatalf("versitygw does not answer: %v", err)
		case <-tick.C:
		}
	}
}

// AddUser adds the user UserKey, who may do nothing yet.
func (s *Server) AddUser(tb testing.TB) {
	tb.Helper()
	//nolint:gosec // A program that deploy/test built.
	add := exec.Command(s.program, "admin", "--access", RootKey, "--secret", RootSecret, "--endpoint-url", s.Endpoint(),
		"create-user", "--access", UserKey, "--secret", UserSecret, "--role", "user")
	if text, err := add.CombinedOutput(); err != nil {
		tb.Fatalf("add a user to the S3 server: %v\n%s", err, text)
	}
}

// Put stores an object and says how the server answered.
func (s *Server) Put(tb testing.TB, bucket, key, contentType string, content []byte) *s3.PutObjectOutput {
	tb.Helper()
	out, err := s.Root.PutObject(tb.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(content), ContentType: &contentType,
	})
	if err != nil {
		tb.Fatalf("put %s/%s: %v", bucket, key, err)
	}
	return out
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

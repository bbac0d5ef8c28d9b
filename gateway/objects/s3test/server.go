// Package s3test starts S3 servers for tests: two real ones, versitygw and Ceph
// RGW, and the one in the process that the demo has. Each verifies every
// signature and keeps versions, listens on loopback at a free port and ends with
// the test.
package s3test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Every server's root user, and the one of [Server.AddUser], who may do only what
// a bucket's policy says.
const (
	RootKey    = "KEYHOLETESTACCESS"
	RootSecret = "keyhole-test-secret-access-key"
	UserKey    = "KEYHOLETESTUSER"
	UserSecret = "keyhole-test-user-secret-key"
)

// Region is where the servers say that their buckets are.
const Region = "us-east-1"

// startTimeout bounds the wait for a server: versitygw needs 0.2 s, Ceph 3 s.
const startTimeout = 40 * time.Second

// Starter starts a server with buckets.
type Starter = func(tb testing.TB, buckets ...string) *Server

// Real returns the two real servers by name.
func Real() map[string]Starter {
	return map[string]Starter{"versitygw": Start, "Ceph RGW": StartRGW}
}

// All returns the real servers and the one in the process.
func All() map[string]Starter {
	all := Real()
	all["in-process"] = StartMemory
	return all
}

// Server is one S3 server.
type Server struct {
	Name string     // as operators know it, "versitygw" for instance
	Addr string     // host:port, on loopback
	Root *s3.Client // asks as the root user, path style
	// Directory holds a directory for each bucket, with a file for each object;
	// empty for servers that keep objects elsewhere.
	Directory string

	scheme string
	// addUser adds UserKey; nil where a server has no users.
	addUser func(testing.TB)
	// addRole makes a role with a policy; nil where a server has no roles.
	addRole func(tb testing.TB, policy string)
}

// newServer returns the server that will answer at addr.
func newServer(name, scheme, addr, region string, transport http.RoundTripper) *Server {
	s := &Server{Name: name, Addr: addr, scheme: scheme}
	s.Root = s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(RootKey, RootSecret, ""),
		HTTPClient:  &http.Client{Transport: transport},
		// What every store understands.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	return s
}

// Endpoint returns the server's URL.
func (s *Server) Endpoint() string { return s.scheme + "://" + s.Addr }

// CreateBuckets makes buckets.
func (s *Server) CreateBuckets(tb testing.TB, buckets ...string) {
	tb.Helper()
	for _, bucket := range buckets {
		if _, err := s.Root.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			tb.Fatalf("create bucket %s: %v", bucket, err)
		}
	}
}

// KeepVersions makes a bucket keep versions, or no more where not on.
func (s *Server) KeepVersions(tb testing.TB, bucket string, on bool) {
	tb.Helper()
	status := types.BucketVersioningStatusEnabled
	if !on {
		status = types.BucketVersioningStatusSuspended
	}
	if _, err := s.Root.PutBucketVersioning(tb.Context(), &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	}); err != nil {
		tb.Fatalf("versions of %s: %v", bucket, err)
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

// TryPut stores an object whose key the server may not be able to hold.
func (s *Server) TryPut(ctx context.Context, bucket, key string, content []byte) error {
	_, err := s.Root.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
	return err
}

// Keys lists the first keys with a prefix.
func (s *Server) Keys(ctx context.Context, bucket, prefix string) ([]string, error) {
	out, err := s.Root.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		return nil, err
	}
	var keys []string
	for i := range out.Contents {
		keys = append(keys, aws.ToString(out.Contents[i].Key))
	}
	return keys, nil
}

// Delete deletes an object, or one version of it.
func (s *Server) Delete(tb testing.TB, bucket, key, version string) {
	tb.Helper()
	in := &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	if _, err := s.Root.DeleteObject(tb.Context(), in); err != nil {
		tb.Fatalf("delete %s/%s: %v", bucket, key, err)
	}
}

// DeleteMarker returns the version ID of the delete marker that is the latest
// version of an object.
func (s *Server) DeleteMarker(tb testing.TB, bucket, key string) string {
	tb.Helper()
	out, err := s.Root.ListObjectVersions(tb.Context(), &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key})
	if err != nil {
		tb.Fatalf("versions of %s/%s: %v", bucket, key, err)
	}
	for _, marker := range out.DeleteMarkers {
		if aws.ToString(marker.Key) == key && aws.ToBool(marker.IsLatest) {
			return aws.ToString(marker.VersionId)
		}
	}
	tb.Fatalf("%s/%s is not deleted", bucket, key)
	return ""
}

// AddUser adds the user UserKey, who may do nothing yet.
func (s *Server) AddUser(tb testing.TB) {
	tb.Helper()
	if s.addUser == nil {
		tb.Fatalf("%s has no users", s.Name)
	}
	s.addUser(tb)
}

// SetPolicy sets the policy of a bucket.
func (s *Server) SetPolicy(tb testing.TB, bucket, policy string) {
	tb.Helper()
	in := &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}
	if _, err := s.Root.PutBucketPolicy(tb.Context(), in); err != nil {
		tb.Fatalf("policy of %s: %v", bucket, err)
	}
}

// waitReady waits until the server answers, or ended is closed.
func (s *Server) waitReady(tb testing.TB, ended <-chan struct{}) {
	tb.Helper()
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
			tb.Fatalf("%s ended at once", s.Name)
		case <-ctx.Done():
			tb.Fatalf("%s does not answer: %v", s.Name, err)
		case <-tick.C:
		}
	}
}

// spawn runs a program until the end of the test, with variables of its own. The
// channel is closed when it has ended.
func spawn(tb testing.TB, program string, env []string, args ...string) (ended <-chan struct{}) {
	tb.Helper()
	var output bytes.Buffer
	command := exec.Command(program, args...) //nolint:gosec // Tests say which.
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = &output, &output
	// It must not outlive a test that is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		tb.Fatalf("start %s: %v", filepath.Base(program), err)
	}
	done := make(chan struct{})
	go func() {
		_ = command.Wait() // It is killed at the end.
		close(done)
	}()
	tb.Cleanup(func() {
		_ = command.Process.Kill() // It may have ended.
		<-done
		if tb.Failed() {
			tb.Logf("%s printed:\n%s", filepath.Base(program), &output)
		}
	})
	return done
}

// must runs a program that ends by itself.
func must(tb testing.TB, program string, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	text, err := exec.CommandContext(ctx, program, args...).CombinedOutput() //nolint:gosec // Tests say which.
	if err != nil {
		tb.Fatalf("%s: %v\n%s", filepath.Base(program), err, text)
	}
}

// freeAddress returns an address of host that nobody listens on.
func freeAddress(tb testing.TB, host string) string {
	tb.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

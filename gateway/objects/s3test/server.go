// Package s3test starts S3 servers for tests: two real ones, versitygw and Ceph RGW, and
// the server that the demo runs inside its process. Each of them verifies every signature,
// can keep versions, listens on a free port of loopback and ends with the test.
package s3test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The root user of every server, and the user of [Server.AddUser], who may do only what
// the policy of a bucket allows.
const (
	RootKey    = "KEYHOLETESTACCESS"
	RootSecret = "keyhole-test-secret-access-key"
	UserKey    = "KEYHOLETESTUSER"
	UserSecret = "keyhole-test-user-secret-key"
)

// Region is the region of the servers, unless the options name another.
const Region = "us-east-1"

// startTimeout bounds the wait for a server: versitygw needs 25 ms, Ceph 1 to 3 s.
const startTimeout = 90 * time.Second

// Starter starts a server with buckets.
type Starter = func(tb testing.TB, buckets ...string) *Server

// Real returns the two real servers by name. A test of what a storage does runs over both,
// because each has its own habits.
func Real() map[string]Starter {
	return map[string]Starter{"versitygw": Start, "Ceph RGW": StartRGW}
}

// All returns the real servers and the one inside the process. Only tests that need no
// other user and no roles can use all of them.
func All() map[string]Starter {
	all := Real()
	all["in-process"] = StartMemory
	return all
}

// Server is one running S3 server.
type Server struct {
	Name string     // as operators know it, such as "versitygw"
	Addr string     // host:port, on loopback
	Root *s3.Client // of the root user, in path style
	// Directory holds a directory for each bucket, with a file for each object;
	// empty for servers that keep objects elsewhere.
	Directory string

	scheme string
	// addUser adds UserKey; nil if the server has only the root user.
	addUser func(testing.TB)
	// addRole makes a role with a policy; nil if the server has no roles.
	addRole func(tb testing.TB, policy string)
}

// newServer returns the server that will answer at addr.
func newServer(name, scheme, addr, region string, transport http.RoundTripper) *Server {
	s := &Server{Name: name, Addr: addr, scheme: scheme}
	s.Root = s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String(s.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(RootKey, RootSecret, ""),
		HTTPClient:  &http.Client{Transport: transport},
		// Not every store understands the newer checksums of the SDK.
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

// KeepVersions makes a bucket keep versions, or stop keeping them. A bucket that has kept
// versions cannot return to its first state: it can only be suspended.
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

// Put stores an object and returns the answer of the server, which has the ETag and the
// version ID.
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

// TryPut stores an object whose key the server may refuse. It returns the refusal.
func (s *Server) TryPut(ctx context.Context, bucket, key string, content []byte) error {
	_, err := s.Root.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
	return err
}

// Keys lists the first page of keys with a prefix, at most 1,000.
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

// DeleteMarker returns the version ID of an object's delete marker. The test fails if the
// latest version of the object is no delete marker.
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

// AddUser adds the user UserKey. Without SetPolicy this user may do nothing.
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

// waitReady waits until the server answers a signed request. The test fails if ended is
// closed first, or after startTimeout.
func (s *Server) waitReady(tb testing.TB, ended <-chan struct{}) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// The SDK would wait for up to seconds before it repeats a refused request.
	once := func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }
	for {
		_, err := s.Root.ListBuckets(ctx, nil, once)
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

// spawn runs a program until the end of the test, with additional environment variables.
// ended is closed when the program has ended. The output is logged if the test failed.
func spawn(tb testing.TB, program string, env []string, args ...string) (ended <-chan struct{}) {
	tb.Helper()
	var output bytes.Buffer
	command := exec.Command(program, args...) //nolint:gosec // Tests say which.
	command.Env = append(os.Environ(), env...)
	command.Stdout, command.Stderr = &output, &output
	// The kernel ends the program if the test process is killed.
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

// must runs a program to its end. The test fails if the program does.
func must(tb testing.TB, program string, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	text, err := exec.CommandContext(ctx, program, args...).CombinedOutput() //nolint:gosec // Tests say which.
	if err != nil {
		tb.Fatalf("%s: %v\n%s", filepath.Base(program), err, text)
	}
}

// The ports of servers: below those of redistest, and below the kernel's ephemeral ports,
// which a connection of another test could take before the server listens.
const (
	lowestPort  = 5_000
	highestPort = 11_000
)

// usedPorts are the ports that this process has assigned. It assigns each one only once: a
// server that is about to listen cannot be detected yet.
var usedPorts sync.Map //nolint:gochecknoglobals // Tests run in parallel.

// freeAddress returns an address of host with a free port.
func freeAddress(tb testing.TB, host string) string {
	tb.Helper()
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // A port is no secret.
		if _, twice := usedPorts.LoadOrStore(port, true); twice {
			continue
		}
		address := net.JoinHostPort(host, strconv.Itoa(port))
		if l, err := net.Listen("tcp", address); err == nil { //nolint:noctx // Loopback.
			_ = l.Close()
			return address
		}
	}
	tb.Fatalf("no free port found at %s", host)
	return ""
}

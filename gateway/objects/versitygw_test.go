package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keyhole/gateway"
)

// The S3 server's root user, and one who may do only what a policy says.
const (
	rootKey, rootSecret = "KEYHOLEROOT", "keyhole-root-secret"
	userKey, userSecret = "KEYHOLEUSER", "keyhole-user-secret"
)

// startVersitygw starts a real S3 server, which verifies every signature, and
// returns its endpoint and a client of its root user.
func startVersitygw(t *testing.T) (string, *s3.Client) {
	t.Helper()
	program := filepath.Join(os.Getenv("TEST_TOOLS"), "versitygw")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the S3 server for tests is not there (%v): run deploy/test, which builds it and sets TEST_TOOLS", err)
	}
	dir := t.TempDir()
	for _, name := range []string{"data", "versions", "iam"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	command := exec.Command(program, "--port", address, "--region", "us-east-1", "--iam-dir", filepath.Join(dir, "iam"), "--quiet",
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	command.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+rootKey, "ROOT_SECRET_KEY="+rootSecret)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatalf("start versitygw: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // it is killed at the end
		close(ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("versitygw printed:\n%s", &output)
		}
	})
	root := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + address), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(rootKey, rootSecret, ""),
	})
	waitFor(t, func(ctx context.Context) error {
		_, err := root.ListBuckets(ctx, nil)
		return err
	})
	user := exec.Command(program, "admin", "--access", rootKey, "--secret", rootSecret, "--endpoint-url", "http://"+address,
		"create-user", "--access", userKey, "--secret", userSecret, "--role", "user")
	if text, err := user.CombinedOutput(); err != nil {
		t.Fatalf("create a user of the S3 server: %v\n%s", err, text)
	}
	return "http://" + address, root
}

// waitFor asks until there is no error, for 20 s at most.
func waitFor(t *testing.T, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the S3 server does not answer: %v", err)
		case <-ticker.C:
		}
	}
}

// put stores an object.
func put(t *testing.T, root *s3.Client, bucket, key, content string) *s3.PutObjectOutput {
	t.Helper()
	out, err := root.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte(content)), ContentType: aws.String("text/csv"),
	})
	if err != nil {
		t.Fatalf("put %s/%s: %v", bucket, key, err)
	}
	return out
}

func TestRealStorage(t *testing.T) {
	t.Parallel()
	endpoint, root := startVersitygw(t)
	for _, bucket := range []string{"reports", "versions"} {
		if _, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := root.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("versions"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	as := func(key, secret string) func(*Options) {
		return func(o *Options) { o.Credentials = credentials.NewStaticCredentialsProvider(key, secret, "") }
	}
	service, _ := storageAt(endpoint, as(rootKey, rootSecret))

	t.Run("what is there", func(t *testing.T) {
		for key, content := range map[string]string{
			"q3.csv": "a,b\n", "empty": "", "dir/": "", "sp ace+%20?#&;'": "x", "emoji 📄": "x", "a%2Fb": "x", "2026/q3.csv": "y",
		} {
			stored := put(t, root, "reports", key, content)
			info, err := service.Prove(t.Context(), "reports", key)
			if err != nil || info.Size != int64(len(content)) || info.ETag != aws.ToString(stored.ETag) || info.ETag == "" || info.VersionID != "" {
				t.Errorf("%q: got %+v, %v", key, info, err)
			}
			if age := time.Since(info.LastModified); age < -time.Minute || age > time.Minute {
				t.Errorf("%q: modified %s ago", key, age)
			}
		}
		if info, err := service.Prove(t.Context(), "reports", "q3.csv"); err != nil || info.ContentType != "text/csv" {
			t.Errorf("got %+v, %v", info, err)
		}
	})

	t.Run("what is not", func(t *testing.T) {
		put(t, root, "reports", "folder/file", "x")
		for _, ref := range [][2]string{{"reports", "missing"}, {"reports", "folder"}, {"reports", "folder/"}, {"reports", "q3.csv/x"}, {"nowhere", "q3.csv"}} {
			if _, err := service.Prove(t.Context(), ref[0], ref[1]); !errors.Is(err, gateway.ErrObjectNotFound) {
				t.Errorf("%v: got %v", ref, err)
			}
		}
	})

	t.Run("versions", func(t *testing.T) {
		put(t, root, "versions", "a", "one")
		second := put(t, root, "versions", "a", "second")
		info, err := service.Prove(t.Context(), "versions", "a")
		if err != nil || info.VersionID == "" || info.VersionID != aws.ToString(second.VersionId) || info.Size != 6 {
			t.Errorf("got %+v, %v; want version %s", info, err, aws.ToString(second.VersionId))
		}
		if _, err := root.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("versions"), Key: aws.String("a")}); err != nil {
			t.Fatal(err)
		}
		if _, err := service.Prove(t.Context(), "versions", "a"); !errors.Is(err, gateway.ErrObjectNotFound) {
			t.Errorf("deleted: got %v", err)
		}
	})

	t.Run("what may not be read", func(t *testing.T) {
		put(t, root, "reports", "secret", "x")
		put(t, root, "reports", "shared/a", "x")
		policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},
			"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::reports/shared/*"]}]}`, userKey)
		if _, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("reports"), Policy: &policy}); err != nil {
			t.Fatal(err)
		}
		user, _ := storageAt(endpoint, as(userKey, userSecret))
		if _, err := user.Prove(t.Context(), "reports", "shared/a"); err != nil {
			t.Errorf("shared: %v", err)
		}
		wrong, _ := storageAt(endpoint, as(rootKey, "wrong"))
		unknown, _ := storageAt(endpoint, as("NOBODY", "wrong"))
		for name, storage := range map[string]*Storage{"no permission": user, "wrong secret": wrong, "unknown key": unknown} {
			if _, err := storage.Prove(t.Context(), "reports", "secret"); !errors.Is(err, gateway.ErrObjectNotReadable) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})

	t.Run("health", func(t *testing.T) {
		for name, tt := range map[string]struct {
			change func(*Options)
			want   Health
		}{
			"there":               {as(rootKey, rootSecret), HealthOK},
			"may not list":        {as(userKey, userSecret), HealthDenied},
			"not a bucket":        {func(o *Options) { as(rootKey, rootSecret)(o); o.Buckets = []string{"nowhere"} }, HealthMissing},
			"one of several gone": {func(o *Options) { as(rootKey, rootSecret)(o); o.Buckets = []string{"versions", "nowhere"} }, HealthMissing},
			"wrong secret":        {as(rootKey, "wrong"), HealthDenied},
		} {
			storage, _ := storageAt(endpoint, tt.change)
			if err := storage.Check(t.Context()); (err == nil) != (tt.want == HealthOK) || storage.Health() != tt.want {
				t.Errorf("%s: %v, health %s; want %s", name, err, storage.Health(), tt.want)
			}
		}
	})
}

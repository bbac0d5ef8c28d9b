package objects

import (
	"bytes"
	"crypto/md5" //nolint:gosec // SSE-C wants the MD5 of its key.
	"encoding/base64"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyhole/gateway"
	"keyhole/gateway/objects/s3test"
)

// TestProveOnRGW covers objects that versitygw cannot store: objects that are encrypted
// with a customer's key, keys that are no paths, and delete markers by their ID.
func TestProveOnRGW(t *testing.T) {
	t.Parallel()
	server := s3test.StartRGW(t, "reports", "versions")
	service, _ := storageAt(server.Endpoint(), func(o *Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(s3test.RootKey, s3test.RootSecret, "")
	})

	for key, content := range map[string]string{
		"empty": "", "dir/": "", "dir/with content/": "x", "a//b": "x", "/leading": "x", "dir": "x", "trailing//": "",
		"q3.csv": "a,b\n",
	} {
		stored := server.Put(t, "reports", key, "text/csv", []byte(content))
		info, err := service.Prove(t.Context(), "reports", key, "")
		if err != nil || info.Size != int64(len(content)) || info.ETag != aws.ToString(stored.ETag) ||
			info.ContentType != "text/csv" {
			t.Errorf("%q: got %+v, %v", key, info, err)
		}
	}

	secret := bytes.Repeat([]byte("k"), 32)
	sum := md5.Sum(secret) //nolint:gosec // As above.
	if _, err := server.Root.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("reports"), Key: aws.String("encrypted"), Body: bytes.NewReader([]byte("content")),
		SSECustomerAlgorithm: aws.String("AES256"), SSECustomerKey: aws.String(base64.StdEncoding.EncodeToString(secret)),
		SSECustomerKeyMD5: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Prove(t.Context(), "reports", "encrypted", ""); !errors.Is(err, gateway.ErrObjectEncrypted) {
		t.Errorf("under a customer's key: %v", err)
	}

	server.KeepVersions(t, "versions", true)
	first := aws.ToString(server.Put(t, "versions", "a", "text/plain", []byte("first")).VersionId)
	server.Put(t, "versions", "a", "text/plain", []byte("second"))
	if info, err := service.Prove(t.Context(), "versions", "a", first); err != nil || info.VersionID != first ||
		info.Size != 5 {
		t.Errorf("the first version: %+v, %v", info, err)
	}
	server.Delete(t, "versions", "a", "")
	for _, version := range []string{"", server.DeleteMarker(t, "versions", "a")} {
		if _, err := service.Prove(t.Context(), "versions", "a", version); !errors.Is(err, gateway.ErrObjectNotFound) {
			t.Errorf("deleted, version %q: %v", version, err)
		}
	}
}

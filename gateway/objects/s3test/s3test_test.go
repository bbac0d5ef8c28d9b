package s3test_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"keyhole/gateway/objects/s3test"
)

// TestServers shows of each server what the other tests rely on.
func TestServers(t *testing.T) {
	t.Parallel()
	for name, start := range s3test.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, "reports", "versions")
			server.Put(t, "reports", "a b+c", "text/csv", []byte("content"))
			got, err := server.Root.GetObject(t.Context(),
				&s3.GetObjectInput{Bucket: aws.String("reports"), Key: aws.String("a b+c")})
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			if body, err := io.ReadAll(got.Body); err != nil || string(body) != "content" || got.VersionId != nil {
				t.Errorf("got %q of version %v, %v", body, got.VersionId, err)
			}

			// A client of its own: the SDK's signer keeps its key by access key ID.
			wrong := s3.New(s3.Options{
				Region: s3test.Region, BaseEndpoint: aws.String(server.Endpoint()), UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(s3test.RootKey, "wrong", ""),
			})
			_, err = wrong.ListBuckets(t.Context(), nil)
			var refused smithy.APIError
			if !errors.As(err, &refused) || refused.ErrorCode() != "SignatureDoesNotMatch" {
				t.Errorf("a wrong secret: %v", err)
			}

			server.KeepVersions(t, "versions", true)
			one := server.Put(t, "versions", "a", "text/plain", []byte("one"))
			two := server.Put(t, "versions", "a", "text/plain", []byte("two"))
			if first, second := aws.ToString(one.VersionId), aws.ToString(two.VersionId); first == "" || second == "" ||
				first == second {
				t.Errorf("versions %q and %q", first, second)
			}
		})
	}
}

// TestClockOff shows that a server can have another time.
func TestClockOff(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		server := s3test.StartRGWWith(t, s3test.RGWOptions{ClockOff: off})
		answer, err := http.Get(server.Endpoint())
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		date, err := http.ParseTime(answer.Header.Get("Date"))
		if err != nil || (time.Until(date)-off).Abs() > time.Minute {
			t.Errorf("its time is %v, %v; want it %v off", date, err, off)
		}
	}
}

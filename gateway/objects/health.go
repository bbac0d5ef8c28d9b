package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"keyhole/gateway"
)

// Health is what a storage last answered, as a word for operators.
type Health string

// The words of Health. They are a closed set: whoever asks needs no key.
const (
	HealthUnknown     Health = "not asked yet"
	HealthOK          Health = "ok"
	HealthDenied      Health = "denied"       // it answers, and refuses a bucket to the service's credentials
	HealthMissing     Health = "missing"      // it answers, and has no such bucket
	HealthRegion      Health = "wrong region" // it answers that the bucket is in another region
	HealthUnavailable Health = "unavailable"  // it cannot be asked
)

// Check asks for every bucket, notes the worst answer for Health, and returns
// its cause. A refusal may be harmless, where the credentials are for objects
// alone.
func (s *Storage) Check(ctx context.Context) error {
	worst, cause := HealthOK, error(nil)
	for _, bucket := range s.buckets {
		health, err := s.CheckBucket(ctx, bucket)
		if severity(health) > severity(worst) {
			worst, cause = health, fmt.Errorf("bucket %s: %w", bucket, err)
		}
	}
	if ctx.Err() == nil {
		s.health.Store(&worst)
	}
	return cause
}

// severity orders what can be wrong.
func severity(h Health) int {
	return slices.Index([]Health{HealthOK, HealthDenied, HealthMissing, HealthRegion, HealthUnavailable}, h)
}

// CheckBucket asks for one bucket, and says why it is not HealthOK.
func (s *Storage) CheckBucket(ctx context.Context, bucket string) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &s3.HeadBucketInput{Bucket: &bucket}
	_, err := ask(s, OpHeadBucket, func() (*s3.HeadBucketOutput, error) { return s.client.HeadBucket(ctx, in) })
	if err == nil {
		return HealthOK, nil
	}
	if region := s.regionOf(ctx, bucket, err); region != "" {
		return HealthRegion, &RegionError{Region: region, Configured: s.region, Err: err}
	}
	switch {
	case errors.Is(err, gateway.ErrObjectNotFound):
		return HealthMissing, err
	case errors.Is(err, gateway.ErrUnavailable):
		return HealthUnavailable, err
	}
	return HealthDenied, err
}

// RegionError says that a bucket is in another region than the configured one.
type RegionError struct {
	Region, Configured string
	Err                error // the storage's refusal
}

// Error names both regions, and how the storage refused.
func (e *RegionError) Error() string {
	return fmt.Sprintf("it is in the region %s, and storage[].region says %s: %v", e.Region, e.Configured, e.Err)
}

// Unwrap returns the storage's refusal.
func (e *RegionError) Unwrap() error { return e.Err }

// regionOf returns the region that a bucket is in, where a refusal of HeadBucket
// says that it is another than the configured one. A HEAD has no body to say so:
// AWS names the region in a header, others only in the error of a listing.
func (s *Storage) regionOf(ctx context.Context, bucket string, err error) string {
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return ""
	}
	if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" && region != s.region {
		return region
	}
	if status := answer.HTTPStatusCode(); status != http.StatusMovedPermanently && status != http.StatusBadRequest {
		return ""
	}
	in := &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1), RequestPayer: s.payer}
	_, err = ask(s, OpListObjects, func() (*s3.ListObjectsV2Output, error) { return s.client.ListObjectsV2(ctx, in) })
	var said smithy.APIError
	if errors.As(err, &said) && said.ErrorCode() == "AuthorizationHeaderMalformed" {
		if found := expectedRegion.FindStringSubmatch(said.ErrorMessage()); found != nil && found[1] != s.region {
			return found[1]
		}
	}
	return ""
}

// expectedRegion reads the message of AuthorizationHeaderMalformed: "the region
// 'us-east-1' is wrong; expecting 'eu-west-1'", in quotes of either kind.
var expectedRegion = regexp.MustCompile(`expecting ['"]([a-z0-9-]+)['"]`)

// Health returns what the storage last answered.
func (s *Storage) Health() Health { return *s.health.Load() }

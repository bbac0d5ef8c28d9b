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

// Health is the last known state of a storage, in words for operators.
type Health string

// The values of Health. They are a closed set, because anyone can read them without a key.
const (
	HealthUnknown     Health = "not asked yet" // before the first Check
	HealthOK          Health = "ok"
	HealthDenied      Health = "denied"       // the credentials may not access a bucket
	HealthMissing     Health = "missing"      // the storage has no such bucket
	HealthRegion      Health = "wrong region" // the bucket is in another region
	HealthUnavailable Health = "unavailable"  // the storage does not answer
)

// Check sends a request for every bucket, stores the worst result for Health, and returns
// the cause of that result. HealthDenied may be harmless: credentials that allow only
// requests for objects cannot check the bucket.
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

// severity orders the values of Health from the best to the worst.
func severity(h Health) int {
	return slices.Index([]Health{HealthOK, HealthDenied, HealthMissing, HealthRegion, HealthUnavailable}, h)
}

// CheckBucket sends a request for one bucket. The error is nil only with HealthOK.
func (s *Storage) CheckBucket(ctx context.Context, bucket string) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &s3.HeadBucketInput{Bucket: &bucket}
	_, err := request(s, OpHeadBucket, func() (*s3.HeadBucketOutput, error) { return s.client.HeadBucket(ctx, in) })
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

// RegionError means that a bucket is not in the configured region.
type RegionError struct {
	Region, Configured string
	Err                error // the error of the storage
}

// Error returns both regions and the error of the storage.
func (e *RegionError) Error() string {
	return fmt.Sprintf("it is in the region %s, but storage[].region is %s: %v", e.Region, e.Configured, e.Err)
}

// Unwrap returns the error of the storage.
func (e *RegionError) Unwrap() error { return e.Err }

// regionOf returns the region of a bucket, or an empty string if the region is unknown or
// is the configured one. err is the error of HeadBucket. The answer to a HEAD has no body:
// AWS names the region in a header, other storages only in the error of a listing.
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
	_, err = request(s, OpListObjects, func() (*s3.ListObjectsV2Output, error) {
		return s.client.ListObjectsV2(ctx, in)
	})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AuthorizationHeaderMalformed" {
		if found := expectedRegion.FindStringSubmatch(api.ErrorMessage()); found != nil && found[1] != s.region {
			return found[1]
		}
	}
	return ""
}

// expectedRegion matches the message of AuthorizationHeaderMalformed: "the region
// 'us-east-1' is wrong; expecting 'eu-west-1'", in single or double quotes.
var expectedRegion = regexp.MustCompile(`expecting ['"]([a-z0-9-]+)['"]`)

// Health returns the last known state of the storage.
func (s *Storage) Health() Health { return *s.health.Load() }

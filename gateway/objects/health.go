package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"keyhole/gateway"
)

// Health is what a storage last answered, as a word for operators.
type Health string

// The words of Health. They are a closed set: whoever asks needs no key.
const (
	HealthUnknown     Health = "not asked yet"
	HealthOK          Health = "ok"
	HealthDenied      Health = "denied"      // it answers, and refuses a bucket to the service's credentials
	HealthMissing     Health = "missing"     // it answers, and has no such bucket
	HealthUnavailable Health = "unavailable" // it cannot be asked
)

// Check asks for every bucket, notes the worst answer for Health, and returns
// its cause. A refusal may be harmless, where the credentials are for objects
// alone.
func (s *Storage) Check(ctx context.Context) error {
	worst, cause := HealthOK, error(nil)
	for _, bucket := range s.buckets {
		health, err := s.checkBucket(ctx, bucket)
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
	return slices.Index([]Health{HealthOK, HealthDenied, HealthMissing, HealthUnavailable}, h)
}

// checkBucket asks for one bucket.
func (s *Storage) checkBucket(ctx context.Context, bucket string) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	in := &s3.HeadBucketInput{Bucket: &bucket}
	_, err := ask(s, OpHeadBucket, func() (*s3.HeadBucketOutput, error) { return s.client.HeadBucket(ctx, in) })
	switch {
	case err == nil:
		return HealthOK, nil
	case errors.Is(err, gateway.ErrObjectNotFound):
		return HealthMissing, err
	case errors.Is(err, gateway.ErrUnavailable):
		return HealthUnavailable, err
	}
	return HealthDenied, err
}

// Health returns what the storage last answered.
func (s *Storage) Health() Health { return *s.health.Load() }

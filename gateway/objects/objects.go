// Package objects asks S3-compatible storages about their objects, over the AWS
// SDK and with the service's own credentials.
package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"keyhole/gateway"
)

// The operations that Options.Observe is told of.
const (
	OpHeadObject = "head_object"
	OpGetObject  = "get_object"
	OpHeadBucket = "head_bucket"
)

// The results that Options.Observe is told of.
const (
	ResultOK       = "ok"
	ResultNotFound = "not_found"
	ResultDenied   = "denied"
	ResultTimeout  = "timeout"
	ResultError    = "error"
)

// Options describes one storage as this service reaches it.
type Options struct {
	Endpoint      string // scheme://host[:port]; empty: AWS
	Region        string
	PathStyle     bool
	Buckets       []string // at least one
	RequesterPays bool
	Credentials   aws.CredentialsProvider
	RootCAs       *x509.CertPool // nil: the system's
	Timeout       time.Duration  // of one question, retries included
	// Wrap wraps the transport that every request goes through, so that a clock
	// can read the answers' Date.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Observe is told of every question, retries included, by operation and result.
	Observe func(operation, result string, d time.Duration)
}

// Storage asks one storage. It is safe for concurrent use.
type Storage struct {
	client  *s3.Client
	buckets []string
	payer   types.RequestPayer
	timeout time.Duration
	observe func(operation, result string, d time.Duration)
	health  atomic.Pointer[Health]
}

var _ gateway.Objects = (*Storage)(nil)

// New returns a Storage. It makes no request.
func New(o Options) *Storage {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext
	transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 32
	s := &Storage{
		client: s3.New(s3.Options{
			Region:       o.Region,
			BaseEndpoint: nonEmpty(o.Endpoint),
			UsePathStyle: o.PathStyle,
			Credentials:  o.Credentials,
			HTTPClient: &http.Client{
				Transport: o.Wrap(transport),
				// A redirect would send the credentials' signature to a host that
				// the configuration does not name.
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
			HTTPSignerV4:               freshSigner{},
			RetryMaxAttempts:           2,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}),
		buckets: o.Buckets,
		timeout: o.Timeout,
		observe: o.Observe,
	}
	s.health.Store(new(HealthUnknown))
	if o.RequesterPays {
		s.payer = types.RequestPayerRequester
	}
	return s
}

// freshSigner derives the signing key anew for every request. The SDK's own
// signer keeps one by access key ID and day: after a secret was rotated under
// its ID, it would sign with the old one until midnight.
type freshSigner struct{}

// SignHTTP implements s3.HTTPSignerV4. S3 escapes paths once, other services
// twice.
func (freshSigner) SignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, at time.Time,
	options ...func(*v4.SignerOptions),
) error {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signer.SignHTTP(ctx, c, r, payloadHash, service, region, at, options...)
}

// Prove shows that the object exists and that the service may read it: a HEAD
// for what it is, and a GET of its first byte, because a permission to ask is
// not one to read.
func (s *Storage) Prove(ctx context.Context, bucket, key string) (gateway.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	head, err := s.head(ctx, bucket, key)
	if errors.Is(err, gateway.ErrObjectNotFound) || errors.Is(err, gateway.ErrUnavailable) {
		return gateway.ObjectInfo{}, err
	}
	// A refused HEAD has no body to say why: the GET's error has.
	empty := err == nil && aws.ToInt64(head.ContentLength) == 0
	if err := s.readFirstByte(ctx, bucket, key, empty); err != nil {
		return gateway.ObjectInfo{}, err
	}
	if err != nil {
		// The GET was answered, so what refused the HEAD has passed: the first
		// request to a storage whose clock is far off is signed by the wrong time.
		if head, err = s.head(ctx, bucket, key); err != nil {
			return gateway.ObjectInfo{}, err
		}
	}
	return gateway.ObjectInfo{
		Size:         aws.ToInt64(head.ContentLength),
		ETag:         aws.ToString(head.ETag),
		VersionID:    aws.ToString(head.VersionId),
		ContentType:  aws.ToString(head.ContentType),
		LastModified: aws.ToTime(head.LastModified).UTC(),
	}, nil
}

// head asks what the object is.
func (s *Storage) head(ctx context.Context, bucket, key string) (*s3.HeadObjectOutput, error) {
	begun := time.Now()
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, RequestPayer: s.payer})
	return out, s.judge(OpHeadObject, begun, err)
}

// readFirstByte reads the first byte of the object, or the whole of an empty
// one, of which no byte can be asked for.
func (s *Storage) readFirstByte(ctx context.Context, bucket, key string, empty bool) error {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, RequestPayer: s.payer, Range: aws.String("bytes=0-0")}
	if empty {
		in.Range = nil
	}
	begun := time.Now()
	out, err := s.client.GetObject(ctx, in)
	if err == nil {
		_, err = io.CopyN(io.Discard, out.Body, 1)
		if empty && errors.Is(err, io.EOF) {
			err = nil
		}
		err = errors.Join(err, out.Body.Close())
	}
	return s.judge(OpGetObject, begun, err)
}

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
	begun := time.Now()
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	err = s.judge(OpHeadBucket, begun, err)
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

// judge tells the observer how a request went and turns the SDK's error into one
// of the gateway's. The storage's own text stays in the cause, for the log.
func (s *Storage) judge(operation string, begun time.Time, err error) error {
	result, kind := classify(err)
	if !errors.Is(err, context.Canceled) {
		s.observe(operation, result, time.Since(begun))
	}
	if err == nil {
		return nil
	}
	if errors.Is(kind, gateway.ErrUnavailable) && !errors.Is(err, context.Canceled) {
		s.health.Store(new(HealthUnavailable)) // until Check finds it better
	}
	return fmt.Errorf("%s: %w: %w", operation, kind, err)
}

// classify reads what an answer of S3 means. The codes are of AWS's list of S3
// error responses; a HEAD has its status alone.
func classify(err error) (result string, kind error) {
	if err == nil {
		return ResultOK, nil
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "InvalidObjectState":
			return ResultDenied, gateway.ErrObjectArchived
		case "InvalidRequest":
			// What S3 says of an object under SSE-C that is asked for without its key.
			return ResultDenied, gateway.ErrObjectEncrypted
		}
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		switch answer.HTTPStatusCode() {
		case http.StatusNotFound:
			return ResultNotFound, gateway.ErrObjectNotFound
		case http.StatusForbidden:
			return ResultDenied, gateway.ErrObjectNotReadable
		case http.StatusBadRequest:
			return ResultError, gateway.ErrObjectNotReadable
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ResultTimeout, gateway.ErrUnavailable
	}
	return ResultError, gateway.ErrUnavailable
}

// nonEmpty returns a pointer to s, or nil for "".
func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"keyhole/gateway"
	"keyhole/signer"
)

// Options describes one storage as the service reaches it.
type Options struct {
	Endpoint      string // scheme://host[:port]; empty: AWS
	Region        string
	PathStyle     bool
	Buckets       []string // at least one
	RequesterPays bool
	Credentials   aws.CredentialsProvider
	RootCAs       *x509.CertPool // nil: the system's certificates
	Timeout       time.Duration  // the limit of one request with its retries
	// Clock is the storage's clock. The Date of every answer corrects it, and requests are
	// signed with its time; nil: this machine's clock.
	Clock *signer.Clock
	// Observe is called after every request, with its operation and result. A request
	// with its retries counts once.
	Observe func(operation, result string, d time.Duration)
}

// Storage is a client of one storage. It is safe for concurrent use.
type Storage struct {
	client  *s3.Client
	clock   *signer.Clock
	region  string
	buckets []string
	payer   types.RequestPayer
	timeout time.Duration
	observe func(operation, result string, d time.Duration)
	health  atomic.Pointer[Health]
}

var _ gateway.Objects = (*Storage)(nil)

// New returns a Storage. It makes no request.
func New(o Options) *Storage {
	if o.Clock == nil {
		o.Clock = signer.NewClock(nil)
	}
	s := &Storage{
		clock: o.Clock,
		client: s3.New(s3.Options{
			Region:                     o.Region,
			BaseEndpoint:               nonEmpty(o.Endpoint),
			UsePathStyle:               o.PathStyle,
			Credentials:                o.Credentials,
			HTTPClient:                 httpClient(&o),
			HTTPSignerV4:               freshSigner{o.Clock},
			RetryMaxAttempts:           2,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		}),
		region:  o.Region,
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

// httpClient returns the HTTP client for requests to the storage.
func httpClient(o *Options) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext
	transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12}
	transport.MaxIdleConnsPerHost = 32
	return &http.Client{
		Transport: o.Clock.Transport(transport),
		// A redirect would send a signature to a host that the configuration does not
		// name.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// freshSigner derives a new signing key for every request. The signer of the SDK caches
// the key by access key ID and day, so after a rotation of the secret under the same ID
// it would use the old secret until midnight.
type freshSigner struct{ clock *signer.Clock }

// SignHTTP implements s3.HTTPSignerV4. It signs with the time of the storage, because the
// SDK would sign with this machine's time until several requests have failed. It disables
// the second escaping of paths: S3 expects paths to be escaped once, other services twice.
func (f freshSigner) SignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time,
	options ...func(*v4.SignerOptions),
) error {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return signer.SignHTTP(ctx, c, r, payloadHash, service, region, f.clock.Now(), options...)
}

// nonEmpty returns a pointer to s, or nil for "".
func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

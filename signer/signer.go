package signer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// backdate is the time by which a signature is dated back; X-Amz-Expires is longer by
	// the same time. A storage checks a URL with its own clock, and some storages refuse
	// a URL whose date is in the future. After the correction by Clock, an error of half
	// a second plus half of the exchange remains, which backdate covers.
	backdate = 5 * time.Second

	// maxExpires is the largest X-Amz-Expires, seven days (AWS, "Authenticating
	// Requests: Using Query Parameters").
	maxExpires = 7 * 24 * time.Hour

	// maxKey is the longest key in bytes (AWS, "Naming Amazon S3 objects").
	maxKey = 1024
)

var (
	// ErrCredentials means that no credential can sign: the source failed, or the
	// credential is empty, expired, or expires in less than a second. A later call may
	// succeed.
	ErrCredentials = errors.New("no valid credentials")

	// ErrLifetime means that the requested lifetime, or the rest of it after a wait, is
	// less than one second.
	ErrLifetime = errors.New("lifetime is under one second")

	// ErrRequest means that the request is invalid. Repeating it does not help.
	ErrRequest = errors.New("request cannot be signed")
)

// Options describes one storage from the view of recipients.
type Options struct {
	// Name is the storage's name, for errors.
	Name string

	// Endpoint is the endpoint for recipients, "scheme://host[:port]"; empty: AWS. The
	// service itself may use another endpoint.
	Endpoint string

	// Region is the region of the signature, such as "us-east-1".
	Region string

	// PathStyle puts the bucket in the path instead of the host.
	PathStyle bool

	// Buckets are the buckets that the signer signs for; it refuses all others.
	Buckets []string

	// RequesterPays adds to each URL that the requester pays for the download.
	RequesterPays bool

	// Credentials provides the credential of each signature. It must cache, as
	// [Credentials] and [aws.CredentialsCache] do.
	Credentials aws.CredentialsProvider

	// Clock is the storage's clock; nil: this machine's clock.
	Clock *Clock
}

// Request is one object to sign for.
type Request struct {
	Method    string // GET or HEAD; a URL for one is not valid for the other
	Bucket    string // one of Options.Buckets
	Key       string // literal bytes
	VersionID string // optional

	ContentDisposition string // of the answer, optional
	ContentType        string // of the answer, optional

	// Lifetime is the maximum lifetime of the URL, from one second to seven days less
	// five seconds. Presign drops fractions of a second.
	Lifetime time.Duration

	// Within is the time, counted from the call of Presign, after which the URL must have
	// expired. It includes the wait for credentials; 0: no such limit.
	Within time.Duration
}

// Signed is a presigned URL. Everyone who has the URL can read the object, so it must not
// be logged.
type Signed struct {
	URL string

	// Lifetime is the lifetime of the URL in whole seconds: the requested lifetime, or a
	// shorter one after a wait or if the credential expires earlier.
	Lifetime time.Duration
}

// Signer presigns URLs for the buckets of one storage. It is safe for
// concurrent use.
type Signer struct {
	name        string
	targets     map[string]*target
	credentials aws.CredentialsProvider
	clock       *Clock
}

// New returns a signer for the storage. It resolves the endpoint of every bucket. It
// returns an error that names the bucket if a bucket needs another signature than a plain
// one for S3. It retrieves no credential and makes no request.
func New(ctx context.Context, o Options) (*Signer, error) {
	fail := func(err error) (*Signer, error) {
		return nil, fmt.Errorf("storage %q: %w", o.Name, err)
	}
	if o.Credentials == nil {
		return fail(errors.New("no credentials provider"))
	}
	if len(o.Buckets) == 0 {
		return fail(errors.New("no buckets"))
	}
	if o.Clock == nil {
		o.Clock = NewClock(nil)
	}
	endpoint := o.Endpoint
	if endpoint != "" {
		var err error
		if endpoint, err = publicEndpoint(endpoint); err != nil {
			return fail(err)
		}
	}
	s := &Signer{
		name:        o.Name,
		targets:     make(map[string]*target, len(o.Buckets)),
		credentials: o.Credentials,
		clock:       o.Clock,
	}
	for _, bucket := range o.Buckets {
		e, err := resolve(ctx, &o, endpoint, bucket)
		if err != nil {
			return fail(fmt.Errorf("bucket %q: %w", bucket, err))
		}
		s.targets[bucket] = newTarget(e, o.RequesterPays)
	}
	return s, nil
}

// Origin returns the scheme and host of the URLs of a bucket, such as
// "https://reports.s3.eu-west-1.amazonaws.com". It returns false if the storage does not
// have the bucket.
func (s *Signer) Origin(bucket string) (string, bool) {
	t, ok := s.targets[bucket]
	if !ok {
		return "", false
	}
	return t.origin, true
}

// Presign returns a URL for the object. The URL lives as long as requested, or shorter if
// Within or the expiry of the credential requires it. The errors are [ErrRequest],
// [ErrLifetime] and [ErrCredentials]. Their texts contain neither the request nor a
// secret.
func (s *Signer) Presign(ctx context.Context, r Request) (Signed, error) {
	t, err := s.check(&r)
	if err != nil {
		return Signed{}, fmt.Errorf("storage %q: %w", s.name, err)
	}
	called := s.clock.now()
	c, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return Signed{}, fmt.Errorf("storage %q: %w", s.name, unavailable(err))
	}
	now := s.clock.Now()
	if err := checkCredentials(&c, now); err != nil {
		return Signed{}, fmt.Errorf("storage %q: %w", s.name, err)
	}

	lifetime := r.Lifetime
	if c.CanExpire {
		lifetime = min(lifetime, c.Expires.Sub(now))
	}
	if r.Within > 0 {
		lifetime = min(lifetime, r.Within-s.clock.now().Sub(called))
	}
	if lifetime < time.Second {
		return Signed{}, fmt.Errorf("storage %q: %w", s.name, ErrLifetime)
	}
	lifetime = lifetime.Truncate(time.Second)
	return Signed{
		URL:      t.sign(&c, &r, now.Add(-backdate), lifetime+backdate),
		Lifetime: lifetime,
	}, nil
}

// check validates the request and returns the target of its bucket.
func (s *Signer) check(r *Request) (*target, error) {
	refuse := func(reason string) (*target, error) {
		return nil, fmt.Errorf("%w: %s", ErrRequest, reason)
	}
	t, ok := s.targets[r.Bucket]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return refuse("method is neither GET nor HEAD")
	case !ok:
		return refuse("the storage does not have the bucket")
	case r.Key == "":
		return refuse("key is empty")
	case len(r.Key) > maxKey:
		return refuse("key is longer than 1024 bytes")
	case strings.IndexByte(r.Key, 0) >= 0:
		return refuse("key contains a NUL")
	case hasDotSegment(r.Key):
		return refuse(`key has the segment "." or "..", which clients remove`)
	case hasControl(r.VersionID), hasControl(r.ContentDisposition), hasControl(r.ContentType):
		return refuse("version, disposition or type contains a control character")
	case r.Lifetime > maxExpires-backdate:
		return refuse("lifetime is more than seven days less five seconds")
	case r.Lifetime < time.Second, r.Within != 0 && r.Within < time.Second:
		return nil, ErrLifetime
	}
	return t, nil
}

// checkCredentials returns an error if a credential cannot sign at now, the time of the
// storage.
func checkCredentials(c *aws.Credentials, now time.Time) error {
	switch {
	case c.AccessKeyID == "" || c.SecretAccessKey == "":
		return fmt.Errorf("%w: access key id or secret is empty", ErrCredentials)
	case c.CanExpire && c.Expires.Sub(now) < time.Second:
		return fmt.Errorf("%w: the credential has expired, or expires in less than a second", ErrCredentials)
	}
	return nil
}

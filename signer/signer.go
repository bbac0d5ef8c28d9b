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
	// backdate is by how much a signature is dated back, and lives longer for
	// it. Storages judge a URL when its request arrives, by their own clock,
	// and not all of them forgive one that lies ahead: what is left of the
	// skew after the storage's own Date has been applied (half a second, and
	// half of the exchange that told it) must not make a URL of the future.
	backdate = 5 * time.Second

	// maxExpires is the most that X-Amz-Expires may say, seven days (AWS,
	// "Authenticating Requests: Using Query Parameters").
	maxExpires = 7 * 24 * time.Hour

	// maxKey is the longest key in bytes (AWS, "Naming Amazon S3 objects").
	maxKey = 1024
)

var (
	// ErrCredentials says that there is no credential to sign with: none
	// could be had, it is empty or expired, or it has less than a second to
	// live. Asking again later may succeed.
	ErrCredentials = errors.New("no valid credentials")

	// ErrLifetime says that the lifetime asked for, or what a wait has left of
	// it, is under one second.
	ErrLifetime = errors.New("lifetime is under one second")

	// ErrRequest says that the request itself cannot be signed, now or later.
	ErrRequest = errors.New("request cannot be signed")
)

// Options describes one storage as recipients reach it.
type Options struct {
	// Name is the storage's name, for errors.
	Name string

	// Endpoint is the public endpoint, "scheme://host[:port]": the one that
	// recipients reach, which need not be the one the service itself uses.
	// Empty stands for AWS.
	Endpoint string

	// Region is the region that signs, such as "us-east-1".
	Region string

	// PathStyle puts the bucket in the path instead of the host.
	PathStyle bool

	// Buckets is the closed set of buckets that may be signed for.
	Buckets []string

	// RequesterPays signs that the requester pays for the download.
	RequesterPays bool

	// Credentials is asked at every signature, so it must hold what it has
	// found, as [Credentials] and [aws.CredentialsCache] do.
	Credentials aws.CredentialsProvider

	// Clock is the storage's clock; nil stands for this machine's.
	Clock *Clock
}

// Request is one object to sign for.
type Request struct {
	Method    string // GET or HEAD: a URL signed for one is refused for the other
	Bucket    string // one of the storage's
	Key       string // taken literally, byte for byte
	VersionID string // optional

	ContentDisposition string // optional, of the answer
	ContentType        string // optional, of the answer

	// Lifetime is how long the URL may live, from one second to seven days
	// less five seconds. Fractions of a second are cut.
	Lifetime time.Duration

	// Within is the time from the call on by which the URL must be dead, a wait
	// for credentials included; 0 sets no such end.
	Within time.Duration
}

// Signed is a presigned URL. Whoever has it has the object: it belongs in no
// log.
type Signed struct {
	URL string

	// Lifetime is how long the URL lives, in whole seconds: what was asked
	// for, or what is left of it after a wait, or of the credential.
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

// New returns a signer for the storage. It resolves the endpoint of every
// bucket, and fails, naming the bucket, where one needs more than a plain
// signature for S3. It asks for no credential and makes no request.
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

// Origin returns the scheme and host of every URL signed for the bucket, such
// as "https://reports.s3.eu-west-1.amazonaws.com", and false for a bucket that
// is not the storage's.
func (s *Signer) Origin(bucket string) (string, bool) {
	t, ok := s.targets[bucket]
	if !ok {
		return "", false
	}
	return t.origin, true
}

// Presign returns a URL for the object that lives as long as asked, or as
// Within leaves or the credential lives where that is less. The errors are [ErrRequest],
// [ErrLifetime] and [ErrCredentials]; none repeats the request or a secret.
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

// check judges the request by itself and returns its bucket's target.
func (s *Signer) check(r *Request) (*target, error) {
	refuse := func(reason string) (*target, error) {
		return nil, fmt.Errorf("%w: %s", ErrRequest, reason)
	}
	t, ok := s.targets[r.Bucket]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return refuse("method is neither GET nor HEAD")
	case !ok:
		return refuse("bucket is none of the storage's")
	case r.Key == "":
		return refuse("key is empty")
	case len(r.Key) > maxKey:
		return refuse("key is longer than 1024 bytes")
	case strings.IndexByte(r.Key, 0) >= 0:
		return refuse("key holds a NUL")
	case hasDotSegment(r.Key):
		return refuse(`key has the segment "." or "..", which clients resolve`)
	case hasControl(r.VersionID), hasControl(r.ContentDisposition), hasControl(r.ContentType):
		return refuse("version, disposition or type holds a control character")
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
		return fmt.Errorf("%w: expired, or less than a second to live", ErrCredentials)
	}
	return nil
}

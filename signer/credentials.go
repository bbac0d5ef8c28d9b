package signer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/sync/singleflight"
)

const (
	// refreshAhead is the time before the expiry at which a credential is renewed. A
	// credential with a shorter life is renewed at half of its remaining life. AWS
	// provides the next credential of an instance or a container five minutes ahead.
	refreshAhead = 5 * time.Minute

	// fetchPause is the shortest time between two requests to the source. A source that
	// is down gets one request per second.
	fetchPause = time.Second

	// fileCheckLife is the time for which the result of a check of the files is reused.
	fileCheckLife = 2 * time.Millisecond

	// fetchTimeout limits one request to the source. All waiting callers share the
	// request, so the request continues if one of them cancels.
	fetchTimeout = 10 * time.Second
)

// CredentialOptions chooses the credentials that sign for one storage.
type CredentialOptions struct {
	// AccessKeyID chooses static credentials. Empty chooses the AWS SDK's
	// default chain: environment, profile, web identity, container, instance.
	AccessKeyID string

	// Secret returns the secret access key of AccessKeyID, for example from a file.
	// White space around the key is removed.
	Secret func() (string, error)

	// SecretFile is the file that Secret reads, if it reads one. Before every signature,
	// Credentials checks the file for changes; one check serves the signatures of two
	// milliseconds. So a rotated or removed secret applies from the next signature on.
	SecretFile string

	// Region is the AWS region where the default chain calls AWS services.
	Region string

	// Clock is the storage's clock, which decides whether a credential has expired;
	// nil: this machine's clock.
	Clock *Clock
}

// Credentials caches the credential of one storage and renews it ahead of its
// expiry, while the old one still signs. It implements [aws.CredentialsProvider], for
// the clients of the AWS SDK too, and is safe for concurrent use.
//
// It replaces [aws.CredentialsCache], which has these faults: it refuses a valid
// credential if an early renewal fails, it makes the caller wait for the renewal, it
// reports an expiry that is moved by its window, and it uses this machine's clock. For
// instance credentials it also invents a later expiry if AWS does not respond, but the
// storage refuses signatures after the real expiry.
type Credentials struct {
	source aws.CredentialsProvider
	files  []string // that the source reads: a change of one invalidates the cache
	clock  *Clock
	// elapsed measures the age of file checks. It never goes back.
	elapsed func() time.Duration

	cached   atomic.Pointer[cached]
	inflight singleflight.Group
}

// cached is the result of the last request to the source.
type cached struct {
	credentials aws.Credentials
	err         error // an ErrCredentials
	fetched     time.Time
	renewAfter  time.Duration // since fetched
	files       []fileState   // before the request to the source

	// unchanged is the time of the last check that found the files unchanged, by
	// Credentials.elapsed in nanoseconds; 0: never.
	unchanged atomic.Int64
}

// due reports whether the credential must be renewed.
func (c *cached) due(now time.Time) bool {
	if c == nil {
		return true
	}
	since := now.Sub(c.fetched)
	return since < 0 || since >= c.renewAfter // below 0 the clock was set back
}

// usable reports whether the cached credential can sign.
func (c *cached) usable(now time.Time) bool {
	return c != nil && c.err == nil && checkCredentials(&c.credentials, now) == nil
}

// filesChanged reports whether one of the files may have changed since the request to the
// source.
func (c *cached) filesChanged(files []string) bool { return c == nil || changed(files, c.files) }

// NewCredentials returns the credentials that the options choose. It reads a static
// secret at once, and returns an error if the secret cannot be read. It sets up the
// default chain once, to report errors in the configuration of the chain; only the first
// Retrieve asks the chain for a credential. Credentials sets up the chain again if the
// shared files of the AWS tools have changed.
func NewCredentials(ctx context.Context, o CredentialOptions) (*Credentials, error) {
	if o.AccessKeyID == "" {
		chain := chainSource{region: o.Region}
		if _, err := chain.load(ctx); err != nil {
			return nil, fmt.Errorf("set up the AWS default credentials: %w", err)
		}
		return newCredentials(chain, o.Clock, sharedFiles()...), nil
	}

	if o.Secret == nil {
		return nil, errors.New("the access key id has no secret access key")
	}
	var files []string
	if o.SecretFile != "" {
		files = []string{o.SecretFile}
	}
	c := newCredentials(staticSource{id: o.AccessKeyID, secret: o.Secret}, o.Clock, files...)
	if _, err := c.Retrieve(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func newCredentials(source aws.CredentialsProvider, clock *Clock, files ...string) *Credentials {
	if clock == nil {
		clock = NewClock(nil)
	}
	start := time.Now()
	return &Credentials{
		source: source, files: files, clock: clock,
		elapsed: func() time.Duration { return time.Since(start) },
	}
}

// Retrieve returns the cached credential without waiting, unless the credential must be
// renewed. Shortly before the expiry, Retrieve starts a request for the next credential
// and returns the old one. Without a valid credential, or after a change of one of its
// files, all callers wait for one request to the source, each until its ctx ends. A
// failure is cached for a second. Every error is an [ErrCredentials].
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now := c.clock.Now()
	current := c.cached.Load()
	stale := c.stale(current)
	if !stale && !current.due(now) {
		return current.credentials, current.err
	}
	for {
		started := false
		result := c.inflight.DoChan("", func() (any, error) {
			started = true
			return c.fetch(ctx), nil
		})
		if !stale && current.usable(now) {
			return current.credentials, nil
		}
		select {
		case r := <-result:
			// A request that another caller started may have read the old file.
			if next, _ := r.Val.(*cached); started || !next.filesChanged(c.files) {
				return next.credentials, next.err
			}
		case <-ctx.Done():
			return aws.Credentials{}, unavailable(ctx.Err())
		}
	}
}

// stale reports whether a file that the cached credential came from may have changed. One
// result serves the signatures of two milliseconds, because checking the files costs more
// than a signature.
func (c *Credentials) stale(current *cached) bool {
	if len(c.files) == 0 {
		return false
	}
	now := int64(c.elapsed())
	if current != nil {
		if last := current.unchanged.Load(); last > 0 && now-last < int64(fileCheckLife) {
			return false
		}
	}
	if current.filesChanged(c.files) {
		return true
	}
	current.unchanged.Store(now)
	return false
}

// fetch asks the source for a credential and caches the result. It runs for all waiting
// callers, so it continues if one of them cancels. A failure does not replace a
// credential that is still valid and whose files have not changed.
func (c *Credentials) fetch(ctx context.Context) *cached {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	next := &cached{files: statFiles(c.files)}
	credentials, err := c.source.Retrieve(ctx)
	next.fetched = c.clock.Now()
	if err == nil {
		err = checkCredentials(&credentials, next.fetched)
	}
	last := c.cached.Load()
	switch {
	case err == nil:
		next.credentials = credentials
	case last.usable(next.fetched) && !last.filesChanged(c.files):
		next.credentials = last.credentials
	default:
		next.err, next.renewAfter = unavailable(err), fetchPause
	}
	if next.err == nil {
		next.renewAfter = renewAfter(&next.credentials, next.fetched)
	}
	c.cached.Store(next)
	return next
}

// renewAfter returns the time after which the source is asked for the next credential.
// Near the expiry it is half of the remaining life, so the requests are spaced while the
// source fails or returns the old credential.
func renewAfter(credentials *aws.Credentials, now time.Time) time.Duration {
	if !credentials.CanExpire {
		return math.MaxInt64
	}
	left := credentials.Expires.Sub(now)
	return max(fetchPause, left/2, left-refreshAhead)
}

// staticSource is an access key from the configuration.
type staticSource struct {
	id     string
	secret func() (string, error)
}

// Retrieve implements [aws.CredentialsProvider].
func (s staticSource) Retrieve(context.Context) (aws.Credentials, error) {
	secret, err := s.secret()
	if err != nil {
		return aws.Credentials{}, safeText{err}
	}
	return aws.Credentials{
		AccessKeyID:     s.id,
		SecretAccessKey: strings.TrimSpace(secret),
		Source:          "configuration",
	}, nil
}

// chainSource is the SDK's default chain. It is set up again for each request, because
// the SDK caches the contents of the shared files and the credentials.
type chainSource struct{ region string }

// load sets up the chain.
func (s chainSource) load(ctx context.Context) (aws.CredentialsProvider, error) {
	c, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(s.region),
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow = 0 // report the real expiry
		}))
	return c.Credentials, err
}

// Retrieve implements [aws.CredentialsProvider].
func (s chainSource) Retrieve(ctx context.Context) (aws.Credentials, error) {
	chain, err := s.load(ctx)
	if err != nil {
		return aws.Credentials{}, safeText{err}
	}
	c, err := chain.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, safeText{err}
	}
	return c, nil
}

// sharedFiles returns the files of the AWS tools, whose profiles the chain reads.
func sharedFiles() []string {
	return []string{
		cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()),
		cmp.Or(os.Getenv("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()),
	}
}

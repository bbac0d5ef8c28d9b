package signer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

const (
	// refreshAhead is how long before its expiry a credential is replaced; a
	// shorter one at half of what is left. AWS has the next credential of an
	// instance or a container ready five minutes ahead.
	refreshAhead = 5 * time.Minute

	// askPause is the least time between two questions to the source: a
	// source that is down is asked once a second, and a static secret is
	// read again as often, so that a rewritten file counts a second later.
	askPause = time.Second

	// askTimeout bounds one question. It is asked for all who wait, so it
	// does not end with the request of one of them.
	askTimeout = 10 * time.Second
)

// CredentialOptions says whose credentials sign for one storage.
type CredentialOptions struct {
	// AccessKeyID chooses static credentials. Empty chooses the AWS SDK's
	// default chain: environment, profile, web identity, container, instance.
	AccessKeyID string

	// Secret returns the secret access key of AccessKeyID, from a file for
	// instance. It is called again, about once a second while there is
	// something to sign, so that a rotated secret needs no restart. Space
	// around it, such as the newline that ends a file, is cut.
	Secret func() (string, error)

	// Region is where the default chain calls AWS's own services.
	Region string

	// Clock is the storage's clock, by which expiry is judged; nil stands
	// for this machine's.
	Clock *Clock
}

// Credentials holds the credential of one storage, and renews it ahead of its
// expiry while the old one still signs. It implements
// [aws.CredentialsProvider], for the AWS SDK's clients too, and is safe for
// concurrent use.
//
// It stands in for [aws.CredentialsCache], which fails a credential that is
// still good when it cannot be renewed ahead of time, lets the caller wait for
// the renewal, reports an expiry moved by the window, judges by this machine's
// clock, and for instance credentials invents a later expiry when AWS cannot
// be asked, past which the storage refuses.
type Credentials struct {
	source aws.CredentialsProvider
	reread bool // the source is local and quick: wait for it, however good what is held
	clock  *Clock

	held atomic.Pointer[held]

	mu     sync.Mutex
	flight *flight // the question under way, if any
}

// held is the outcome of the last question.
type held struct {
	credentials aws.Credentials
	err         error // an ErrCredentials
	asked       time.Time
	renewAfter  time.Duration // since asked
}

// due reports whether the source is to be asked again.
func (h *held) due(now time.Time) bool {
	if h == nil {
		return true
	}
	since := now.Sub(h.asked)
	return since < 0 || since >= h.renewAfter // below 0 the clock was set back
}

// lives reports whether what is held can sign.
func (h *held) lives(now time.Time) bool {
	return h != nil && h.err == nil && judge(&h.credentials, now) == nil
}

// flight is one question to the source, for all who wait for it.
type flight struct {
	done chan struct{}
	held *held // set before done is closed
}

// NewCredentials returns the credentials that the options choose. A static
// secret is read at once and its trouble is an error here; the default chain
// is set up from the environment and the shared files, and asked for a
// credential only by the first Retrieve.
func NewCredentials(ctx context.Context, o CredentialOptions) (*Credentials, error) {
	if o.AccessKeyID == "" {
		c, err := config.LoadDefaultConfig(ctx,
			config.WithRegion(o.Region),
			config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) {
				o.ExpiryWindow = 0 // the expiry must be the credential's own
			}))
		if err != nil {
			return nil, fmt.Errorf("set up the AWS default credentials: %w", err)
		}
		return newCredentials(chainSource{c.Credentials}, false, o.Clock), nil
	}

	if o.Secret == nil {
		return nil, errors.New("an access key id without its secret access key")
	}
	c := newCredentials(staticSource{id: o.AccessKeyID, secret: o.Secret}, true, o.Clock)
	if _, err := c.Retrieve(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func newCredentials(source aws.CredentialsProvider, reread bool, clock *Clock) *Credentials {
	if clock == nil {
		clock = NewClock(nil)
	}
	return &Credentials{source: source, reread: reread, clock: clock}
}

// Retrieve returns the credential, at once and without allocation while one is
// held that is not to be renewed. Where there is none the caller waits, until
// ctx ends, with all others for one question to the source; a failure is
// repeated to everyone for a second. Every error is an [ErrCredentials].
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now := c.clock.Now()
	h := c.held.Load()
	if !h.due(now) {
		return h.credentials, h.err
	}
	f := c.ask(ctx)
	if !c.reread && h.lives(now) {
		return h.credentials, nil
	}
	select {
	case <-f.done:
		return f.held.credentials, f.held.err
	case <-ctx.Done():
		return aws.Credentials{}, unavailable(ctx.Err())
	}
}

// ask starts a question to the source, or joins the one under way.
func (c *Credentials) ask(ctx context.Context) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		return c.flight
	}
	f := &flight{done: make(chan struct{})}
	c.flight = f
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	go func() {
		defer cancel()
		f.held = c.fetch(ctx)
		c.mu.Lock()
		c.held.Store(f.held)
		c.flight = nil
		c.mu.Unlock()
		close(f.done)
	}()
	return f
}

// fetch asks the source and weighs the answer. While the credential held so
// far is alive no failure replaces it: it is a reason to ask again only.
func (c *Credentials) fetch(ctx context.Context) *held {
	credentials, err := c.source.Retrieve(ctx)
	now := c.clock.Now()
	if err == nil {
		err = judge(&credentials, now)
	}
	if err != nil {
		last := c.held.Load()
		if !last.lives(now) {
			return &held{err: unavailable(err), asked: now, renewAfter: askPause}
		}
		credentials = last.credentials
	}
	return &held{credentials: credentials, asked: now, renewAfter: c.renewAfter(&credentials, now)}
}

// renewAfter returns how long from now on the credential serves before the
// next one is asked for. Halving what is left near the end spaces the
// questions out while the source keeps failing, or keeps giving the old one.
func (c *Credentials) renewAfter(credentials *aws.Credentials, now time.Time) time.Duration {
	switch {
	case c.reread:
		return askPause
	case !credentials.CanExpire:
		return math.MaxInt64
	}
	left := credentials.Expires.Sub(now)
	return max(askPause, left/2, left-refreshAhead)
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
		return aws.Credentials{}, plainText{err}
	}
	return aws.Credentials{
		AccessKeyID:     s.id,
		SecretAccessKey: strings.TrimSpace(secret),
		Source:          "configuration",
	}, nil
}

// chainSource is the SDK's default chain without the cache around it: what the
// cache holds is dropped before each question.
type chainSource struct{ aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider].
func (s chainSource) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if cache, ok := s.CredentialsProvider.(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
	c, err := s.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, plainText{err}
	}
	return c, nil
}

package signer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
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

	// askPause is the least time between two questions to the source: one
	// that is down is asked once a second.
	askPause = time.Second

	// lookFor is how long a look at the files serves.
	lookFor = 2 * time.Millisecond

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
	// instance. Space around it, such as the newline that ends a file, is cut.
	Secret func() (string, error)

	// SecretFile is the file that Secret reads, if it reads one. It is looked
	// at before every signature, or with those of two milliseconds before,
	// so that a secret that was rotated in it, or taken out of it, counts from the
	// next one on.
	SecretFile string

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
	files  []string // that the source reads: a change of one makes what is held old
	clock  *Clock
	// elapsed is what looks at the files are timed by: it never goes back.
	elapsed func() time.Duration

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
	files       []fileState   // as they were before it was asked for

	// unchanged is when the files were last seen to be as they were, by
	// Credentials.elapsed in nanoseconds; 0: never.
	unchanged atomic.Int64
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
// secret is read at once and its trouble is an error here. The default chain is
// set up once here too, for the errors in it; it is asked for a credential only
// by the first Retrieve, and set up anew whenever the shared files of the AWS
// tools have changed.
func NewCredentials(ctx context.Context, o CredentialOptions) (*Credentials, error) {
	if o.AccessKeyID == "" {
		chain := chainSource{region: o.Region}
		if _, err := chain.load(ctx); err != nil {
			return nil, fmt.Errorf("set up the AWS default credentials: %w", err)
		}
		return newCredentials(chain, o.Clock, sharedFiles()...), nil
	}

	if o.Secret == nil {
		return nil, errors.New("an access key id without its secret access key")
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
	begun := time.Now()
	return &Credentials{
		source: source, files: files, clock: clock,
		elapsed: func() time.Duration { return time.Since(begun) },
	}
}

// Retrieve returns the credential, at once while one is held that is not to be
// renewed. Ahead of its end the old one is given while the next is fetched.
// Where there is none, or a file that it came from has changed, the caller
// waits, until ctx ends, with all others for one question to the source; a
// failure is repeated to everyone for a second. Every error is an
// [ErrCredentials].
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now := c.clock.Now()
	h := c.held.Load()
	changed := c.changed(h)
	if !changed && !h.due(now) {
		return h.credentials, h.err
	}
	for {
		f, mine := c.ask(ctx)
		if !changed && h.lives(now) {
			return h.credentials, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return aws.Credentials{}, unavailable(ctx.Err())
		}
		// A question that was under way may have read the file of before.
		if mine || !f.held.changed(c.files) {
			return f.held.credentials, f.held.err
		}
	}
}

// changed reports whether a file that h came from may have another content. One
// look serves the signatures of two milliseconds: to look costs more than
// to sign.
func (c *Credentials) changed(h *held) bool {
	if len(c.files) == 0 {
		return false
	}
	now := int64(c.elapsed())
	if h != nil {
		if last := h.unchanged.Load(); last > 0 && now-last < int64(lookFor) {
			return false
		}
	}
	if h.changed(c.files) {
		return true
	}
	h.unchanged.Store(now)
	return false
}

// ask starts a question to the source, or joins the one under way, and tells
// whether it did start it.
func (c *Credentials) ask(ctx context.Context) (f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		return c.flight, false
	}
	f = &flight{done: make(chan struct{})}
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
	return f, true
}

// fetch asks the source and weighs the answer. While the credential held so
// far is alive, and its files are what they were, no failure replaces it: it is
// a reason to ask again only.
func (c *Credentials) fetch(ctx context.Context) *held {
	files := look(c.files)
	credentials, err := c.source.Retrieve(ctx)
	now := c.clock.Now()
	if err == nil {
		err = judge(&credentials, now)
	}
	if err != nil {
		last := c.held.Load()
		if !last.lives(now) || last.changed(c.files) {
			return &held{err: unavailable(err), asked: now, renewAfter: askPause, files: files}
		}
		credentials = last.credentials
	}
	return &held{credentials: credentials, asked: now, renewAfter: renewAfter(&credentials, now), files: files}
}

// renewAfter returns how long from now on the credential serves before the
// next one is asked for. Halving what is left near the end spaces the
// questions out while the source keeps failing, or keeps giving the old one.
func renewAfter(credentials *aws.Credentials, now time.Time) time.Duration {
	if !credentials.CanExpire {
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

// chainSource is the SDK's default chain, set up anew for each question: what
// the SDK has read of the shared files, or holds in a cache, is of the past.
type chainSource struct{ region string }

// load sets the chain up.
func (s chainSource) load(ctx context.Context) (aws.CredentialsProvider, error) {
	c, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(s.region),
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow = 0 // the expiry must be the credential's own
		}))
	return c.Credentials, err
}

// Retrieve implements [aws.CredentialsProvider].
func (s chainSource) Retrieve(ctx context.Context) (aws.Credentials, error) {
	chain, err := s.load(ctx)
	if err != nil {
		return aws.Credentials{}, plainText{err}
	}
	c, err := chain.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, plainText{err}
	}
	return c, nil
}

// sharedFiles are the files of the AWS tools, whose profiles the chain reads.
func sharedFiles() []string {
	return []string{
		cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()),
		cmp.Or(os.Getenv("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()),
	}
}

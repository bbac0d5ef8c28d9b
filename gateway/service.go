package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"keyhole/signer"
)

// Presigner signs the URLs of one storage.
type Presigner interface {
	// Presign signs for one object and method. The URL may live shorter than r asks
	// for, never longer. Its errors are those of package signer.
	Presign(ctx context.Context, r signer.Request) (signer.Signed, error)
	// Origin returns the scheme and host of the URLs of a bucket, and whether the
	// storage has that bucket.
	Origin(bucket string) (string, bool)
}

// Storage is one S3-compatible storage with the buckets that links may point to.
type Storage struct {
	Name      string
	Buckets   []string
	Objects   Objects
	Presigner Presigner
	// Timeout is the maximum time that a click waits for this storage: for the
	// credentials and for the check of a pinned object together.
	Timeout time.Duration
	// Skew returns the time by which the storage's clock is ahead of this machine's
	// clock, and whether it is known. The field may be nil.
	Skew func() (time.Duration, bool)
}

// has reports whether the storage has the bucket.
func (s *Storage) has(bucket string) bool { return slices.Contains(s.Buckets, bucket) }

// skew returns the skew of the storage's clock, and whether it is known.
func (s *Storage) skew() (time.Duration, bool) {
	if s.Skew == nil {
		return 0, false
	}
	return s.Skew()
}

// Options are the parts and settings of a Service. Every field is required unless its
// comment says otherwise.
type Options struct {
	Links        Store
	Reservations Reservations
	Clicks       ClickStore
	Cursors      Cursors
	Storages     []*Storage
	Policy       Policy
	// Lifetime is the maximum lifetime of a signed URL.
	Lifetime time.Duration
	// MediaLifetime replaces Lifetime for links that show audio, video or PDF inline,
	// because browsers read these in ranges, from the signed URL itself.
	MediaLifetime time.Duration
	// ObjectCheck is the time for which the check of a pinned object is cached; 0: every
	// click asks the storage.
	ObjectCheck time.Duration
	// ResumeWindow is the time in which a recipient with a grant can resume a confirmed
	// download.
	ResumeWindow time.Duration
	// Hashes is the maximum number of passphrases that are hashed at the same time. Each
	// needs 19 MiB of memory.
	Hashes int
	// Insecure means that the public URL is plain http and not on loopback. Then every
	// new link has a warning.
	Insecure bool
	Metrics  *Metrics
	Logger   *slog.Logger
	// Now is this machine's clock. It measures durations only.
	Now func() time.Time
}

// Service serves the requests of operators and recipients. It decides who may do what,
// and how long a link lives. A method for operators returns an [Error] if the operator
// may read the message; other errors are internal. A Service is safe for concurrent use.
type Service struct {
	store         Store
	reservations  Reservations
	clicks        ClickStore
	cursors       Cursors
	storages      []*Storage
	policy        atomic.Pointer[Policy]
	lifetime      time.Duration
	mediaLifetime time.Duration
	checks        *checks
	resumeWindow  time.Duration
	hasher        *hasher
	misses        *FailureLimiter
	refusals      *FailureLimiter // by link and client network
	insecure      bool
	metrics       *Metrics
	log           *slog.Logger
	now           func() time.Time
	recording     sync.WaitGroup // goroutines that record events
}

// Wait blocks until the events of all answered clicks are recorded.
func (s *Service) Wait() { s.recording.Wait() }

// New returns a Service over o.
func New(o Options) *Service {
	s := &Service{
		store: o.Links, reservations: o.Reservations, clicks: o.Clicks, cursors: o.Cursors, storages: o.Storages,
		lifetime: o.Lifetime, mediaLifetime: o.MediaLifetime,
		checks: newChecks(o.ObjectCheck, o.Now), resumeWindow: o.ResumeWindow, hasher: newHasher(max(o.Hashes, 1)),
		misses: NewFailureLimiter(maxMisses, o.Now), refusals: NewFailureLimiter(maxRefusals, o.Now),
		insecure: o.Insecure, metrics: o.Metrics, log: o.Logger, now: o.Now,
	}
	s.SetPolicy(o.Policy)
	return s
}

// SetPolicy replaces the policy for later requests.
func (s *Service) SetPolicy(p Policy) { s.policy.Store(&p) }

// storage returns the storage with that name, or nil.
func (s *Service) storage(name string) *Storage {
	for _, storage := range s.storages {
		if storage.Name == name {
			return storage
		}
	}
	return nil
}

// storageFor returns the storage of a link's object. The configuration may have removed
// the storage since the issue.
func (s *Service) storageFor(ref ObjectRef) (*Storage, error) {
	storage := s.storage(ref.Storage)
	if storage == nil {
		return nil, fmt.Errorf("storage %q is not in the configuration", ref.Storage)
	}
	return storage, nil
}

// Show returns one link. A link outside the actor's scope gets CodeNotFound, like a link
// that does not exist.
func (s *Service) Show(ctx context.Context, actor *Actor, id ID) (Link, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return Link{}, err
	}
	return s.find(ctx, actor, id)
}

// ShowPrefix returns the only link in the actor's scope whose ID begins with the prefix.
// Several such links get CodeAmbiguous. Links outside the scope do not count, so that
// nobody learns of them.
func (s *Service) ShowPrefix(ctx context.Context, actor *Actor, prefix IDPrefix) (Link, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return Link{}, err
	}
	links, err := s.store.Find(ctx, prefix)
	if err != nil {
		return Link{}, storeError(err)
	}
	links = slices.DeleteFunc(links, func(l Link) bool { return !actor.Sees(l.Ref) })
	switch len(links) {
	case 0:
		return Link{}, storeError(ErrNotFound)
	case 1:
		return links[0], nil
	}
	return Link{}, Errorf(CodeAmbiguous, "%d links have IDs that begin with %s; send more characters of the ID",
		len(links), prefix)
}

// find returns the link if it is in the actor's scope.
func (s *Service) find(ctx context.Context, actor *Actor, id ID) (Link, error) {
	link, err := s.store.Get(ctx, id)
	if err == nil && !actor.Sees(link.Ref) {
		err = ErrNotFound
	}
	if err != nil {
		return Link{}, storeError(err)
	}
	return link, nil
}

// List returns one page of the links in the actor's scope. An invalid cursor gets
// CodeBadRequest.
func (s *Service) List(ctx context.Context, actor *Actor, q ListQuery) (ListPage, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return ListPage{}, err
	}
	q.Match = actor.Sees
	q.Buckets = s.buckets()
	page, err := s.store.List(ctx, q)
	if err != nil {
		return ListPage{}, storeError(err)
	}
	return page, nil
}

// buckets returns the names of all configured buckets, sorted, each once.
func (s *Service) buckets() []string {
	var names []string
	for _, storage := range s.storages {
		names = append(names, storage.Buckets...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Events returns one page of the events of one link, newest first. Its errors are those
// of Show; an invalid cursor gets CodeBadRequest.
func (s *Service) Events(ctx context.Context, actor *Actor, id ID, cursor string, limit int) (EventList, error) {
	if _, err := s.Show(ctx, actor, id); err != nil {
		return EventList{}, err
	}
	list, err := s.store.Events(ctx, id, cursor, limit)
	if err != nil {
		return EventList{}, storeError(err)
	}
	return list, nil
}

// Audit returns one page of the events of all links in the actor's scope. An invalid
// cursor gets CodeBadRequest.
func (s *Service) Audit(ctx context.Context, actor *Actor, q AuditQuery) (AuditPage, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return AuditPage{}, err
	}
	if q.Contradictory() {
		return AuditPage{}, Errorf(CodeBadRequest,
			"no event has this kind, actor and outcome: clicks have no actor, and events of operators have no outcome")
	}
	q.Match, q.Buckets = nil, nil
	if q.Bucket == "" && q.Prefix+q.Key != "" {
		q.Buckets = s.buckets()
	}
	if !actor.Unrestricted() {
		q.Match = actor.Sees
	}
	page, err := s.store.Audit(ctx, q)
	if err != nil {
		return AuditPage{}, storeError(err)
	}
	return page, nil
}

// storeError converts an error of the store to the Error for the operator.
func storeError(err error) error {
	code, message := CodeUnavailable, "Redis is unavailable; try again"
	switch {
	case errors.Is(err, ErrNotFound):
		code, message = CodeNotFound, "there is no such link in the scope of this key"
	case errors.Is(err, ErrCursor):
		code, message = CodeBadRequest, "the cursor does not belong to this listing; start again without it"
	case errors.Is(err, ErrEnded):
		code, message = CodeNotActive, "the link has ended; issue another"
	case errors.Is(err, ErrChanged):
		code = CodePrecondition
		message = "the link was changed since you read it; read it again and repeat the change if you still want it"
	case errors.Is(err, ErrNotConfirmed):
		code = CodeNotConfirmed
		message = "the change is made, but fewer replicas than redis.wait_replicas have confirmed it, " +
			"so a failover may undo it; repeat the request"
	case errors.Is(err, ErrRecord):
		message = "Redis holds a record that this version cannot read; use the version that wrote it"
	}
	return &Error{Code: code, Message: message, Err: err}
}

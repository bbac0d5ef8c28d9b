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
	// Presign signs for one object and method. The answer may live shorter than
	// asked for, never longer. Its errors are those of package signer.
	Presign(ctx context.Context, r signer.Request) (signer.Signed, error)
	// Origin returns scheme and host of the URLs of a bucket, and whether it is
	// one of the storage's.
	Origin(bucket string) (string, bool)
}

// Storage is one S3-compatible storage with the buckets that may be shared from.
type Storage struct {
	Name      string
	Buckets   []string
	Objects   Objects
	Presigner Presigner
	// Timeout bounds how long a click may wait for this storage, its credentials
	// and the check of a pinned object included.
	Timeout time.Duration
	// Skew returns how far the storage's clock is ahead of this machine's, and
	// whether that is known. It may be nil.
	Skew func() (time.Duration, bool)
}

// has tells whether bucket is one of the storage's.
func (s *Storage) has(bucket string) bool { return slices.Contains(s.Buckets, bucket) }

// skew returns what is known of the storage's clock.
func (s *Storage) skew() (time.Duration, bool) {
	if s.Skew == nil {
		return 0, false
	}
	return s.Skew()
}

// Options is what a Service is made of. Every field is needed unless it says
// otherwise.
type Options struct {
	Links    Store
	Retries  Retries
	Clicks   ClickStore
	Cursors  Cursors
	Storages []*Storage
	Policy   Policy
	// Lifetime is how long a signed URL lives, at most.
	Lifetime time.Duration
	// MediaLifetime replaces Lifetime for links that show audio, video or PDF
	// inline: browsers read these piece by piece, from the signed URL itself.
	MediaLifetime time.Duration
	// ObjectCheck is how long a check of a pinned object is remembered; 0: each
	// click asks for itself.
	ObjectCheck time.Duration
	// ResumeWindow is how long a confirmed click may be gone on with.
	ResumeWindow time.Duration
	// Hashes is how many passphrases are hashed at once, each in 19 MiB.
	Hashes int
	// Insecure says that recipients are reached over plain http off loopback,
	// which every issue then warns of.
	Insecure bool
	Metrics  *Metrics
	Logger   *slog.Logger
	// Now is this machine's clock, for durations alone.
	Now func() time.Time
}

// Service is the gateway: what operators and recipients can do, with every rule
// of who may and for how long. It is safe for concurrent use.
type Service struct {
	store         Store
	retries       Retries
	clicks        ClickStore
	cursors       Cursors
	storages      []*Storage
	policy        atomic.Pointer[Policy]
	lifetime      time.Duration
	mediaLifetime time.Duration
	checks        *checks
	resumeWindow  time.Duration
	hasher        *hasher
	misses        *Guesses
	refusals      *Guesses // by link and address
	insecure      bool
	metrics       *Metrics
	log           *slog.Logger
	now           func() time.Time
	recording     sync.WaitGroup // of events, in the background
}

// Wait returns when every event of a click has been noted, or could not be.
func (s *Service) Wait() { s.recording.Wait() }

// New returns a Service over o.
func New(o Options) *Service {
	s := &Service{
		store: o.Links, retries: o.Retries, clicks: o.Clicks, cursors: o.Cursors, storages: o.Storages,
		lifetime: o.Lifetime, mediaLifetime: o.MediaLifetime,
		checks: newChecks(o.ObjectCheck, o.Now), resumeWindow: o.ResumeWindow,
		hasher: newHasher(max(o.Hashes, 1)), misses: NewGuesses(maxMisses, o.Now), refusals: NewGuesses(maxRefusals, o.Now), insecure: o.Insecure,
		metrics: o.Metrics, log: o.Logger, now: o.Now,
	}
	s.SetPolicy(o.Policy)
	return s
}

// SetPolicy is the policy for what is asked from now on.
func (s *Service) SetPolicy(p Policy) { s.policy.Store(&p) }

// storage returns the storage of that name, or nil.
func (s *Service) storage(name string) *Storage {
	for _, storage := range s.storages {
		if storage.Name == name {
			return storage
		}
	}
	return nil
}

// storageFor returns the storage of an object that was shared, which the
// configuration may have lost since.
func (s *Service) storageFor(ref ObjectRef) (*Storage, error) {
	storage := s.storage(ref.Storage)
	if storage == nil {
		return nil, fmt.Errorf("storage %q is not in the configuration", ref.Storage)
	}
	return storage, nil
}

// Show returns one link. A link outside the actor's scope does not exist for it.
func (s *Service) Show(ctx context.Context, actor *Actor, id ID) (Link, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return Link{}, err
	}
	return s.find(ctx, actor, id)
}

// find returns the link if it lies in the actor's scope.
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

// List returns one page of the links in the actor's scope.
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

// Events returns the newest events of one link.
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

// Audit returns one page of the events of all links in the actor's scope.
func (s *Service) Audit(ctx context.Context, actor *Actor, q AuditQuery) (AuditPage, error) {
	if err := actor.Allowed(ActionRead); err != nil {
		return AuditPage{}, err
	}
	if !actor.seesAll() {
		q.Match = actor.Sees
	}
	page, err := s.store.Audit(ctx, q)
	if err != nil {
		return AuditPage{}, storeError(err)
	}
	return page, nil
}

// storeError puts a store's error into words for the operator.
func storeError(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return &Error{Code: CodeNotFound, Message: "there is no such link, or none that this key may see", Err: err}
	case errors.Is(err, ErrCursor):
		return &Error{Code: CodeBadRequest, Message: "the cursor was not made by this listing; start again without it", Err: err}
	case errors.Is(err, ErrEnded):
		return &Error{Code: CodeNotActive, Message: "the link has ended; issue another", Err: err}
	case errors.Is(err, ErrChanged):
		return &Error{Code: CodePrecondition, Message: "the link has been changed since; look at it again, and at what is to be changed", Err: err}
	case errors.Is(err, ErrNotConfirmed):
		return &Error{Code: CodeNotConfirmed, Message: "it is done, but fewer replicas than redis.wait_replicas are known to have it, so that a failover may undo it; repeat it", Err: err}
	case errors.Is(err, ErrRecord):
		return &Error{Code: CodeUnavailable, Message: "Redis holds a record that this version does not understand; ask the version that wrote it", Err: err}
	}
	return &Error{Code: CodeUnavailable, Message: "Redis cannot be asked now; try again", Err: err}
}

package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"keyhole/gateway"
)

// ErrPartitions means that the links under this prefix were spread over
// another number of partitions, so that this version would not find them.
var ErrPartitions = errors.New("redis was set up with another number of partitions")

// Options say how links are kept.
type Options struct {
	Prefix         string // of every key, such as "keyhole"
	Lives          Lives
	MaxClickEvents int // how many clicks' events are kept over all links
	// WaitReplicas is how many replicas must have a change before it is done.
	WaitReplicas int
	Logger       *slog.Logger
	// Observe is told of every call: its name and result, which are of Calls
	// and Results, and how long it took. It may be nil.
	Observe func(call, result string, took time.Duration)
}

// Lives say how long links live, and are known.
type Lives struct {
	Longest   time.Duration // that policy allows a link
	Retention time.Duration // how long a link is known after its end
}

// valid tells whether a link can live so.
func (l Lives) valid() bool { return l.Longest > 0 && l.Retention > 0 }

// Store keeps links in Redis. It may be used concurrently.
type Store struct {
	client  *Client
	keys    keys
	scripts scripts
	options Options
	lives   atomic.Pointer[Lives]

	streams [partitions]string               // of clicks' events
	joined  sync.Pool                        // of *joined
	queue   *joiner                          // of clicks, but in a cluster
	queues  sync.Map                         // of clicks in a cluster: *joiner by a master's address
	homes   [partitions]atomic.Pointer[home] // in a cluster: the queue of a partition

	looks      singleflight.Group     // looks under way, by the pool that they use
	mistrust   atomic.Pointer[error]  // why no click is served, nil: Redis is as it should be
	cursors    atomic.Pointer[sealer] // nil until prepared
	horizon    atomic.Int64           // in milliseconds, as Redis had it last
	generation atomic.Int64           // in which Redis' clock was last seen
}

var (
	_ gateway.Store      = (*Store)(nil)
	_ gateway.Retries    = (*Store)(nil)
	_ gateway.ClickStore = (*Store)(nil)
	_ gateway.Cursors    = (*Store)(nil)
)

// New makes a Store over client. Redis is first asked by the first call.
func New(client *Client, o Options) (*Store, error) {
	if o.Prefix == "" || strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("redis prefix %q is empty or has a brace, which would move the hash tag", o.Prefix)
	}
	if !o.Lives.valid() || o.MaxClickEvents <= 0 || o.Logger == nil {
		return nil, errors.New("redis store needs a longest life, a retention, a number of events and a logger")
	}
	compiled, err := compile()
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, keys: keys{o.Prefix}, scripts: compiled, options: o}
	for p := range partitions {
		s.streams[p] = s.keys.clicks(p)
	}
	s.joined.New = func() any { return &joined{done: make(chan struct{}, 1)} }
	s.queue = s.newQueue(s.sendTogether)
	s.mistrust.Store(&errUnseen)
	s.lives.Store(&o.Lives)
	return s, nil
}

// SetLives changes how long links live from now on, and how long those that end
// from now on are known. Redis knows of it first: what is trimmed by age must not
// be what a longer life still needs. With an error nothing has changed.
func (s *Store) SetLives(ctx context.Context, lives Lives) error {
	if !lives.valid() {
		return errors.New("links need a longest life and a retention")
	}
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return err
	}
	v, err := run(ctx, s.client.rest, s.scripts.horizon, true, []string{s.keys.horizon()}, lives.horizon())
	if err == nil {
		_, _, err = s.clockOf(v)
	}
	if err != nil {
		return unavailable("raise the horizon", err)
	}
	s.lives.Store(&lives)
	return nil
}

// horizon is how long after its issue a link may still be known, in milliseconds.
func (l Lives) horizon() int64 { return (l.Longest + l.Retention).Milliseconds() }

// retention is how long a link that ends now is known, in milliseconds.
func (s *Store) retention() int64 { return s.lives.Load().Retention.Milliseconds() }

// Create implements gateway.Store. It is never repeated by itself: what was
// lost on the way may have been stored, and is then simply a link that nobody
// was given.
func (s *Store) Create(ctx context.Context, link gateway.Link, secrets gateway.Secrets, life time.Duration, by gateway.Origin) (_ gateway.Link, err error) {
	defer s.observe(callCreate, time.Now(), &err)
	if err := checkLink(&link); err != nil {
		return gateway.Link{}, err
	}
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	if err := s.trusted("create"); err != nil {
		return gateway.Link{}, err
	}
	generation := s.generation.Load()
	for range 2 {
		v, err := s.write(ctx, s.client.rest, s.scripts.create, false, s.createKeys(&link, generation),
			s.createArgs(&link, &secrets, life, by, generation)...)
		if err != nil {
			return gateway.Link{}, unavailable("create", err)
		}
		r := replyOf(v)
		switch what := r.text(); what {
		case "c":
			link.CreatedAt, link.ExpiresAt = moment(r.number()), moment(r.number())
			link.State, link.Clicks, link.Revision = gateway.StateActive, 0, r.text()
			fillIn(&link)
			if link.NotBefore.After(link.CreatedAt) {
				link.State = gateway.StateNotYet
			}
			if r.err != nil {
				return gateway.Link{}, unavailable("create", r.err)
			}
			return link, nil
		case "y":
			return gateway.Link{}, gateway.ErrNeverValid
		case "x":
			existing, err := s.viewed("create", r, link.ID)
			if err != nil {
				return gateway.Link{}, err
			}
			return existing, gateway.ErrExists
		case "g":
			generation = r.number()
			s.generation.Store(generation)
		default:
			return gateway.Link{}, unavailable("create", gateway.ErrRecord)
		}
	}
	return gateway.Link{}, unavailable("create", errors.New("redis' clock does not stand still"))
}

// createKeys names what a new link is written to.
func (s *Store) createKeys(link *gateway.Link, generation int64) []string {
	id, p := link.ID, partition(link.ID)
	keys := []string{
		s.keys.link(id), s.keys.history(id), s.keys.clicks(p), s.keys.operations(p), s.keys.active(p),
		s.keys.terms(p, generation), s.keys.names(p, generation), s.keys.refusals(p),
	}
	return append(keys, s.confirmationKeys(link)...)
}

// confirmationKeys names what a link has besides where it needs confirmation.
func (s *Store) confirmationKeys(link *gateway.Link) []string {
	switch {
	case link.Passphrase:
		return []string{s.keys.spent(link.ID), s.keys.tries(link.ID)}
	case link.NeedsConfirmation():
		return []string{s.keys.spent(link.ID)}
	}
	return nil
}

// createArgs packs a new link.
func (s *Store) createArgs(link *gateway.Link, secrets *gateway.Secrets, life time.Duration, by gateway.Origin, generation int64) []any {
	notBefore := int64(0)
	if !link.NotBefore.IsZero() {
		notBefore = max(link.NotBefore.UnixMilli(), 0)
	}
	args := []any{
		link.ID[:], generation, generationWidth, life.Milliseconds(), s.retention(),
		s.horizon.Load(), versionOf(link), permissionFlags(link), notBefore,
		permissionBody(link, secrets), historyBody(link, versionOf(link)), operationBody(by, ""),
		nameOf(link.Ref.Bucket, link.Ref.Key),
		termAll, termBucket(link.Ref.Bucket), termCreator(link.CreatedBy),
	}
	for name, value := range link.Labels {
		args = append(args, termLabel(name, value))
	}
	return args
}

// viewed reads the rest of a reply as one link.
func (s *Store) viewed(doing string, r *reply, id gateway.ID) (gateway.Link, error) {
	link, _, err := s.seen(doing, r, id)
	return link, err
}

// seen is viewed with the view itself.
func (*Store) seen(doing string, r *reply, id gateway.ID) (gateway.Link, view, error) {
	v := r.view(r.number())
	if r.err != nil {
		return gateway.Link{}, v, unavailable(doing, r.err)
	}
	link, err := v.link(id)
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return gateway.Link{}, v, unavailable(doing, err)
	}
	return link, v, err
}

// Get implements gateway.Store.
func (s *Store) Get(ctx context.Context, id gateway.ID) (_ gateway.Link, err error) {
	defer s.observe(callGet, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	v, err := run(ctx, s.client.rest, s.scripts.read, true, []string{s.keys.link(id), s.keys.history(id)})
	if err != nil {
		return gateway.Link{}, unavailable("get", err)
	}
	return s.viewed("get", replyOf(v), id)
}

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
	"keyhole/gateway/redisstore/batch"
	"keyhole/gateway/redisstore/record"
)

// ErrPartitions means that a gateway of another version has set up this prefix with
// another number of partitions, so this version would not find the links.
var ErrPartitions = errors.New("the redis prefix was set up with another number of partitions")

// Options configure a Store.
type Options struct {
	Prefix         string // of every key, such as "keyhole"; no braces
	Retention      Retention
	MaxClickEvents int // largest number of downloads in the feed, over all links
	// WaitReplicas is the number of replicas that must have a change before the store
	// acknowledges the change; 0: the store does not wait.
	WaitReplicas int
	Logger       *slog.Logger
	// Observe receives the name of each finished call (one of Calls), its result (one of
	// Results) and its duration. It may be nil.
	Observe func(call, result string, took time.Duration)
}

// Retention limits the time for which Redis has the records of a link. The retention of a
// link ends AfterEnd after the link has ended.
type Retention struct {
	MaxLife  time.Duration // the longest life that the policy allows a link
	AfterEnd time.Duration // the time for which a link's history is kept after its end
}

// valid reports whether both durations are set.
func (r Retention) valid() bool { return r.MaxLife > 0 && r.AfterEnd > 0 }

// retentionHorizon returns the longest time from a link's issue until its history
// expires, in milliseconds.
func (r Retention) retentionHorizon() int64 { return (r.MaxLife + r.AfterEnd).Milliseconds() }

// Store keeps links in Redis. It is safe for concurrent use.
type Store struct {
	client    *Client
	keys      keys
	scripts   scripts
	options   Options
	retention atomic.Pointer[Retention]

	streams       [partitions]string    // keys of the streams of clicks
	pendingClicks sync.Pool             // of *pendingClick
	singleQueue   *batch.Batcher[click] // of all clicks, except in a cluster
	masterQueues  sync.Map              // in a cluster: *masterQueue by the master's address
	shardQueues   [partitions]atomic.Pointer[shardQueue]

	probes    singleflight.Group     // probes in progress, by the pool that they use
	unhealthy atomic.Pointer[error]  // the reason for refusing clicks; nil: Redis is healthy
	cursors   atomic.Pointer[sealer] // nil until the store is prepared

	retentionHorizon atomic.Int64 // in milliseconds, as Redis returned it last
	indexBucket      atomic.Int64 // the current one, by Redis' clock
}

var (
	_ gateway.Store        = (*Store)(nil)
	_ gateway.Reservations = (*Store)(nil)
	_ gateway.ClickStore   = (*Store)(nil)
	_ gateway.Cursors      = (*Store)(nil)
)

// New returns a Store over client. It opens no connection; the first call does. The error
// is an invalid option.
func New(client *Client, o Options) (*Store, error) {
	if o.Prefix == "" || strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("redis prefix %q is empty or contains a brace, which would change the hash tag", o.Prefix)
	}
	if !o.Retention.valid() || o.MaxClickEvents <= 0 || o.Logger == nil {
		return nil, errors.New("the redis store needs a retention, a largest number of click events and a logger")
	}
	compiled, err := compile()
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, keys: keys{o.Prefix}, scripts: compiled, options: o}
	for p := range partitions {
		s.streams[p] = s.keys.clicks(p)
	}
	s.pendingClicks.New = func() any { return batch.NewPending[click]() }
	s.singleQueue = s.newBatcher(s.sendTogether)
	s.unhealthy.Store(&errNotProbed)
	s.retention.Store(&o.Retention)
	return s, nil
}

// SetRetention changes the retention of links that are issued or end from now on. It
// writes a longer retention to Redis first, because events and indexes must not expire
// too early. After an error the previous retention applies.
func (s *Store) SetRetention(ctx context.Context, r Retention) error {
	if !r.valid() {
		return errors.New("the longest life and the retention must be greater than 0")
	}
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return err
	}
	keys := []string{s.keys.retentionHorizon()}
	v, err := run(ctx, s.client.rest, s.scripts.retentionHorizon, true, keys, r.retentionHorizon())
	if err == nil {
		_, _, err = s.readClock(v)
	}
	if err != nil {
		return unavailable("raise the retention horizon", err)
	}
	s.retention.Store(&r)
	return nil
}

// afterEnd returns the retention of a link that ends now, in milliseconds.
func (s *Store) afterEnd() int64 { return s.retention.Load().AfterEnd.Milliseconds() }

// Get implements gateway.Store.
func (s *Store) Get(ctx context.Context, id gateway.ID) (_ gateway.Link, err error) {
	defer s.observe(callGet, time.Now(), &err)
	ctx, cancel, err := s.begin(ctx, s.client.rest)
	defer cancel()
	if err != nil {
		return gateway.Link{}, err
	}
	v, err := s.read(ctx, id)
	if err != nil {
		return gateway.Link{}, unavailable("get", err)
	}
	return readLink("get", replyOf(v), id)
}

// read executes lua/read.lua for one link.
func (s *Store) read(ctx context.Context, id gateway.ID) (any, error) {
	keys := []string{s.keys.permission(id), s.keys.history(id)}
	return run(ctx, s.client.rest, s.scripts.read, true, keys, "")
}

// readLink reads the rest of a reply as one link.
func readLink(operation string, r *reply, id gateway.ID) (gateway.Link, error) {
	link, _, err := readView(operation, r, id)
	return link, err
}

// readView reads the rest of a reply as one link, and returns its view too.
func readView(operation string, r *reply, id gateway.ID) (gateway.Link, record.View, error) {
	v := r.view(r.number())
	if r.err != nil {
		return gateway.Link{}, v, unavailable(operation, r.err)
	}
	link, err := v.Link(id)
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return gateway.Link{}, v, unavailable(operation, err)
	}
	return link, v, err
}

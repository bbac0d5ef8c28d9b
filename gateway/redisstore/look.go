package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// errUnseen is why nothing is served before every master has been looked at.
var errUnseen = errors.New("redis has not been seen whole yet")

// begin gives a call its deadline and sees that Redis is the one it should be.
func (s *Store) begin(ctx context.Context, c redis.UniversalClient) (context.Context, context.CancelFunc, error) {
	if err := s.see(ctx, c); err != nil {
		return ctx, func() {}, unavailable("look", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	return ctx, cancel, nil
}

// see makes sure that Redis has been looked at before the first call. Calls that
// come while a look is under way wait for that one, so that a start or an outage
// does not let every click look for itself. They wait for redis.timeout at most.
func (s *Store) see(ctx context.Context, c redis.UniversalClient) error {
	if s.looked() {
		return nil
	}
	// A look goes over the connections that its callers go on with. It belongs to
	// all of them, so it does not end with one.
	pool := "rest"
	if c == s.client.clicks {
		pool = "clicks"
	}
	look := s.looks.DoChan(pool, func() (any, error) { return nil, s.look(context.WithoutCancel(ctx), c) })
	wait := time.NewTimer(s.client.timeout)
	defer wait.Stop()
	var err error
	select {
	case result := <-look:
		err = result.Err
	case <-ctx.Done():
		err = ctx.Err()
	case <-wait.C:
		err = fmt.Errorf("the first look at redis has not ended: %w", context.DeadlineExceeded)
	}
	// What was found wrong with a server stops clicks, not revocations.
	if s.cursors.Load() == nil {
		return err
	}
	return nil
}

// looked tells whether every master has been looked at.
func (s *Store) looked() bool { return s.cursors.Load() != nil && s.mistrust.Load() != &errUnseen }

// trusted says why links must not be served or issued. A server that evicts may
// have thrown away a revocation's traces, or live links: nothing it says is to
// be trusted, and nothing that one says which nobody has looked at.
func (s *Store) trusted(doing string) error {
	if reason := s.mistrust.Load(); reason != nil {
		return unavailable(doing, *reason)
	}
	return nil
}

// look asks Redis all that Ready is to know and prepares the store, in one round
// trip; a cluster is first asked for its masters.
func (s *Store) look(ctx context.Context, c redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var info ServerInfo
	var inspected, prepared error
	if all, ok := c.(*redis.ClusterClient); ok {
		var preparing sync.WaitGroup
		preparing.Go(func() { prepared = s.prepare(ctx, c) })
		info, inspected = inspectMasters(ctx, all)
		preparing.Wait()
	} else {
		pipe := c.Pipeline()
		asked, p := askNode(ctx, pipe), s.askPreparation(ctx, pipe)
		// Without keys the script of clicks does nothing, and the server knows it from
		// here on: the first click is not one round trip longer than the others.
		pipe.Do(ctx, s.scripts.admit.call("eval", s.scripts.admit.source, "", nil, nil)...)
		_, err := pipe.Exec(ctx)
		info, inspected = asked.read(err)
		prepared = s.prepareFrom(p, err)
	}
	if err := s.judge(info, inspected); err != nil {
		return err
	}
	return prepared
}

// judge keeps what an inspection says of trust, and returns what is wrong. A
// master that evicts is enough to stop the clicks, whatever became of the
// others; only when all have been seen in order do they go on.
func (s *Store) judge(info ServerInfo, err error) error {
	fault := info.Check()
	switch {
	case info.Evicting(), err == nil && errors.Is(fault, ErrVersion):
		s.mistrust.Store(&fault)
	case err != nil:
		return err
	case fault == nil:
		s.mistrust.Store(nil)
	}
	return fault
}

// prepare compares the number of partitions with the one that Redis was set up
// with, or writes it there, does the same with the key of cursors, and raises
// the horizon, all in one round trip over c. Every call does so until it has
// been done once; a repeat learns a horizon that another gateway raised.
func (s *Store) prepare(ctx context.Context, c redis.UniversalClient) error {
	pipe := c.Pipeline()
	p := s.askPreparation(ctx, pipe)
	_, err := pipe.Exec(ctx)
	return s.prepareFrom(p, err)
}

// preparation is what a store is prepared with, asked of a pipeline.
type preparation struct {
	all        []redis.Cmder
	partitions *redis.StringCmd
	cursors    *redis.StringCmd
	horizon    *redis.Cmd
	horizonID  string // of the call
}

// askPreparation puts the commands into a pipeline. They write, so that a server
// that cannot is not ready, and may be repeated. The script is sent whole: to
// ask whether the server has it would be another round trip.
func (s *Store) askPreparation(ctx context.Context, pipe redis.Pipeliner) *preparation {
	key := make([]byte, cursorKeyLength)
	_, _ = rand.Read(key) // It never fails.
	raise := s.lives.Load().horizon()
	sc, id := s.scripts.horizon, newCallID()
	written := []redis.Cmder{
		pipe.SetNX(ctx, s.keys.partitions(), partitions, 0),
		pipe.SetNX(ctx, s.keys.cursors(), key, 0),
	}
	p := &preparation{
		horizonID:  id,
		partitions: pipe.Get(ctx, s.keys.partitions()),
		cursors:    pipe.Get(ctx, s.keys.cursors()),
		horizon:    pipe.Do(ctx, sc.call("eval", sc.source, id, []string{s.keys.horizon()}, []any{raise})...),
	}
	if s.options.WaitReplicas > 0 && s.cursors.Load() == nil {
		// From then on a bulk revocation is confirmed without memory; see confirm.go.
		for partition := range partitions {
			written = append(written, pipe.SetNX(ctx, s.keys.confirmation(partition), "", confirmationLife))
		}
	}
	p.all = append(written, p.partitions, p.cursors, p.horizon)
	return p
}

// failure returns the first command's error. What the pipeline ended with is
// that of a connection that was refused, which leaves none in the commands, or
// that of commands of others.
func (p *preparation) failure(ended error) error {
	for _, cmd := range p.all {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	if p.partitions.Val() == "" {
		return ended
	}
	return nil
}

// prepareFrom reads the replies of a pipeline that ended with an error or nil.
func (s *Store) prepareFrom(p *preparation, ended error) error {
	if err := p.failure(ended); err != nil {
		return err
	}
	found, err := p.partitions.Int()
	if err != nil {
		return fmt.Errorf("%w: number of partitions", gateway.ErrRecord)
	}
	if found != partitions {
		return fmt.Errorf("%w: %d, not %d", ErrPartitions, found, partitions)
	}
	cursors, err := newSealer([]byte(p.cursors.Val()))
	if err != nil {
		return err
	}
	horizon, err := replyTo(p.horizonID, p.horizon.Val())
	if err != nil {
		return err
	}
	if _, _, err := s.clockOf(horizon); err != nil {
		return err
	}
	s.cursors.Store(cursors)
	return nil
}

// clock returns Redis' time and the horizon, in milliseconds.
func (s *Store) clock(ctx context.Context) (now, horizon int64, err error) {
	v, err := run(ctx, s.client.rest, s.scripts.horizon, true, []string{s.keys.horizon()}, 0)
	if err == nil {
		now, horizon, err = s.clockOf(v)
	}
	if err != nil {
		return 0, 0, unavailable("read the horizon", err)
	}
	return now, horizon, nil
}

// clockOf reads the script's reply.
func (s *Store) clockOf(v any) (now, horizon int64, err error) {
	r := replyOf(v)
	now, horizon = r.number(), r.number()
	if r.err != nil {
		return 0, 0, r.err
	}
	s.horizon.Store(horizon)
	s.generation.Store(now / generationWidth)
	return now, horizon, nil
}

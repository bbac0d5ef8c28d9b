package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// The health gate: Keyhole redirects no click and issues no link until it has probed
// every master and found all of them healthy. Revocations pass the gate in any case.

// errNotProbed is the reason for refusing clicks until every master has been probed.
var errNotProbed = errors.New("not every redis master has been probed yet")

// begin starts a call: it makes sure that Redis has been probed, and sets the deadline.
// Call the returned function at the end, also after an error.
func (s *Store) begin(ctx context.Context, c redis.UniversalClient) (context.Context, context.CancelFunc, error) {
	if err := s.ensureProbed(ctx, c); err != nil {
		return ctx, func() {}, unavailable("probe", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	return ctx, cancel, nil
}

// ensureProbed makes sure that Redis has been probed before the first call. Calls that
// arrive during a probe share the probe. Otherwise every click would probe Redis at the
// start and during an outage. Calls wait at most for redis.timeout.
func (s *Store) ensureProbed(ctx context.Context, c redis.UniversalClient) error {
	if s.probed() {
		return nil
	}
	// A probe uses the pool that its callers use next. Several callers may wait for a
	// probe, so the probe continues if the first caller cancels.
	pool := "rest"
	if c == s.client.clicks {
		pool = "clicks"
	}
	probe := s.probes.DoChan(pool, func() (any, error) { return nil, s.probe(context.WithoutCancel(ctx), c) })
	wait := time.NewTimer(s.client.timeout)
	defer wait.Stop()
	var err error
	select {
	case result := <-probe:
		err = result.Err
	case <-ctx.Done():
		err = ctx.Err()
	case <-wait.C:
		err = fmt.Errorf("the first probe of redis did not finish in time: %w", context.DeadlineExceeded)
	}
	// An unhealthy server stops clicks but not revocations, so a prepared store returns
	// no error here.
	if s.cursors.Load() == nil {
		return err
	}
	return nil
}

// probed reports whether every master has been probed.
func (s *Store) probed() bool { return s.cursors.Load() != nil && s.unhealthy.Load() != &errNotProbed }

// ensureHealthy returns the reason for refusing clicks and issues. A server that evicts
// keys may have evicted live links or the traces of a revocation, so Keyhole cannot trust
// its answers. Keyhole does not trust a server that was never probed either.
func (s *Store) ensureHealthy(operation string) error {
	if reason := s.unhealthy.Load(); reason != nil {
		return unavailable(operation, *reason)
	}
	return nil
}

// probe makes all checks of Ready and prepares the store, in one round trip. In a cluster
// it first reads the list of masters.
func (s *Store) probe(ctx context.Context, c redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	var info ServerInfo
	var inspectErr, prepareErr error
	if cluster, ok := c.(*redis.ClusterClient); ok {
		var preparing sync.WaitGroup
		preparing.Go(func() { prepareErr = s.prepare(ctx, c) })
		info, inspectErr = inspectMasters(ctx, cluster)
		preparing.Wait()
	} else {
		pipe := c.Pipeline()
		inspection, p := queueInspection(ctx, pipe), s.queuePreparation(ctx, pipe)
		// Without keys lua/admit.lua does nothing. The server caches the script, so the
		// first click needs no additional round trip.
		pipe.Do(ctx, s.scripts.admit.call("eval", s.scripts.admit.source, "", nil, nil)...)
		_, err := pipe.Exec(ctx)
		info, inspectErr = inspection.read(err)
		prepareErr = s.readPreparation(p, err)
	}
	if err := s.updateHealth(info, inspectErr); err != nil {
		return err
	}
	return prepareErr
}

// updateHealth stores the result of an inspection and returns the fault. One master that
// evicts keys stops the clicks, even if other masters did not answer. Clicks continue
// only when every master is healthy.
func (s *Store) updateHealth(info ServerInfo, err error) error {
	fault := info.Check()
	switch {
	case info.Evicting(), err == nil && errors.Is(fault, ErrVersion):
		s.unhealthy.Store(&fault)
	case err != nil:
		return err
	case fault == nil:
		s.unhealthy.Store(nil)
	}
	return fault
}

// prepare makes one round trip. It writes the number of partitions and the key of cursors
// if Redis lacks them, checks the number, and raises the retention horizon. Every call
// runs prepare until it has succeeded once. A repeat reads the horizon again, which
// another gateway may have raised.
func (s *Store) prepare(ctx context.Context, c redis.UniversalClient) error {
	pipe := c.Pipeline()
	p := s.queuePreparation(ctx, pipe)
	_, err := pipe.Exec(ctx)
	return s.readPreparation(p, err)
}

// preparation holds the commands that prepare a store.
type preparation struct {
	all                []redis.Cmder
	partitions         *redis.StringCmd
	cursors            *redis.StringCmd
	retentionHorizon   *redis.Cmd
	retentionHorizonID string
}

// queuePreparation adds the commands to a pipeline. The commands write, so a server that
// cannot write is not ready. They may be repeated. The script is sent as source, because
// asking first whether the server has it would take another round trip.
func (s *Store) queuePreparation(ctx context.Context, pipe redis.Pipeliner) *preparation {
	key := make([]byte, cursorKeyLength)
	_, _ = rand.Read(key) // It never fails.
	retentionHorizon := s.retention.Load().retentionHorizon()
	sc, callID := s.scripts.retentionHorizon, newCallID()
	written := []redis.Cmder{
		pipe.SetNX(ctx, s.keys.partitions(), partitions, 0),
		pipe.SetNX(ctx, s.keys.cursors(), key, 0),
	}
	raise := sc.call("eval", sc.source, callID, []string{s.keys.retentionHorizon()}, []any{retentionHorizon})
	p := &preparation{
		retentionHorizonID: callID,
		partitions:         pipe.Get(ctx, s.keys.partitions()),
		cursors:            pipe.Get(ctx, s.keys.cursors()),
		retentionHorizon:   pipe.Do(ctx, raise...),
	}
	if s.options.WaitReplicas > 0 && s.cursors.Load() == nil {
		// If these keys exist, confirming a bulk revocation needs no memory; see
		// confirm.go.
		for partition := range partitions {
			written = append(written, pipe.SetNX(ctx, s.keys.confirmation(partition), "", confirmationLife))
		}
	}
	p.all = append(written, p.partitions, p.cursors, p.retentionHorizon)
	return p
}

// failure returns the first error of a command. If Redis refused the connection, by AUTH
// for example, the commands hold no error, and failure returns pipelineErr, the error of
// the whole pipeline.
func (p *preparation) failure(pipelineErr error) error {
	for _, cmd := range p.all {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	if p.partitions.Val() == "" {
		return pipelineErr
	}
	return nil
}

// readPreparation reads the replies of a pipeline that ended with pipelineErr or nil.
func (s *Store) readPreparation(p *preparation, pipelineErr error) error {
	if err := p.failure(pipelineErr); err != nil {
		return err
	}
	found, err := p.partitions.Int()
	if strings.HasPrefix(p.partitions.Val(), movingMark) {
		return ErrMoving
	}
	if err != nil {
		return fmt.Errorf("%w: the number of partitions is not a number", gateway.ErrRecord)
	}
	if found != partitions {
		return fmt.Errorf("%w: %d; this version uses %d", ErrPartitions, found, partitions)
	}
	cursors, err := newSealer([]byte(p.cursors.Val()))
	if err != nil {
		return err
	}
	retentionHorizon, err := replyTo(p.retentionHorizonID, p.retentionHorizon.Val())
	if err != nil {
		return err
	}
	if _, _, err := s.readClock(retentionHorizon); err != nil {
		return err
	}
	s.cursors.Store(cursors)
	return nil
}

// clock returns Redis' time and the retention horizon, in milliseconds.
func (s *Store) clock(ctx context.Context) (now, retentionHorizon int64, err error) {
	keys := []string{s.keys.retentionHorizon()}
	v, err := run(ctx, s.client.rest, s.scripts.retentionHorizon, true, keys, 0)
	if err == nil {
		now, retentionHorizon, err = s.readClock(v)
	}
	if err != nil {
		return 0, 0, unavailable("read the retention horizon", err)
	}
	return now, retentionHorizon, nil
}

// readClock reads the reply of the script retentionHorizon and stores it.
func (s *Store) readClock(v any) (now, retentionHorizon int64, err error) {
	r := replyOf(v)
	now, retentionHorizon = r.number(), r.number()
	if r.err != nil {
		return 0, 0, r.err
	}
	s.retentionHorizon.Store(retentionHorizon)
	s.indexBucket.Store(now / indexBucketWidth)
	return now, retentionHorizon, nil
}

package redisstore

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway/redisstore/batch"
)

// In a cluster each master has its own queue, so that a master that does not answer
// delays no click for another master.

// masterQueue is the queue of one master.
type masterQueue struct {
	*batch.Batcher[click]

	node *redis.Client
}

// shardQueue is the queue of a partition's master.
type shardQueue struct {
	*masterQueue

	until time.Time // the time of the next lookup of the partition's master
}

// shardQueueLife is the time after which the master of a partition is looked up again.
// Until then, the old master redirects the clicks of a partition that has moved.
const shardQueueLife = time.Second

// queue returns the queue for the clicks of partition p.
func (s *Store) queue(ctx context.Context, p int, now time.Time) (*batch.Batcher[click], error) {
	cluster, ok := s.client.clicks.(*redis.ClusterClient)
	if !ok {
		return s.singleQueue, nil
	}
	if q := s.shardQueues[p].Load(); q != nil && now.Before(q.until) {
		return q.Batcher, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	master, err := cluster.MasterForKey(ctx, s.streams[p])
	if err != nil {
		return nil, err
	}
	q := s.queueFor(master)
	s.shardQueues[p].Store(&shardQueue{q, now.Add(shardQueueLife)})
	return q.Batcher, nil
}

// queueFor returns the queue of a master. go-redis closes the client of a node that left
// the cluster, and makes a new client if the node comes back. Then queueFor replaces the
// queue.
func (s *Store) queueFor(master *redis.Client) *masterQueue {
	address := master.Options().Addr
	q := &masterQueue{node: master}
	q.Batcher = s.newBatcher(func(ctx context.Context, clicks []*pendingClick) { s.sendToMaster(ctx, master, clicks) })
	found, loaded := s.masterQueues.LoadOrStore(address, q)
	if !loaded || found.(*masterQueue).node == master {
		return found.(*masterQueue)
	}
	s.masterQueues.CompareAndSwap(address, found, q)
	return q
}

// sendToMaster sends clicks to one master in one pipeline, with one call per partition,
// because the keys of a script must be in one slot. It uses the client of the node,
// because the client of the cluster would look up the node for every call. If the node
// did not execute a call, the client of the cluster sends it and follows redirections.
func (s *Store) sendToMaster(ctx context.Context, master *redis.Client, clicks []*pendingClick) {
	groups := groupByPartition(clicks)
	calls := make([]*redis.StringSliceCmd, len(groups))
	for i, group := range groups {
		calls[i] = s.admitCall(ctx, "evalsha", s.scripts.admit.digest, group)
	}
	s.pipelineCalls(ctx, master, calls)
	var redirected []*redis.StringSliceCmd
	var failure error
	for _, call := range calls {
		if err := call.Err(); notExecuted(err) {
			redirected = append(redirected, call)
		} else if err != nil {
			failure = err
		}
	}
	if len(redirected) > 0 {
		s.pipelineCalls(ctx, s.client.clicks, redirected)
	}
	if cluster, ok := s.client.clicks.(*redis.ClusterClient); ok {
		reloadOnFailure{cluster}.after(ctx, failure)
	}
	var each []*pendingClick
	for i, group := range groups {
		if !s.completeCall(ctx, calls[i], group) {
			each = append(each, group...)
		}
	}
	s.sendEach(ctx, each)
}

// groupByPartition sorts clicks by partition, and returns one group for each partition.
func groupByPartition(clicks []*pendingClick) [][]*pendingClick {
	slices.SortStableFunc(clicks, func(a, b *pendingClick) int { return a.Item.partition - b.Item.partition })
	groups := make([][]*pendingClick, 0, min(len(clicks), partitions))
	for rest := clicks; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Item.partition == rest[0].Item.partition {
			n++
		}
		groups, rest = append(groups, rest[:n]), rest[n:]
	}
	return groups
}

// pipelineCalls sends calls in one pipeline. Each call holds its error.
func (s *Store) pipelineCalls(ctx context.Context, c redis.UniversalClient, calls []*redis.StringSliceCmd) {
	if len(calls) == 1 {
		s.process(ctx, c, calls[0])
		return
	}
	pipe := c.Pipeline()
	for _, call := range calls {
		call.SetErr(nil)
		_ = pipe.Process(ctx, once{call}) // This only queues the command.
	}
	var pipelineErr error
	panicked := s.recoverPanic(func() { _, pipelineErr = pipe.Exec(ctx) })
	for _, call := range calls {
		switch {
		case panicked != nil:
			call.SetErr(panicked)
		case call.Err() == nil && call.Val() == nil:
			// A connection that Redis refused, by AUTH for example, sets no error in the
			// commands.
			call.SetErr(errors.Join(pipelineErr, errNotSent))
		}
	}
}

// notExecuted reports whether the node did not execute a call, so that another node may
// execute it: the node redirected the call, go-redis had closed the client of the node,
// or the node was unreachable.
func notExecuted(err error) bool {
	if err == nil {
		return false
	}
	if _, moved := redis.IsMovedError(err); moved {
		return true
	}
	if _, ask := redis.IsAskError(err); ask {
		return true
	}
	var network *net.OpError
	return errors.Is(err, redis.ErrClosed) || errors.As(err, &network) && network.Op == "dial"
}

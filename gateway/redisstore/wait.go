package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"keyhole/gateway"
)

// waitMargin is the part of a call's time that WAIT must leave for its reply.
const waitMargin = 20 * time.Millisecond

// write executes a script that changes links, over c. With Options.WaitReplicas it uses
// the waiting pool instead of c, and returns without error only if that many replicas
// have the change. Otherwise the error is gateway.ErrNotConfirmed.
func (s *Store) write(
	ctx context.Context, c redis.UniversalClient, sc script, again repeatable, keys []string, args ...any,
) (any, error) {
	if s.options.WaitReplicas == 0 {
		return run(ctx, c, sc, again, keys, args...)
	}
	node, err := s.client.master(ctx, keys[0])
	asking := false
	for err == nil {
		var reply any
		reply, err = s.writeTo(ctx, node, asking, sc, keys, args)
		moved, hasMoved := redis.IsMovedError(err)
		ask, isAsked := redis.IsAskError(err)
		switch {
		case hasMoved, isAsked:
			// A node that redirects has executed nothing.
			if asking = isAsked; isAsked {
				moved = ask
			}
			node, err = s.client.nodeAt(ctx, moved, keys[0])
		case redis.HasErrorPrefix(err, "TRYAGAIN"):
			err = nil
		default:
			return reply, err
		}
		if !pause(ctx, tryAgainPause) {
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// writeTo executes a script on one node and waits for its replicas. WAIT covers only the
// writes of its own connection, and returns at once if that connection wrote nothing. So
// the script and WAIT use one connection. With gateway.ErrNotConfirmed, Redis has
// executed the script, and writeTo returns the reply too.
func (s *Store) writeTo(
	ctx context.Context, node *redis.Client, asking bool, sc script, keys []string, args []any,
) (any, error) {
	conn := node.Conn()
	defer func() { _ = conn.Close() }()
	reply, err := sc.execute(keys, args, func(command []any) (any, error) {
		if asking {
			if err := conn.Process(ctx, redis.NewStatusCmd(ctx, "asking")); err != nil {
				return nil, err
			}
		}
		cmd := redis.NewCmd(ctx, command...)
		_ = conn.Process(ctx, once{cmd}) // The command holds its error.
		return cmd.Result()
	})
	if err != nil {
		s.client.reloadTopology(ctx, err)
		return nil, err
	}
	return reply, s.wait(ctx, conn)
}

// wait waits until Options.WaitReplicas replicas have the writes of conn. If they do not
// in time, the error is gateway.ErrNotConfirmed.
func (s *Store) wait(ctx context.Context, conn *redis.Conn) error {
	limit := time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(time.Until(deadline)-waitMargin, limit)
	}
	wait := redis.NewCmd(ctx, "wait", s.options.WaitReplicas, limit.Milliseconds())
	_ = conn.Process(ctx, once{wait}) // The command holds its error.
	have, err := wait.Int()
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrNotConfirmed, err)
	}
	if have < s.options.WaitReplicas {
		return fmt.Errorf("%w: %d of %d replicas have the change", gateway.ErrNotConfirmed, have, s.options.WaitReplicas)
	}
	return nil
}

// master returns the node that serves key, in the pool for waiting.
func (c *Client) master(ctx context.Context, key string) (*redis.Client, error) {
	return masterOf(ctx, c.waiting, key)
}

// masterOf returns the node of c that serves key.
func masterOf(ctx context.Context, c redis.UniversalClient, key string) (*redis.Client, error) {
	switch client := c.(type) {
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, key)
	case *redis.Client:
		return client, nil
	}
	return nil, errors.New("this redis client cannot wait for replicas")
}

// nodeAt returns the node at the address that a redirection named. If the cluster does
// not list that node, it returns the current master of key.
func (c *Client) nodeAt(ctx context.Context, addr, key string) (*redis.Client, error) {
	cluster, ok := c.waiting.(*redis.ClusterClient)
	if !ok {
		return c.master(ctx, key)
	}
	cluster.ReloadState(ctx)
	found := make(chan *redis.Client, 1)
	_ = cluster.ForEachShard(ctx, func(_ context.Context, node *redis.Client) error {
		if node.Options().Addr == addr {
			found <- node
		}
		return nil
	})
	select {
	case node := <-found:
		return node, nil
	default:
		return cluster.MasterForKey(ctx, key)
	}
}

// reloadTopology reads a cluster's topology again if err is not an answer of Redis.
func (c *Client) reloadTopology(ctx context.Context, err error) {
	if cluster, ok := c.waiting.(*redis.ClusterClient); ok {
		reloadOnFailure{cluster}.after(ctx, err)
	}
}
